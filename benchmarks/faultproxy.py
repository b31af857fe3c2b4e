"""A proxy in front of a real Postgres or Redis, to slow it down, hang it, break it or take it away."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from answering.upstream.wire import close

Mode = Literal["ok", "hang", "error", "refuse"]
Target = Path | tuple[str, int]
MOST = 256 * 1024


class FaultProxy:
    """Listens on a free local port and passes bytes on to `target`, a Unix socket or (host, port).

    `hang`: connections stay open, nothing passes. `error`: connections are accepted and closed.
    `refuse`: nobody listens. `delay` in seconds is added to all that clients send, so once to each round
    trip."""

    def __init__(self, target: Target, *, mode: Mode = "ok", delay: float = 0.0) -> None:
        self.mode: Mode = mode
        self.delay = delay
        self.port = 0
        self.accepted = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        await self.change(self.mode, delay=self.delay)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def change(self, mode: Mode = "ok", *, delay: float = 0.0) -> None:
        """Behaves so from now on, for open connections too."""
        before, self.mode, self.delay = self.mode, mode, delay
        if mode == "hang":
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode == "error":
            await self._cut()
        elif mode == "refuse":
            await self._close()
        elif before == "refuse" and self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await close(server, self._abort)
        await self._cut()

    def _abort(self) -> None:
        for link in self._links:
            link.cancel()

    async def _cut(self) -> None:
        links = list(self._links)
        self._abort()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket in the loop's next turn

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.mode == "error":
            writer.transport.abort()
            return
        link = asyncio.ensure_future(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(
            lambda _: writer.transport.abort()
        )  # also of one that is cancelled before it begins

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes bytes both ways until either side closes."""
        far: asyncio.StreamWriter | None = None
        try:
            await self._flowing.wait()
            far_reader, far = await self._connect()
            ways = [
                asyncio.ensure_future(self._pass(reader, far, self._delayed)),
                asyncio.ensure_future(self._pass(far_reader, writer, self._flowing.wait)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:  # the target is gone: so are we, for this client
            pass
        finally:
            if far is not None:
                far.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _delayed(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._flowing.wait()

    @staticmethod
    async def _pass(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hold: Callable[[], Awaitable[object]]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(MOST):
                await hold()
                writer.write(data)
                await writer.drain()

"""Servers of a few lines, for what is remote."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from answering.upstream import SimulatedUpstream
from answering.upstream.wire import close


@contextmanager
def beside(upstream: SimulatedUpstream) -> Iterator[SimulatedUpstream]:
    """Runs it on an event loop of its own, for a command that blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(upstream.start(), loop).result(10)
    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[str, int]]:
    """The host and port of a server that gives every connection to `serve`.

    At the end all its connections are closed. One that outlived the event loop would fail whichever test runs while
    it is collected.
    """
    open_now: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        open_now[task] = writer
        with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            await task

    def abort() -> None:
        for task, writer in open_now.items():
            task.cancel()
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        await close(server, abort)
        await asyncio.gather(*open_now, return_exceptions=True)

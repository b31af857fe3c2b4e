"""Daphne with an end to its patience: what it is given to send it keeps for as long as nobody takes it, and what it
receives for as long as nobody handles it.

Here a `send` waits while a connection's buffer is full, so that what follows stays where it is: frames in their run's
log, which every reader reads at its own place. Who takes nothing of it for a while is cut off, and may resume. Nothing
is read from a socket whose frames wait to be handled."""

import asyncio
import logging
from typing import Any

import daphne.server
from daphne.cli import CommandLineInterface

logger = logging.getLogger("qa_site")

PATIENCE = 30.0
"""Seconds in which a reader must take something of what waits for it."""

PATIENCE_WITH_FILES = 600.0
"""The same where what is sent has an end that is known: somebody has paused a download, which keeps a piece of it here
and nothing more waiting."""

RECEIVED = 16
"""Frames of a socket that wait to be handled."""

LOOK_AGAIN = 0.05


class Outflow:
    """Whether what is sent on a connection leaves it; its transport tells, as one tells a producer of Twisted's."""

    def __init__(self, transport: Any, patience: float) -> None:
        self._transport, self._patience = transport, patience
        self._open = asyncio.Event()
        self._open.set()

    def pauseProducing(self) -> None:
        self._open.clear()

    def resumeProducing(self) -> None:
        self._open.set()

    def stopProducing(self) -> None:
        self._open.set()

    async def opened(self) -> None:
        """Waits until there is room, or the connection is gone: to who takes nothing it is closed."""
        while not self._open.is_set():
            before = self._taken()
            try:
                async with asyncio.timeout(self._patience):
                    await self._open.wait()
            except TimeoutError:
                if self._taken() == before:
                    logger.info("a reader took nothing for %d s: cut off", self._patience)
                    self._transport.abortConnection()
                    return

    def _taken(self) -> tuple[int, int]:
        """Changes as bytes leave."""
        return self._transport.offset, len(self._transport.dataBuffer)


class Inbox:
    """The queue of what came on a socket; while it is long, nothing more is read."""

    def __init__(self, queue: "asyncio.Queue[dict[str, Any]]", transport: Any) -> None:
        self._queue, self._transport = queue, transport
        self._held = False

    def put_nowait(self, message: dict[str, Any]) -> None:
        self._queue.put_nowait(message)
        if not self._held and self._queue.qsize() > RECEIVED:
            self._held = True
            self._transport.pauseProducing()
            self._look_again()

    def _look_again(self) -> None:
        if self._queue.qsize() > RECEIVED and self._transport.connected:
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)
        else:
            self._held = False
            self._transport.resumeProducing()


class Server(daphne.server.Server):  # type: ignore[misc]
    patience = PATIENCE
    patience_with_files = PATIENCE_WITH_FILES

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        queue = super().create_application(protocol, scope)
        if queue is None or scope["type"] != "websocket":
            return queue
        return Inbox(queue, protocol.transport)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        details = self.connections.get(protocol)
        is_socket = message["type"] == "websocket.send"
        more = is_socket or (message["type"] == "http.response.body" and message.get("more_body", False))
        if details is not None and "disconnected" not in details:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                details["is_file"] = b"content-length" in names
            if more and "outflow" not in details:
                patience = self.patience_with_files if details.get("is_file") else self.patience
                details["outflow"] = Outflow(protocol.transport, patience)
                if is_socket:
                    protocol.unregisterProducer()  # the HTTP channel that it came in by
                protocol.registerProducer(details["outflow"], True)
            if more:
                await details["outflow"].opened()
            elif message["type"] == "http.response.body" and "outflow" in details:
                protocol.unregisterProducer()
        await super().handle_reply(protocol, message)


class CommandLine(CommandLineInterface):  # type: ignore[misc]
    server_class = Server

"""HTTP/1.1 for the simulated upstream: keep-alive, request bodies by length or in chunks, chunked responses.

An asyncio.Protocol of its own because the simulator shares a core with what it tests: a chunk sent costs a
write and nothing else, and a client that goes away cancels its request at once, which a stream reader would
not tell.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

MOST_HEAD = 64 * 1024
MOST_BODY = 64 * 1024 * 1024


class BadRequest(Exception):
    """These bytes are no request that the simulator understands."""


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


Handler = Callable[[Request, "Connection"], Awaitable[None]]


def take(buffer: bytearray) -> Request | None:
    """The first request in `buffer`, removed from it; None while it is incomplete. Raises BadRequest."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MOST_HEAD:
            raise BadRequest("the head is too long")
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    try:
        method, path, _ = lines[0].split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])
        }
        body, after = body_at(buffer, end + 4, headers)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if body is None:
        return None
    del buffer[:after]
    return Request(method, path, headers, body)


def body_at(buffer: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes | None, int]:
    """The body that begins at `start` and where it ends; None while it is incomplete."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return chunked_body(buffer, start)
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= MOST_BODY:
        raise ValueError("the body is too long")
    if len(buffer) < start + length:
        return None, start
    return bytes(buffer[start : start + length]), start + length


def chunked_body(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    body = bytearray()
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None, at
        size = int(bytes(buffer[at:line]).split(b";")[0], 16)
        at = line + 2
        if len(buffer) < at + size + 2:
            return None, at
        body += buffer[at : at + size]
        at += size + 2
        if size == 0:
            return bytes(body), at
        if len(body) > MOST_BODY:
            raise ValueError("the body is too long")


class Connection(asyncio.Protocol):
    """One client: requests one after another, each handled in a task that ends when the client leaves."""

    def __init__(self, handler: Handler, open_connections: "set[Connection]") -> None:
        self._handler = handler
        self._open = open_connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # of uvloop it is no subclass
        self._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        self._transport = None
        self._writable.set()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self.task is not None or self._transport is None:
            return
        try:
            request = take(self._buffer)
        except BadRequest as error:
            self.reply(400, {"error": {"message": str(error)}})
            self.close()
            return
        if request is not None:
            self.task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            await self._handler(request, self)
        finally:
            self.task = None
            if not request.keeps_alive:
                self.close()
        self._next()

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        """A whole JSON response."""
        body = json.dumps(content, separators=(",", ":")).encode()
        self.reply_bytes(status, "application/json", body, headers)

    def reply_bytes(
        self, status: int, media: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        head = self._head(
            status, {"Content-Type": media, "Content-Length": str(len(body)), **(headers or {})}
        )
        self._write(head + body)

    def start_events(self) -> None:
        """The head of a stream of server-sent events; `send` and `finish` follow."""
        headers = {
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            "Transfer-Encoding": "chunked",
        }
        self._write(self._head(200, headers))

    def send(self, data: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        self._write(b"0\r\n\r\n")

    async def drained(self) -> None:
        """Returns when the client has taken most of what was sent."""
        await self._writable.wait()

    def close(self) -> None:
        """Closes the connection; in the middle of a stream that is a cut."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _head(self, status: int, headers: dict[str, str]) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode("latin-1")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def close(server: asyncio.Server, abort: Callable[[], None]) -> None:
    """Stops listening and returns when no connection is left; `abort` ends those there are.

    A client may have connected without having been accepted. asyncio takes one turn to accept and another to make
    the transport, and a server closed in between leaves the socket open (Python 3.11).
    """
    gone = asyncio.ensure_future(server.wait_closed())  # from its start, or Python 3.11 does not wait
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()
    try:
        while not gone.done():
            abort()
            await asyncio.sleep(0)
    finally:
        gone.cancel()

"""An ASGI application that sends without end and reads as it is told, behind the server that web processes run. Its
address is the first line that it says; GET / tells how many bytes it has sent and how many readers are gone.

`/file` is as long as it says. `python -m tests.flood NAME`, where NAME is `impatient` for a server that gives up its
readers at once, `impatient with-files` for one that does so with files, too."""

import asyncio
import json
import socket
import sys
from typing import Any

import daphne.server  # noqa: F401 - first: it sets up the event loop
from twisted.internet import reactor

from qa_site.flow import CommandLine, Server

told = {"sent": 0, "gone": 0}
MUCH = "x" * 16_384
MOST = 64 * 1024 * 1024
LIFE = 60  # seconds: a test that waits for what does not come is told that nobody listens


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        if scope["path"] == "/deaf":
            await asyncio.Event().wait()
        sending = asyncio.ensure_future(flood(send, {"type": "websocket.send", "text": MUCH}))
    else:
        headers = [(b"Content-Length", str(MOST).encode())] if scope["path"] == "/file" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/":
            await send({"type": "http.response.body", "body": json.dumps(told).encode()})
            return
        await receive()
        part = {"type": "http.response.body", "body": MUCH.encode(), "more_body": True}
        sending = asyncio.ensure_future(flood(send, part))
    while not (await receive())["type"].endswith("disconnect"):
        pass
    sending.cancel()
    told["gone"] += 1


async def flood(send: Any, message: dict[str, Any]) -> None:
    sent = 0
    while sent < MOST:
        await send(message)
        sent += len(MUCH)
        told["sent"] += len(MUCH)
        await asyncio.sleep(0)


class Impatient(Server):
    patience = 0.3
    patience_with_files = 0.3 if "with-files" in sys.argv else Server.patience_with_files


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    reactor.callLater(LIFE, reactor.stop)
    CommandLine.server_class = Impatient if "impatient" in sys.argv else Server
    CommandLine().run(["--fd", str(listener.fileno()), "--verbosity", "0", "tests.flood:application"])

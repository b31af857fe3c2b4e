"""A pooler as PgBouncer is one with `pool_mode = transaction`: it speaks Postgres' protocol, and lends each client the
session that was given back last, until that session is in no transaction."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STARTUP = b"user\0postgres\0database\0postgres\0\0"
IDLE = b"I"


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def _message(link: socket.socket) -> bytes:
    head = _exactly(link, 5)
    return head + _exactly(link, int.from_bytes(head[1:]) - 4)


def _reply(server: socket.socket) -> tuple[bytes, bytes]:
    """All that it says until it waits for the next message, and whether it is in a transaction then."""
    said = b""
    while True:
        message = _message(server)
        said += message
        if message[:1] == b"Z":
            return said, message[-1:]


class Pooler:
    def __init__(self, postgres: Path) -> None:
        self.postgres, self.free = postgres, []
        self.greeting = b""
        for _ in range(3):
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(postgres))
            server.sendall((len(STARTUP) + 8).to_bytes(4) + (196608).to_bytes(4) + STARTUP)
            self.greeting = _reply(server)[0]
            self.free.append(server)

    def serve(self, client: socket.socket) -> None:
        with client, suppress(ConnectionError):
            _exactly(client, int.from_bytes(_exactly(client, 4)) - 4)
            client.sendall(self.greeting)
            while True:
                server, state = None, b""
                while state != IDLE:
                    message = _message(client)
                    server = server or self.free.pop()
                    if message[:1] == b"X":
                        self.free.append(server)
                        return
                    server.sendall(message)
                    said, state = _reply(server)
                    if state == IDLE:
                        self.free.append(server)
                    client.sendall(said)


@contextmanager
def transaction_pooler(folder: Path, postgres: Path) -> Iterator[None]:
    """Listens in `folder`, and lends out sessions of the Postgres that listens at `postgres`."""
    pooler = Pooler(postgres)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=pooler.serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for server in pooler.free:
                server.close()

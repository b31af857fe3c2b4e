"""Peers that take nothing of what they are sent, or send more than is handled."""

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.flood import MOST

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PLAIN = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
FILE = PLAIN.replace("/stream", "/file")
LITTLE = MOST // 4  # the system buffers some megabytes a connection


@contextmanager
def flooding(*arguments: str) -> Iterator[int]:
    """The port of a server that sends without end."""
    command = [sys.executable, "-m", "tests.flood", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def asking(port: int, request: str) -> Iterator[socket.socket]:
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
        link.sendall(request.format(key=key, path="/").encode())
        assert b"HTTP/1.1" in link.recv(100)
        yield link


def told(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
        return json.load(reply)


def settled(look: Callable[[], int]) -> int:
    """What a figure is when it no longer changes."""
    before, same = look(), 0
    while same < 50:
        now = look()
        before, same = now, same + 1 if now == before else 0
    return before


@pytest.mark.parametrize("request_", [HANDSHAKE, PLAIN], ids=["socket", "stream"])
def test_what_nobody_takes_is_not_kept(request_):
    with flooding() as port, asking(port, request_) as link:
        assert settled(lambda: told(port)["sent"]) < LITTLE
        taken = 0
        while taken < LITTLE:  # and goes on once it is
            taken += len(link.recv(1 << 20))


@pytest.mark.parametrize("request_", [HANDSHAKE, PLAIN], ids=["socket", "stream"])
def test_who_takes_nothing_is_cut_off(request_):
    with flooding("impatient") as port, asking(port, request_) as link:
        while not told(port)["gone"]:
            pass
        with pytest.raises(ConnectionError):
            all(iter(lambda: link.recv(1 << 20), b""))


def test_a_paused_download_goes_on():
    with flooding("impatient") as port, asking(port, FILE) as paused, asking(port, PLAIN):
        while not told(port)["gone"]:  # who takes nothing of a stream
            pass
        taken = 100  # with the head
        while taken < MOST:
            got = len(paused.recv(1 << 20))
            assert got
            taken += got


def test_a_download_is_not_paused_for_ever():
    with flooding("impatient", "with-files") as port, asking(port, FILE) as link:
        while not told(port)["gone"]:
            pass
        with pytest.raises(ConnectionError):
            all(iter(lambda: link.recv(1 << 20), b""))


def test_what_nobody_handles_is_not_read():
    frame = b"\x82\xfe\x40\x00\0\0\0\0" + bytes(0x4000)
    with flooding() as port, socket.create_connection(("127.0.0.1", port), timeout=1) as link:
        key = base64.b64encode(os.urandom(16)).decode()
        link.sendall(HANDSHAKE.format(key=key, path="/deaf").encode())
        assert b"101" in link.recv(100)
        sent = 0
        with suppress(TimeoutError):
            while sent < MOST:
                sent += link.send(frame)
        assert sent < LITTLE

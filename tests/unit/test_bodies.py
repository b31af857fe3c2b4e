"""What is sent with a request, as the server takes it before there is an application for it."""

import json
from asyncio import Queue
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel

from qa_site.bodies import Request

SIZE = 200_000
FULL = Path("/dev/full")


def nothing(*_: object) -> None:
    pass


@pytest.fixture
def channel() -> HTTPChannel:
    """A connection to a server whose applications do nothing."""
    server = SimpleNamespace(
        protocol_connected=nothing,
        protocol_disconnected=nothing,
        create_application=lambda *_: Queue(),
        log_action=nothing,
        server_name="",
        root_path="",
        proxy_forwarded_address_header=None,
        request_buffer_size=8192,
    )
    channel = HTTPChannel()
    channel.factory = SimpleNamespace(server=server, log=nothing)
    channel.requestFactory = Request
    channel.timeOut = None
    channel.makeConnection(StringTransport())
    return channel


@pytest.mark.expects_errors
@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_body_for_which_there_is_no_room_is_refused_with_the_reason(channel):
    channel.dataReceived(f"POST /library/upload/ HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n".encode())
    (request,) = channel.requests
    request.content.close()
    request.content = FULL.open("r+b")
    channel.dataReceived(b"x" * (SIZE - 1))
    assert channel.transport.value() == b""  # to its end, for browsers hear nothing before that
    channel.dataReceived(b"x")
    head, _, body = channel.transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 507 ")
    assert json.loads(body)["error"]["code"] == "no_room"


def test_an_answer_that_fails_in_its_middle_breaks_off(channel):
    channel.dataReceived(b"GET /d/1/file HTTP/1.1\r\n\r\n")
    (request,) = channel.requests
    request.handle_reply({"type": "http.response.start", "status": 200})
    request.handle_reply({"type": "http.response.body", "body": b"The first", "more_body": True})
    request.handle_exception(OSError())
    assert channel.transport.value().endswith(b"The first\r\n")
    assert channel.transport.disconnecting


def test_one_that_fails_before_is_an_error(channel):
    channel.dataReceived(b"GET /d/1/file HTTP/1.1\r\n\r\n")
    (request,) = channel.requests
    request.handle_exception(OSError())
    assert channel.transport.value().startswith(b"HTTP/1.1 500 ")

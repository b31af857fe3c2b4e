"""What is sent with a request, as the server takes it before there is an application for it."""

import json
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


@pytest.mark.expects_errors
@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_body_for_which_there_is_no_room_is_refused_with_the_reason():
    channel, transport = HTTPChannel(), StringTransport()
    server = SimpleNamespace(
        protocol_connected=nothing, protocol_disconnected=nothing, log_action=nothing, server_name=""
    )
    channel.factory = SimpleNamespace(server=server, log=nothing)
    channel.requestFactory = Request
    channel.timeOut = None
    channel.makeConnection(transport)
    channel.dataReceived(f"POST /library/upload/ HTTP/1.1\r\nContent-Length: {SIZE}\r\n\r\n".encode())
    (request,) = channel.requests
    request.content.close()
    request.content = FULL.open("r+b")
    channel.dataReceived(b"x" * (SIZE - 1))
    assert transport.value() == b""  # to its end, for browsers hear nothing before that
    channel.dataReceived(b"x")
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 507 ")
    assert json.loads(body)["error"]["code"] == "no_room"

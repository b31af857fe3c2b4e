"""The server of `manage.py up`, in front of the application."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def port(transactional_db: None, redis_url: str) -> Iterator[int]:
    """Of a web process. A request waits until it has started, for the socket is there before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "qa_site.serve", "--fd", str(listener.fileno()), "-v", "0"]
        child = subprocess.Popen(
            [*command, "qa_site.asgi:application"], cwd=ROOT, env=os.environ, pass_fds=(listener.fileno(),)
        )
        try:
            yield listener.getsockname()[1]
        finally:
            child.terminate()
            child.wait(30)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded"],
)
def test_nobody_reads_a_form_before_django(port, content_type):
    """Twisted would, all of it at once, and answers one without a part itself."""
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    caller.request("POST", "/api/v1/documents", b"--x--\r\n", {"Content-Type": content_type})
    answer = caller.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (401, "unauthorized")
    caller.close()

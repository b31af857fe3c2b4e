"""The server of `manage.py up`, in front of the application."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from django.test import Client

from answering.models import Conversation
from qa_site.bodies import BESIDE
from tests.processes import running

MB = 2**20
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def port(transactional_db: None, redis_url: str) -> Iterator[int]:
    """Of a web process. A request waits until it has started, for the socket is there before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "qa_site.serve", "--fd", str(listener.fileno()), "-v", "0"]
        child = subprocess.Popen(
            [*command, "qa_site.asgi:application"],
            cwd=ROOT,
            env={**os.environ, "MAX_DOCUMENT_MB": "1"},
            pass_fds=(listener.fileno(),),
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
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as caller:
        caller.request("POST", "/api/v1/documents", b"--x--\r\n", {"Content-Type": content_type})
        answer = caller.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (401, "unauthorized")


def test_an_answer_to_head_has_no_body(port):
    user = User.objects.create_user("ada")
    Conversation.objects.bulk_create(Conversation(user=user, title="leave " * 30) for _ in range(300))
    visitor = Client()
    visitor.force_login(user)
    cookie = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in visitor.cookies.items())}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as caller:
        caller.request("HEAD", "/?all", headers=cookie)
        answer = caller.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 2**16  # sent in several pieces
        caller.request("GET", "/healthz")
        assert caller.getresponse().read() == b"ok\n"


@pytest.mark.parametrize("length", [{"Content-Length": str((BESIDE + 2) * MB)}, {}], ids=["told", "chunked"])
def test_what_is_larger_than_any_document_is_not_kept(port, length):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as caller:
        caller.request("GET", "/healthz")
        assert caller.getresponse().read() == b"ok\n"
        (web,) = running(psutil.Process().children(), "qa_site.serve")
        before = web.memory_info().rss
        body = (bytes(MB) for _ in range(BESIDE + 2))
        caller.request("POST", "/healthz", body, length, encode_chunked=not length)
        answer = caller.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "too_large")
        assert web.memory_info().rss < before + BESIDE * MB // 2
        caller.request("GET", "/healthz")  # the connection can be used further
        assert caller.getresponse().status == 200

"""A folder for temporary files that is full while something is sent."""

import asyncio
import errno
import json
import os
import resource
import signal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from qa_site.refusals import bad_request
from qa_site.uploads import NoRoomForUpload, Roomed

ROOM = 8192

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12, where threads run


def told_of(path: str, accept: str, size: int) -> list[Any]:
    """The status and the body for a file of that size where files may not grow beyond ROOM bytes. In a child, for the
    limit is on every file of its process."""
    read, write = os.pipe()
    if not (child := os.fork()):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
        file = SimpleUploadedFile("leave.txt", b"x" * size)
        request = RequestFactory().post(path, {"file": file}, headers={"accept": accept})
        try:
            told = [200, request.FILES["file"].name]
        except NoRoomForUpload as error:
            answer = bad_request(request, error)
            told = [answer.status_code, answer.content.decode()]
        finally:
            os.write(write, json.dumps(told).encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as said:
        return list(json.loads(said.read()))


@pytest.mark.parametrize("size", [ROOM + 1, 10 * ROOM])
@pytest.mark.parametrize(
    ("path", "accept"), [("/api/v1/documents", "*/*"), ("/library/upload/", "application/json")]
)
def test_a_file_that_there_is_no_room_for_is_refused_with_the_reason(settings, tmp_path, path, accept, size):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    status, body = told_of(path, accept, size)
    assert (status, json.loads(body)["error"]["code"]) == (507, "no_room")
    assert "no room left on the server" in json.loads(body)["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_the_bare_form_is_answered_with_a_page():
    status, body = told_of("/library/upload/", "text/html,*/*;q=0.8", ROOM + 1)
    assert status == 507
    assert "no room left on the server" in body


def test_a_file_that_there_is_room_for_is_taken():
    assert told_of("/library/upload/", "text/html", ROOM - 1) == [200, "leave.txt"]


def sent_by(application: Roomed) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application({"type": "http"}, None, send))
    return sent


@pytest.mark.expects_errors
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_body_that_finds_no_room_is_refused_before_there_is_a_request(number):
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        raise OSError(number, os.strerror(number))

    start, body = sent_by(Roomed(reading))
    assert start["status"] == 507
    assert "no room left on the server" in json.loads(body["body"])["error"]["message"]


def test_other_faults_of_the_system_are_not_hidden():
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        sent_by(Roomed(reading))


def test_a_process_that_is_killed_leaves_nothing_of_what_was_sent_to_it(tmp_path, settings):
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    file = SimpleUploadedFile("leave.txt", b"x" * 300_000)
    request = RequestFactory().post("/api/v1/documents", {"file": file})
    with request.FILES["file"] as received:
        assert list(tmp_path.iterdir()) == []
        assert b"".join(received.chunks()) == b"x" * 300_000
        assert (received.name, received.size) == ("leave.txt", 300_000)

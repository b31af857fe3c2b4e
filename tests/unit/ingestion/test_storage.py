"""Originals on a disk that is full."""

import errno
import os
import resource
import signal
import tempfile

import pytest

from retrieval.errors import NoRoom
from retrieval.ingestion.storage import _write, stored

ROOM = 8192


def error_of_writing(pieces: list[bytes]) -> int:
    """The error number of writing them where files may not grow beyond ROOM bytes, 0 for none. What reaches over is
    written in part, as on a disk that is full. In a child, for the limit is on every file of its process."""
    if not (child := os.fork()):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
        try:
            with tempfile.TemporaryFile() as file:
                _write(file, pieces)
        except OSError as error:
            os._exit(error.errno or 255)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12, where threads run


@pytest.mark.parametrize("pieces", [[b"x" * (ROOM + 1)], [b"x" * ROOM, b"x"]])
def test_a_file_that_there_is_no_room_for_is_not_stored_in_part(pieces):
    assert error_of_writing(pieces) == errno.EFBIG


def told_of(pieces: list[bytes]) -> str:
    """What storing them says where files may not grow beyond ROOM bytes."""
    read, write = os.pipe()
    if not (child := os.fork()):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
        try:
            with stored(pieces):
                pass
        except NoRoom as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as said:
        return said.read()


def test_a_full_disk_is_told_in_words_and_leaves_no_draft(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert "no room left on the server" in told_of([b"x" * (ROOM + 1)])
    assert list((tmp_path / "files").iterdir()) == []


def test_a_file_that_there_is_room_for_is_stored():
    assert error_of_writing([b"x" * (ROOM - 1), b"x"]) == 0

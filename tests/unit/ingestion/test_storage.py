"""Originals on a disk that is full."""

import errno
import os
import resource
import signal
import tempfile

import pytest

from retrieval.ingestion.storage import _write

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


def test_a_file_that_there_is_room_for_is_stored():
    assert error_of_writing([b"x" * (ROOM - 1), b"x"]) == 0

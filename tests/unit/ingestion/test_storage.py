"""Originals on a disk that is full."""

import resource
import signal
import tempfile
from collections.abc import Iterator

import pytest

from retrieval.ingestion.storage import _write

ROOM = 8192


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files may not grow beyond ROOM bytes; what reaches over is written in part, as where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("pieces", [[b"x" * (ROOM + 1)], [b"x" * ROOM, b"x"]])
def test_a_file_that_there_is_no_room_for_is_not_stored_in_part(pieces):
    with pytest.raises(OSError, match="too large"), tempfile.TemporaryFile() as file:
        _write(file, pieces)

"""Originals, each stored once under the hash of its content: DATA_DIR/files/ab/<sha256>.

Storing and removing hold a lock on the hash in the database, so that a file is not removed while another
upload of the same content is about to refer to it."""

import contextlib
import errno
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from retrieval.errors import DocumentTooLarge, NoRoom
from retrieval.ingestion.blocks import megabytes
from retrieval.models import Document

logger = logging.getLogger(__name__)

_DRAFT = "draft-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM = "There is no room left on the server. Who runs it must make some."
_DRAFT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is in place: SHA-256 in hex and bytes."""

    content_hash: str
    size: int


def max_bytes() -> int:
    return int(settings.MAX_DOCUMENT_MB) * 2**20


def path_of(content_hash: str) -> Path:
    return _root() / content_hash[:2] / content_hash


def _root() -> Path:
    return Path(settings.DATA_DIR) / "files"


@contextlib.contextmanager
def stored(pieces: Iterable[bytes]) -> Iterator[Stored]:
    """Stores the pieces as one file; a document that refers to it must be saved within the context, which
    is one transaction. Raises DocumentTooLarge, NoRoom."""
    with room("a document's file"):
        _root().mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=_DRAFT, dir=_root())
    try:
        with room("a document's file"), os.fdopen(handle, "wb") as file:
            made = _write(file, pieces)
        with transaction.atomic():
            _lock(made.content_hash)
            path = path_of(made.content_hash)
            path.parent.mkdir(exist_ok=True)
            Path(draft).replace(path)
            yield made
    finally:
        Path(draft).unlink(missing_ok=True)


@contextlib.contextmanager
def room(what: str) -> Iterator[None]:
    """Around what is written to a disk. A full one is no bug: raises NoRoom, and logs for `what`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        logger.error("no room for %s: %s", what, error)
        raise NoRoom(_NO_ROOM) from error


def _write(to: BinaryIO, pieces: Iterable[bytes]) -> Stored:
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > max_bytes():
            raise DocumentTooLarge(f"The file is over the limit of {megabytes(max_bytes())}.")
        digest.update(piece)
        to.write(piece)  # all of it: on a full disk os.write() writes a part and says nothing
    to.flush()
    os.fsync(to.fileno())
    return Stored(digest.hexdigest(), size)


def remove_unused(content_hashes: Iterable[str]) -> int:
    """Removes those files that no document refers to any more; how many there were."""
    removed = 0
    for content_hash in sorted(set(filter(None, content_hashes))):
        with transaction.atomic():
            _lock(content_hash)
            refers = Q(content_hash=content_hash) | Q(published_hash=content_hash)
            if not Document.objects.filter(refers).exists():
                with contextlib.suppress(FileNotFoundError):
                    path_of(content_hash).unlink()
                    removed += 1
    return removed


def sweep() -> int:
    """Removes every file that nobody needs, and drafts left by processes that died; how many there were."""
    drafts = [path for path in _root().glob(f"{_DRAFT}*") if _age(path) > _DRAFT_SECONDS]
    for path in drafts:
        path.unlink(missing_ok=True)
    stored_hashes = {path.name for path in _root().glob("??/*")}
    used = set(Document.objects.values_list("content_hash", flat=True))
    used |= set(Document.objects.values_list("published_hash", flat=True))
    return len(drafts) + remove_unused(stored_hashes - used)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _lock(content_hash: str) -> None:
    """Until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(bytes.fromhex(content_hash)[:7], "big")]
        )

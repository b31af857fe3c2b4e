"""A document's way in: parse -> chunk -> embed -> publish in one transaction.

`index_document` may be called at any time, by any number of workers, any number of times. A lock in the
database lets one of them work on a document; it is also the sign of life by which the sweeper tells a slow
worker from a dead one. What is published is decided at the end, under the row's lock: newer content sends
the work back to its start, a deleted document leaves nothing behind."""

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone
from psycopg import Cursor

from retrieval.embeddings import Embedder, Vectors
from retrieval.embeddings.factory import configured
from retrieval.errors import DocumentError, EmbeddingRejected, RetrievalError
from retrieval.ingestion import progress, rows, sandbox, storage, vectors
from retrieval.ingestion.blocks import Limits, ParsedDocument
from retrieval.ingestion.chunking import Chunk, chunk, indexed_text
from retrieval.ingestion.rows import Job
from retrieval.lexical.source import CHANNEL
from retrieval.metrics import DOCUMENTS, INGEST_SECONDS
from retrieval.models import Document
from retrieval.vectors import publish

logger = logging.getLogger(__name__)

OnPublish = Callable[[Cursor, UUID, frozenset[str]], None]
on_publish: list[OnPublish] = []
"""Called in the transaction that publishes, moves or deletes a document, with the content hashes of the
chunks that are gone with it."""

_CHANGED = f"""
    WITH change AS (INSERT INTO retrieval_change (document_id) VALUES (%s))
    SELECT pg_notify('{CHANNEL}', '')
"""

MOST_ATTEMPTS = 3
POISONED = (
    "Reading the file has stopped the worker three times, so it is left alone. Save it anew and replace it."
)
_BEAT_SECONDS = 1.0
_Status = Document.Status


class DocumentBusy(RetrievalError):
    """Another worker is at this document."""


class _Superseded(Exception):
    """The document was replaced or deleted while it was worked on."""


def index_document(document_id: UUID, *, force: bool = False, embedder: Embedder | None = None) -> None:
    """Makes the document's newest content searchable, or marks it as failed with the reason. The embedder is that
    of the settings unless one is given.

    `force` does so for content that is published already (after a change of the chunking), vectors and all. Raises
    DocumentBusy when another worker is at it, and passing faults of the database or the embedder
    (EmbeddingError), after which the document is queued as before."""
    with _claimed(document_id):
        while True:
            job = _begin(document_id, force)
            if job is None:
                return
            try:
                _work(job, embedder or configured(), force)
            except _Superseded:
                continue
            except DocumentError as error:
                fail(job.id, job.content_hash, str(error))
            except EmbeddingRejected as error:
                fail(job.id, job.content_hash, f"The embedding model refuses the text: {error}")
            except BaseException as error:
                _give_back(job, queued=isinstance(error, Exception))
                raise
            return


def lock_key(document_id: UUID) -> int:
    return int.from_bytes(
        hashlib.blake2b(document_id.bytes, digest_size=8, person=b"document").digest(), "big", signed=True
    )


@contextlib.contextmanager
def _claimed(document_id: UUID) -> Iterator[None]:
    key = lock_key(document_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        if not cursor.fetchone()[0]:
            raise DocumentBusy(f"another worker is at document {document_id}")
    try:
        yield
    finally:
        # With a lost connection the lock is gone already.
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _begin(document_id: UUID, force: bool) -> Job | None:
    """Counts the attempt before anything dangerous is done; None when there is nothing to do."""
    job = rows.begin(document_id, force=force)
    if job is None:
        return None
    if job.attempts > MOST_ATTEMPTS:
        fail(job.id, job.content_hash, POISONED)
        return None
    progress.hint(job.id, job.collection_id, job.uploaded_by)
    return job


def _work(job: Job, embedder: Embedder, force: bool) -> None:
    with INGEST_SECONDS.labels("parse").time():
        parsed = sandbox.shared(_limits()).parse(storage.path_of(job.content_hash), job.name)
    title = parsed.title or PurePath(job.name).stem
    with INGEST_SECONDS.labels("chunk").time():
        chunks = chunk(parsed)
    _step(job, 20)
    with INGEST_SECONDS.labels("embed").time():
        texts = [indexed_text(title, c.heading, c.text) for c in chunks]
        first = vectors.first_places(texts)
        distinct = [texts[place] for place in first]
        made = _all_vectors(job, embedder, distinct, anew=force or not job.published_hash)
    with INGEST_SECONDS.labels("publish").time():
        _publish(job, parsed, title, chunks, first, embedder, made)
    DOCUMENTS.labels("ready").inc()


def _limits() -> Limits:
    return Limits(
        file_bytes=storage.max_bytes(),
        unpacked_bytes=max(100 * 2**20, 2 * storage.max_bytes()),
        ocr_languages=settings.OCR_LANGUAGES,
    )


def _all_vectors(job: Job, embedder: Embedder, texts: Sequence[str], *, anew: bool) -> Vectors:
    """The vectors of all texts; those that the document had before are taken as they are stored, unless all are to be
    made anew."""
    known = {} if anew else vectors.published(job.id, embedder, texts)
    made = _embed(job, embedder, [text for text in texts if text not in known])
    if not known:
        return made
    rest = iter(made)
    return np.stack([known[text] if text in known else next(rest) for text in texts])


def _embed(job: Job, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """The vectors of all texts, in batches of about equal work; says how far it is."""
    parts: list[Vectors] = []
    done, told = 0, time.monotonic()
    for batch in vectors.batches(texts):
        parts.append(embedder.embed_documents(batch))
        done += len(batch)
        if time.monotonic() - told > _BEAT_SECONDS:
            _step(job, 20 + 75 * done // len(texts))
            told = time.monotonic()
    return np.concatenate(parts) if parts else np.zeros((0, embedder.dimensions), dtype=np.float32)


def _step(job: Job, per_cent: int) -> None:
    """Says how far the work is. Raises _Superseded when it is no longer wanted."""
    if not rows.step(job, per_cent):
        raise _Superseded
    progress.hint(job.id, job.collection_id, job.uploaded_by, urgent=False)


def _publish(
    job: Job,
    parsed: ParsedDocument,
    title: str,
    chunks: Sequence[Chunk],
    first: Sequence[int],
    embedder: Embedder,
    made: Vectors,
) -> None:
    """`made` are the vectors of the chunks at the places `first`; the others repeat one of these."""
    with transaction.atomic():
        collection = rows.hold(job)
        if collection is None:
            raise _Superseded
        with connection.cursor() as wrapped:
            cursor = wrapped.cursor
            if job.published_hash:
                retire(cursor, job.id)
            else:
                note_change(cursor, job.id, frozenset())
            ids = [chunk_id(job.id, job.content_hash, c.ordinal) for c in chunks]
            _copy(cursor, job.id, collection, ids, chunks, frozenset(first))
            publish(
                cursor,
                model=embedder.name,
                dimensions=embedder.dimensions,
                collection_id=collection,
                chunks=[ids[place] for place in first],
                vectors=made,
            )
        rows.ready(job, parsed, title, len(chunks))
        transaction.on_commit(lambda: progress.hint(job.id, collection, job.uploaded_by))
        if job.published_hash not in {"", job.content_hash}:
            transaction.on_commit(lambda: _remove_files([job.published_hash]))


def chunk_id(document_id: UUID, content_hash: str, ordinal: int) -> int:
    key = f"{document_id}{content_hash}{ordinal}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") & (2**63 - 1)


def _copy(
    cursor: Cursor,
    document: UUID,
    collection: int,
    ids: Sequence[int],
    chunks: Sequence[Chunk],
    first: frozenset[int],
) -> None:
    columns = "id, document_id, collection_id, ordinal, heading, page, text, content_hash, repeated"
    with cursor.copy(f"COPY retrieval_chunk ({columns}) FROM STDIN") as copy:
        for at, (key, c) in enumerate(zip(ids, chunks, strict=True)):
            place = (key, document, collection, c.ordinal)
            copy.write_row((*place, c.heading, c.page, c.text, c.content_hash, at not in first))


def retire(cursor: Cursor, document_id: UUID) -> None:
    """Takes the document's chunks out of search, in the caller's transaction, and notes the change for the
    lexical index."""
    # The vectors go with their chunks, by a trigger.
    cursor.execute("DELETE FROM retrieval_chunk WHERE document_id = %s RETURNING content_hash", [document_id])
    note_change(cursor, document_id, frozenset(content_hash for (content_hash,) in cursor.fetchall()))


def note_change(cursor: Cursor, document_id: UUID, gone: frozenset[str]) -> None:
    cursor.execute(_CHANGED, [document_id])
    for hook in on_publish:
        hook(cursor, document_id, gone)


def fail(document_id: UUID, content_hash: str, reason: str) -> None:
    """Marks this content as failed, unless there is newer by now. What was published before stays
    searchable."""
    with transaction.atomic():
        document = (
            Document.objects.select_for_update().filter(pk=document_id, content_hash=content_hash).first()
        )
        if document is None:
            return
        document.status, document.reason, document.progress, document.attempts = _Status.FAILED, reason, 0, 0
        document.heartbeat_at = timezone.now()
        document.save(
            update_fields=["status", "reason", "progress", "attempts", "heartbeat_at", "changed_at"]
        )
        progress_after_commit(document)
    DOCUMENTS.labels("failed").inc()
    logger.info("document %s failed: %s", document_id, reason)


def _give_back(job: Job, *, queued: bool) -> None:
    """After a passing fault: this attempt has stopped no worker, so it does not count as one that did. A worker that
    was told to stop, as when its broker is gone, does not ask for the document again: that is left to the sweeper."""
    DOCUMENTS.labels("retried").inc()
    with contextlib.suppress(DatabaseError):  # it may itself be the fault; the sweeper will find the document
        rows.give_back(job, queued=queued)


def progress_after_commit(document: Document) -> None:
    key, collection, user = document.id, document.collection_id, document.uploaded_by_id
    transaction.on_commit(lambda: progress.hint(key, collection, user))


def _remove_files(content_hashes: Sequence[str]) -> None:
    storage.remove_unused(content_hashes)

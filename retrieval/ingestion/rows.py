"""A document's row while it is worked on. One statement a step, without the models: a library of many small files
has a handful of steps for every dozen chunks."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from retrieval.ingestion.blocks import ParsedDocument

# Of what is indexed or failed already there is nothing to do, unless it is forced.
_BEGIN = """
    UPDATE retrieval_document
    SET attempts = attempts + 1, status = 'parsing', progress = 1, heartbeat_at = now()
    WHERE id = %s AND status <> 'failed' AND (%s OR status <> 'ready' OR published_hash <> content_hash)
    RETURNING id, content_hash, published_hash, name, collection_id, uploaded_by_id, attempts
"""
# Not written through to the disk: all that a crash of Postgres could lose is how far the work was.
_STEP = """
    UPDATE retrieval_document SET status = 'embedding', progress = %s, heartbeat_at = now()
    WHERE id = %s AND content_hash = %s AND set_config('synchronous_commit', 'off', true) = 'off'
"""
_HOLD = "SELECT collection_id FROM retrieval_document WHERE id = %s AND content_hash = %s FOR UPDATE"
_READY = """
    UPDATE retrieval_document
    SET title = %s, published_hash = content_hash, published_name = name, media_type = %s, status = 'ready',
        progress = 100, reason = %s, attempts = 0, chunk_count = %s, page_count = %s,
        heartbeat_at = clock_timestamp(), ready_at = clock_timestamp(), changed_at = clock_timestamp()
    WHERE id = %s
"""
_GIVE_BACK = """
    UPDATE retrieval_document
    SET status = CASE WHEN %s THEN 'queued' ELSE status END, progress = 0, attempts = 0, heartbeat_at = now()
    WHERE id = %s AND content_hash = %s
"""


@dataclass(frozen=True, slots=True)
class Job:
    """The content that is worked on; `published_hash` is that of the content before it, or empty."""

    id: UUID
    content_hash: str
    published_hash: str
    name: str
    collection_id: int
    uploaded_by: int | None
    attempts: int


def begin(document_id: UUID, *, force: bool) -> Job | None:
    """Counts the attempt and says that it has begun. None when there is nothing to do."""
    row = _row(_BEGIN, [document_id, force])
    return Job(*row) if row else None


def step(job: Job, per_cent: int) -> bool:
    """Says how far the embedding is; whether this content is still wanted."""
    with connection.cursor() as cursor:
        cursor.execute(_STEP, [per_cent, job.id, job.content_hash])
        return bool(cursor.rowcount)


def hold(job: Job) -> int | None:
    """Keeps the row as it is until the transaction ends. The collection that the document is in by now; None where it
    is gone or has newer content."""
    row = _row(_HOLD, [job.id, job.content_hash])
    return row[0] if row else None


def ready(job: Job, parsed: ParsedDocument, title: str, chunks: int) -> None:
    """The job's content is what is searched, from the end of the transaction, in which the row is held."""
    reason = " ".join(parsed.warnings)
    with connection.cursor() as cursor:
        cursor.execute(_READY, [title[:400], parsed.media_type, reason, chunks, parsed.pages, job.id])


def give_back(job: Job, *, queued: bool) -> None:
    """As if this attempt had not been: `queued` where somebody asks for the document again; else the sweeper does."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, [queued, job.id, job.content_hash])


def _row(statement: str, values: list[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row

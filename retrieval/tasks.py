"""Celery's tasks: an id in, a call of `indexing`. They may run twice, late or never; the sweeper looks
after what was lost."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from celery import shared_task
from celery.exceptions import MaxRetriesExceededError
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, connection
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from retrieval import maintenance, reembedding
from retrieval.embeddings.factory import configured
from retrieval.errors import EmbeddingError, EmbeddingThrottled
from retrieval.ingestion import indexing, storage
from retrieval.maintenance import MaintenanceBusy
from retrieval.models import Document
from retrieval.outages import is_outage
from retrieval.waiting import waiting_documents

logger = logging.getLogger(__name__)

STALLED = timedelta(seconds=20)  # without a sign of life, if nobody holds the document's lock either
FORGOTTEN = timedelta(
    minutes=5
)  # in the queue, as far as the database knows, where that is too long to be read
_HANGS, _PAUSE = 1.0, 5.0  # seconds: a broker that takes longer to be away is left alone for so long
_BUSY_SECONDS = 3
_TURN_SECONDS = 30.0
_MOST_RETRIES = 8
_Status = Document.Status


@dataclass
class _Broker:
    """When one that hangs is asked again: who sends a hundred files must not wait for it a hundred times."""

    ask_from: float = -math.inf


_broker = _Broker()


def queue(document_id: UUID) -> None:
    """Asks a worker to index a document. Without a broker it stays queued until the sweeper asks again."""
    began = time.monotonic()
    if began < _broker.ask_from:
        return
    try:
        index.apply_async([str(document_id)], retry=False)
    except BrokerAway as error:
        now = time.monotonic()
        if now - began > _HANGS:
            _broker.ask_from = now + _PAUSE
        logger.warning("document %s waits for the queue to come back: %s", document_id, error)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=_MOST_RETRIES)  # type: ignore[untyped-decorator]
def index(self: Any, document_id: str) -> None:
    try:
        indexing.index_document(UUID(document_id))
    except indexing.DocumentBusy:
        # Not a failure: the other worker may have begun before the newest content came.
        raise self.retry(countdown=_BUSY_SECONDS, max_retries=None) from None
    except (EmbeddingError, DatabaseError, OSError) as error:
        logger.warning("document %s: %s, trying again later", document_id, error)
        _retry(self, document_id, error)


def _retry(task: Any, document_id: str, error: Exception) -> None:
    """1, 2, 4 … seconds later, or when the server says; in the end the document fails with the fault as
    reason."""
    stated = error.retry_after if isinstance(error, EmbeddingThrottled) else None
    wait = min(300.0, stated if stated is not None else 2.0**task.request.retries)
    try:
        raise task.retry(countdown=wait)
    except MaxRetriesExceededError:
        document = Document.objects.filter(pk=document_id).first()
        if document is not None:
            reason = "The embedding model could not be reached. Try again when it works."
            passing = isinstance(error, EmbeddingError)
            indexing.fail(
                document.pk, document.content_hash, reason if passing else f"It could not be stored: {error}"
            )


@contextmanager
def postgres_may_be_away() -> Iterator[None]:
    """Around what comes again on its schedule: then it is a line in the log, and no bug."""
    try:
        yield
    except (DatabaseError, InterfaceError, psycopg.OperationalError) as error:
        if not is_outage(error):
            raise
        logger.warning("not done now: %s", str(error).splitlines()[0])
        connection.close()


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def sweep() -> None:
    """Queues what stalled: its worker died, or the queue lost it."""
    for document_id in stalled():
        logger.info("document %s stalled and is queued again", document_id)
        Document.objects.filter(pk=document_id).update(heartbeat_at=timezone.now())
        queue(document_id)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def sweep_files() -> None:
    """Removes stored files that nobody needs."""
    removed = storage.sweep()
    if removed:
        logger.info("removed %d stored files that no document refers to", removed)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def complete_vectors() -> None:
    """Makes the vectors that the configured model lacks: all after a change of the model, else hardly any.
    It takes turns with the documents that wait."""
    began = time.monotonic()
    try:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as own:
            made = reembedding.complete(own, configured(), seconds=_TURN_SECONDS)
    except (EmbeddingError, MaintenanceBusy) as error:
        logger.info("vectors are not completed now: %s", error)
        return
    if made:
        logger.info("made %d vectors that were lacking", made)
    if made and time.monotonic() - began >= _TURN_SECONDS:
        complete_vectors.apply_async(retry=False)


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def tidy_vectors() -> None:
    """Gives collections that have grown an index of their own, and drops what nobody uses any more."""
    try:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as own:
            done = maintenance.tidy(own)
    except MaintenanceBusy:
        return
    logger.info("copies of collections: %d made, %d dropped", done.made, done.dropped)


def stalled() -> list[UUID]:
    """Documents under way that no worker is at. A sign of life from the future is none: the clock was set back."""
    now = timezone.now()
    silent = Document.objects.exclude(heartbeat_at__range=(now - STALLED, now + STALLED))
    found = Q(status__in=[_Status.PARSING, _Status.EMBEDDING])
    waiting = Q(status=_Status.QUEUED)
    if silent.filter(waiting).exists():
        known = _in_the_queue()
        recently = Q(heartbeat_at__range=(now - FORGOTTEN, now + FORGOTTEN))
        found |= waiting & ~(recently if known is None else Q(pk__in=known))
    ids = silent.filter(found).order_by("created_at").values_list("pk", flat=True)[:500]
    held = _locks_held()
    return [document_id for document_id in ids if indexing.lock_key(document_id) not in held]


def _in_the_queue() -> set[UUID] | None:
    """The documents that the queue knows of; None where it is too long to be read."""
    with index.app.connection_for_read() as broker:
        return waiting_documents(broker.default_channel, index.name, fresh=STALLED)


def _locks_held() -> set[int]:
    """The keys of the advisory locks that some connection holds."""
    with connection.cursor() as cursor:
        # A 64-bit key is shown in two halves, both unsigned.
        cursor.execute(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return {key for (key,) in cursor.fetchall()}

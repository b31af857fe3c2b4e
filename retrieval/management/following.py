"""Documents on their way in, as commands follow them: by the worker, or here where none runs."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from retrieval.errors import EmbeddingError
from retrieval.ingestion import indexing
from retrieval.models import Document

NICE = 10
"""To add files must not hold up who asks meanwhile."""

_POLL_SECONDS = 0.3
_ASKED = 20  # documents whose state is asked for at a time
_DONE = (Document.Status.READY, Document.Status.FAILED)

Advance = Callable[[int], None]
"""Hears of how many more are done."""


def worker_runs() -> bool:
    try:
        return bool(current_app.control.ping(timeout=1.0, limit=1))
    except (OperationalError, RedisError, OSError):
        return False


def index_here(documents: Sequence[UUID], advance: Advance) -> None:
    """With no worker to do it."""
    for document_id in documents:
        while True:
            try:
                indexing.index_document(document_id)
            except indexing.DocumentBusy:
                time.sleep(_POLL_SECONDS)
                continue
            except EmbeddingError as error:
                document = Document.objects.filter(pk=document_id).first()
                if document is not None:
                    indexing.fail(document.pk, document.content_hash, str(error))
            break
        advance(1)


def wait_for(documents: Sequence[UUID], advance: Advance) -> None:
    """Until the worker is done with them."""
    left = list(documents)
    while left:
        # About as they are taken in: to ask after all of a large library would cost what a question takes.
        asked, later = left[:_ASKED], left[_ASKED:]
        under_way = set(
            Document.objects.filter(pk__in=asked).exclude(status__in=_DONE).values_list("pk", flat=True)
        )
        advance(len(asked) - len(under_way))
        left = [document_id for document_id in asked if document_id in under_way] + later
        if under_way:
            time.sleep(_POLL_SECONDS)


def failed(documents: Sequence[UUID]) -> list[tuple[str, str]]:
    """Names and reasons of those that have failed by now."""
    found = Document.objects.filter(pk__in=documents, status=Document.Status.FAILED).order_by("name")
    return list(found.values_list("name", "reason"))

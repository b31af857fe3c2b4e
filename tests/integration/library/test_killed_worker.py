"""A real Celery worker, killed outright in the midst of a document; another one finishes it."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import DEVNULL

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from answering.upstream import SimulatedUpstream
from answering.upstream.replies import hashed
from qa_site.up import worker_job
from retrieval import library, tasks
from retrieval.ingestion import indexing
from retrieval.lexical.source import CHANNEL
from retrieval.models import Chunk, Collection, Document

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
PARTS = 20
PATIENCE = 60.0


class Model:
    """Embeds when it may; until then whoever asks is held in the midst of their work."""

    def __init__(self) -> None:
        self.asked, self.may = threading.Event(), threading.Event()

    def __call__(self, texts):
        self.asked.set()
        assert self.may.wait(PATIENCE)
        return hashed(texts, 384)


@contextmanager
def worker(upstream: SimulatedUpstream) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "EMBEDDING_BASE_URL": upstream.base_url, "EMBEDDING_DIMENSIONS": "384"}
    process = subprocess.Popen(
        worker_job().command, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def a_document() -> Document:
    parts = [f"## Part {n}\n\n" + f"Rule {n} is told in so many words. " * 40 for n in range(PARTS)]
    people = Collection.objects.create(slug="people", name="People")
    return library.add(None, people, "rules.md", ["\n\n".join(["# Rules", *parts]).encode()])


def left_alone(document: Document) -> tuple[str, int]:
    """How the document is once nobody is at it any more: a lock in the database is held by whoever is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [indexing.lock_key(document.pk)])
        cursor.execute("SELECT pg_advisory_unlock(%s)", [indexing.lock_key(document.pk)])
    return Document.objects.get(pk=document.pk).status, Chunk.objects.filter(document=document).count()


def swept(document: Document) -> None:
    """What beat does, when the sign of life is old."""
    Document.objects.filter(pk=document.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    tasks.sweep()


def published(document: Document) -> tuple[str, list[int], int, int]:
    """The status, the chunks' places, how many vectors they have, and how often the document was published."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM retrieval_embedding e JOIN retrieval_chunk c ON c.id = e.chunk_id"
            " WHERE c.document_id = %(id)s), (SELECT count(*) FROM retrieval_change WHERE document_id = %(id)s)",
            {"id": document.pk},
        )
        vectors, changes = cursor.fetchone()
    places = Chunk.objects.filter(document=document).order_by("ordinal").values_list("ordinal", flat=True)
    return Document.objects.get(pk=document.pk).status, list(places), vectors, changes


async def test_a_document_whose_worker_is_killed_is_finished_by_another(transactional_db, database_url):
    orm, model = sync_to_async, Model()
    document = await orm(a_document)()
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        async with SimulatedUpstream(vectoriser=model) as upstream:
            with worker(upstream) as first:
                assert await asyncio.to_thread(model.asked.wait, PATIENCE)
                os.kill(first.pid, signal.SIGKILL)
                assert await asyncio.to_thread(first.wait) == -signal.SIGKILL
            assert await orm(left_alone)(document) == ("embedding", 0)
            model.may.set()
            await orm(swept)(document)
            with worker(upstream):
                told = await asyncio.to_thread(list, listener.notifies(timeout=PATIENCE, stop_after=1))
    assert told
    status, places, vectors, changes = await orm(published)(document)
    assert (status, changes) == ("ready", 1)
    assert places == list(range(len(places)))
    assert len(places) == vectors > PARTS / 4

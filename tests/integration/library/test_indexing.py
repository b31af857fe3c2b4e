"""A document's way in, against a real Postgres, with the real parser process and the bundled model."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from retrieval import library, reembedding, tasks
from retrieval.errors import EmbeddingThrottled
from retrieval.ingestion import indexing, storage
from retrieval.models import Chunk, Document
from retrieval.partitions import find_model
from retrieval.waiting import MOST_READ
from tests.integration.library.conftest import FakeEmbedder

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = "# Leave\n\nYou get 25 days of annual leave.\n"
SECOND = "# Leave\n\nYou get 30 days of annual leave.\n"


def texts(document: Document) -> list[str]:
    return list(Chunk.objects.filter(document=document).values_list("text", flat=True))


def rows(sql: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def vectors_of(document: Document) -> int:
    sql = "SELECT count(*) FROM retrieval_embedding WHERE chunk_id = ANY(%s)"
    ids = [key for (key,) in rows("SELECT id FROM retrieval_chunk WHERE document_id = %s", document.pk)]
    return rows(sql, ids)[0][0]


def every_vector() -> int:
    return rows("SELECT count(*) FROM retrieval_embedding")[0][0]


def changes(document: Document) -> int:
    return rows("SELECT count(*) FROM retrieval_change WHERE document_id = %s", document.pk)[0][0]


class Interrupting(FakeEmbedder):
    """An embedder that, when it is first asked, lets something else happen."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action

    def embed_documents(self, texts):
        action, self.action = self.action, lambda: None
        action()
        return super().embed_documents(texts)


def index(document: Document, *, meanwhile: Callable[[], None]) -> None:
    """Indexes the document; when its chunks are about to be embedded, something else happens."""
    indexing.index_document(document.pk, embedder=Interrupting(meanwhile))


def elsewhere(action: Callable[[], object]) -> None:
    """Runs the action in a thread of its own, with a connection of its own, to its end."""

    def work() -> None:
        try:
            action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def test_a_document_becomes_ready_with_chunks_vectors_and_a_change(add):
    document = add(FIRST, index=False)
    indexing.index_document(document.pk)  # with the bundled model
    document.refresh_from_db()
    assert (document.status, document.progress, document.title) == ("ready", 100, "Leave")
    assert document.published_hash == document.content_hash
    assert texts(document) == ["You get 25 days of annual leave."]
    assert vectors_of(document) == 1
    assert changes(document) == 1


def test_indexing_twice_changes_nothing(add):
    document = add(FIRST)
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert changes(document) == 1


def test_indexing_by_force_publishes_again(add):
    document = add(FIRST)
    indexing.index_document(document.pk, force=True, embedder=FakeEmbedder())
    assert changes(document) == 2
    assert texts(document) == ["You get 25 days of annual leave."]


def test_a_replaced_document_is_searchable_as_before_until_the_new_is_ready(add):
    document = add(FIRST)
    library.replace(document, "a.md", [SECOND.encode()])
    assert texts(document) == ["You get 25 days of annual leave."]
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert texts(document) == ["You get 30 days of annual leave."]
    assert every_vector() == 1


def test_a_replacement_that_fails_leaves_the_old_text_searchable(add):
    document = add(FIRST)
    library.replace(document, "a.md", [b"   "])
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    document.refresh_from_db()
    assert (document.status, document.reason) == ("failed", "The file is empty.")
    assert texts(document) == ["You get 25 days of annual leave."]


def test_content_that_comes_while_the_old_is_worked_on_wins(add):
    document = add(FIRST, index=False)
    index(document, meanwhile=lambda: elsewhere(lambda: library.replace(document, "a.md", [SECOND.encode()])))
    document.refresh_from_db()
    assert document.status == "ready"
    assert texts(document) == ["You get 30 days of annual leave."]


def test_a_document_deleted_while_it_is_worked_on_leaves_nothing(add, original):
    document = add(FIRST, index=False)
    index(document, meanwhile=lambda: elsewhere(lambda: library.remove(document.pk)))
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert every_vector() == 0
    assert not original(document.content_hash).exists()


def test_a_document_moved_while_it_is_worked_on_lands_in_the_new_collection(add, board):
    document = add(FIRST, index=False)
    index(document, meanwhile=lambda: elsewhere(lambda: library.move(document, board)))
    assert set(Chunk.objects.values_list("collection__slug", flat=True)) == {"board"}
    assert rows("SELECT DISTINCT collection_id FROM retrieval_embedding") == [(board.pk,)]


def test_two_workers_do_not_work_on_one_document(add):
    document = add(FIRST, index=False)

    def second() -> None:
        with pytest.raises(indexing.DocumentBusy):
            indexing.index_document(document.pk, embedder=FakeEmbedder())

    index(document, meanwhile=lambda: elsewhere(second))
    assert changes(document) == 1


def test_moving_takes_chunks_and_vectors_along(add, board):
    document = add(FIRST)
    library.move(document, board)
    assert Chunk.objects.get().collection == board
    assert rows("SELECT collection_id FROM retrieval_embedding") == [(board.pk,)]
    assert changes(document) == 2


def test_deleting_leaves_a_change_and_no_file(add, original):
    document = add(FIRST)
    library.remove(document.pk)
    assert changes(document) == 2
    assert every_vector() == 0
    assert not original(document.content_hash).exists()


def test_deleting_a_collection_deletes_its_documents_from_search(add, people):
    document = add(FIRST)
    people.delete()
    assert changes(document) == 2
    assert every_vector() == 0


def test_hooks_are_told_which_chunks_are_gone(add):
    told: list[tuple[object, frozenset[str]]] = []

    def hook(cursor: psycopg.Cursor, document_id: object, gone: frozenset[str]) -> None:
        told.append((document_id, gone))

    indexing.on_publish.append(hook)
    try:
        document = add(FIRST)
        before = frozenset(Chunk.objects.values_list("content_hash", flat=True))
        library.replace(document, "a.md", [SECOND.encode()])
        indexing.index_document(document.pk, embedder=FakeEmbedder())
    finally:
        indexing.on_publish.remove(hook)
    assert told == [(document.pk, frozenset()), (document.pk, before)]


def test_the_same_content_is_stored_once(add, people, board, original):
    first, second = add(FIRST, index=False), add(FIRST, to=board, index=False)
    assert first.content_hash == second.content_hash
    library.remove(first.pk)
    assert original(second.content_hash).read_text() == FIRST
    library.remove(second.pk)
    assert not original(second.content_hash).exists()


def test_the_same_file_added_again_is_the_same_document(add):
    assert add(FIRST).pk == add(FIRST).pk


def test_a_failed_file_added_again_is_tried_again(add):
    document = add("  ")
    assert document.status == "failed"
    again = add("  ", index=False)
    assert (again.pk, again.status, again.reason) == (document.pk, "queued", "")


def test_a_passing_fault_leaves_the_document_queued(add):
    def throttle() -> None:
        raise EmbeddingThrottled("slow down", retry_after=1.0)

    document = add(FIRST, index=False)
    with pytest.raises(EmbeddingThrottled):
        index(document, meanwhile=throttle)
    document.refresh_from_db()
    assert (document.status, document.attempts) == ("queued", 0)
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    assert texts(document) == ["You get 25 days of annual leave."]


def test_a_text_that_repeats_itself_has_each_vector_once(add):
    document = add("# Leave\n\n" + "Each year has twenty-five days of it. " * 2000)
    with connection.cursor() as wrapped:
        model = find_model(wrapped.cursor, FakeEmbedder.name, FakeEmbedder.dimensions)
        lacking = reembedding.lacking(wrapped.cursor, model)
    assert len(texts(document)) == document.chunk_count > 10
    assert (vectors_of(document), lacking) == (len(set(texts(document))), 0)
    assert vectors_of(document) < 4


def test_a_file_that_stopped_the_worker_three_times_fails(add):
    document = add(FIRST, index=False)
    Document.objects.filter(pk=document.pk).update(status="parsing", attempts=3)
    indexing.index_document(document.pk, embedder=FakeEmbedder())
    document.refresh_from_db()
    assert document.status == "failed"
    assert "stopped the worker three times" in document.reason


def stall(document: Document, **ago: float) -> None:
    Document.objects.filter(pk=document.pk).update(heartbeat_at=timezone.now() - timedelta(**ago))


@pytest.fixture
def broker():
    with tasks.index.app.connection_for_write() as connected:
        channel = connected.default_channel
        keys = settings.CELERY_TASK_DEFAULT_QUEUE, channel.unacked_key, channel.unacked_index_key
        channel.client.delete(*keys)
        yield channel
        channel.client.delete(*keys)


def taken(broker, *, seconds_ago: float) -> dict[str, Any]:
    """The oldest message of the queue, which a worker has taken since and has not said that it is done."""
    message = json.loads(broker.client.rpop(settings.CELERY_TASK_DEFAULT_QUEUE))
    keep(broker, message, time.time() - seconds_ago)
    return message


def keep(broker, message: dict[str, Any], at: float) -> None:
    tag = message["properties"]["delivery_tag"]
    broker.client.hset(broker.unacked_key, tag, json.dumps([message, "", "citefirst"]))
    broker.client.zadd(broker.unacked_index_key, {tag: at})


def test_a_document_whose_worker_died_is_found_stalled(add):
    document = add(FIRST, index=False)
    Document.objects.filter(pk=document.pk).update(status="embedding")
    assert tasks.stalled() == []
    stall(document, seconds=30)
    assert tasks.stalled() == [document.pk]


@pytest.mark.parametrize("status", ["queued", "embedding"])
def test_a_document_is_found_stalled_also_after_the_clock_was_set_back(add, broker, status):
    document = add(FIRST, index=False)
    taken(broker, seconds_ago=-3600)
    Document.objects.filter(pk=document.pk).update(status=status)
    stall(document, hours=-1)
    assert tasks.stalled() == [document.pk]


def test_a_document_whose_worker_was_told_to_stop_is_found_stalled(add):
    def stop() -> None:
        raise SystemExit

    document = add(FIRST, index=False)
    with pytest.raises(SystemExit):
        index(document, meanwhile=stop)
    stall(document, seconds=30)
    document.refresh_from_db()
    assert (document.attempts, tasks.stalled()) == (0, [document.pk])


def test_a_slow_worker_is_not_taken_for_a_dead_one(add):
    document = add(FIRST, index=False)
    seen: list[object] = []

    def look() -> None:
        stall(document, seconds=300)
        seen.append(tasks.stalled())

    index(document, meanwhile=lambda: elsewhere(look))
    assert seen == [[]]


def test_a_document_that_the_queue_lost_is_found_at_once(add, broker):
    documents = [add(f"# Leave {n}", name=f"{n}.md", index=False) for n in range(3)]
    for document in documents:
        stall(document, seconds=30)
    assert tasks.stalled() == []
    broker.client.rpop(settings.CELERY_TASK_DEFAULT_QUEUE)
    assert tasks.stalled() == [documents[0].pk]
    stall(documents[0], seconds=10)
    assert tasks.stalled() == []


def test_a_document_that_waited_with_a_worker_that_was_killed_is_found_at_once(add, broker):
    document = add(FIRST, index=False)
    stall(document, seconds=30)
    message = taken(broker, seconds_ago=5)
    assert tasks.stalled() == []
    keep(broker, message, time.time() - 30)
    assert tasks.stalled() == [document.pk]


def test_a_document_that_a_worker_keeps_for_later_is_not_lost(add, broker):
    document = add(FIRST, index=False)
    stall(document, seconds=30)
    message = taken(broker, seconds_ago=30)
    for minutes, lost in ((1, []), (-1, [document.pk]), (60, [document.pk])):
        message["headers"]["eta"] = (timezone.now() + timedelta(minutes=minutes)).isoformat()
        keep(broker, message, time.time() - 30)
        assert tasks.stalled() == lost


def test_a_queue_that_is_too_long_to_be_read_has_lost_what_waits_for_minutes(add, broker):
    document = add(FIRST, index=False)
    broker.client.lpush(settings.CELERY_TASK_DEFAULT_QUEUE, *["another"] * MOST_READ)
    stall(document, minutes=4)
    assert tasks.stalled() == []
    stall(document, minutes=6)
    assert tasks.stalled() == [document.pk]


def test_the_sweeper_removes_files_that_nobody_needs(add, original):
    document = add(FIRST, index=False)
    storage.sweep()
    orphan = original("ab" * 32)
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_text("left by a process that died")
    assert storage.sweep() == 1
    assert not orphan.exists()
    assert original(document.content_hash).exists()


def test_whether_a_file_is_needed_is_asked_of_indexes(people):
    """For each document that is deleted or replaced, however many there are."""
    with CaptureQueriesContext(connection) as captured:
        storage.remove_unused(["ab" * 32])
    (asked,) = (each["sql"] for each in captured if "retrieval_document" in each["sql"])
    with transaction.atomic():
        for scan in ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan"):  # bitmaps are left
            rows(f"SELECT set_config('{scan}', 'off', true)")
        plan = "\n".join(line for (line,) in rows(f"EXPLAIN {asked}"))
    assert "document_content" in plan
    assert "document_published" in plan


def test_a_file_over_the_limit_is_not_stored(people, settings):
    settings.MAX_DOCUMENT_MB = 1
    with pytest.raises(indexing.DocumentError, match=r"over the limit of 1\.0 MB"):
        library.add(None, people, "a.txt", [b"x" * 2**19] * 3)
    assert not Document.objects.exists()
    assert not list((settings.DATA_DIR / "files").glob("draft-*"))

"""The newest documents are found by index, within the asker's scope alone."""

import asyncio
import uuid

import pytest
from django.utils import timezone

from answering.intent import IntentClassifier
from answering.prefetch import EACH, Extras, Prefetch
from answering.resilience.deadline import Deadline
from answering.stages import Question, Run
from answering.store import History
from retrieval.access import AccessScope
from retrieval.database import make_pool
from retrieval.models import Chunk, Collection, Document
from retrieval.passages import Hit, Ranking
from tests.fake_parts import CONVERSATION, RUN


class Finds:
    def __init__(self, chunks):
        self.ranking = Ranking("lexical", tuple(Hit(chunk, 1.0) for chunk in chunks))

    async def search(self, query, scope, k, *, asked=True):
        return self.ranking


@pytest.fixture
def library(transactional_db):
    """Two collections of six documents each; document i is i hours old. Returns the first chunk of each."""
    made = {}
    for slug in ("ours", "theirs"):
        collection = Collection.objects.create(slug=slug, name=slug)
        made[slug] = collection.pk, []
        for hours in range(6):
            ready = timezone.now() - timezone.timedelta(hours=hours)
            document = Document.objects.create(
                collection=collection, name="a", status="ready", ready_at=ready
            )
            for place in (0, 1):
                chunk = Chunk.objects.create(
                    id=uuid.uuid4().int >> 66,
                    document=document,
                    collection=collection,
                    ordinal=place,
                    text="x",
                )
                if place == 0:
                    made[slug][1].append(chunk.pk)
    return made


async def newest(database_url, collections, found=(), text="What's new?"):
    pool = make_pool(database_url, min_size=1, max_size=1)
    await pool.open()
    loop = asyncio.get_running_loop()
    question = Question(RUN, 1, text, CONVERSATION, AccessScope(frozenset(collections)))
    run = Run(question, Deadline.after(20, loop.time), lambda event: None, loop.time)

    async def past():
        return History()

    try:
        await pool.wait()
        prefetch = Prefetch(Finds(found), pool, IntentClassifier(), on_result=lambda *row: None)
        extra = Extras()
        await prefetch.gather(run, asyncio.create_task(past()), extra)
        return extra.kinds.get("recent", ())
    finally:
        await pool.close()


async def test_without_a_subject_the_newest_documents_of_the_scope_come(library, database_url):
    pk, chunks = library["ours"]
    assert await newest(database_url, [pk]) == tuple(chunks[:EACH])


async def test_over_several_collections_the_newest_of_all_come(library, database_url):
    (ours, our_chunks), (theirs, their_chunks) = library["ours"], library["theirs"]
    assert set(await newest(database_url, [ours, theirs])) == {*our_chunks[:2], *their_chunks[:2]}


async def test_with_a_subject_the_newest_of_what_was_found_come(library, database_url):
    pk, chunks = library["ours"]
    assert await newest(database_url, [pk], found=(chunks[5], chunks[2])) == (chunks[2], chunks[5])


async def test_what_was_found_outside_the_scope_does_not_come(library, database_url):
    (ours, chunks), (_, foreign) = library["ours"], library["theirs"]
    assert await newest(database_url, [ours], found=(foreign[0], chunks[3])) == (chunks[3],)


async def test_an_empty_scope_has_nothing_new(library, database_url):
    assert await newest(database_url, []) == ()

"""A cached answer is served only where it is still right for the one who asks."""

import asyncio
import hashlib
import uuid
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from answering.caches.answer import AnswerCache, on_publish
from answering.models import CachedAnswer, Conversation, Profile, Run
from answering.stages import Question
from retrieval import passages
from retrieval.access import AccessScope
from retrieval.database import make_pool
from retrieval.models import Chunk, Collection, Document
from retrieval.passages import Hit, Ranking

ASKED = "How many days of annual leave do I get?"
LEAVE = "Everybody gets 28 days of annual leave a year."


class World:
    """A readable document of two chunks, two users, and the cache under test."""

    def __init__(self):
        self.owner = User.objects.create_user("owner")
        self.teammate = User.objects.create_user("teammate")
        self.collection = Collection.objects.create(slug="hr", name="HR")
        self.document = self.add_document(LEAVE, "The year starts in January.", age=3600)
        self.scope = AccessScope(frozenset({self.collection.pk}))
        self.told = []

    def add_document(self, *texts, age=0.0):
        ready = timezone.now() - timezone.timedelta(seconds=age)
        document = Document.objects.create(
            collection=self.collection, name="a.md", title="Leave", status="ready", ready_at=ready
        )
        Document.objects.filter(pk=document.pk).update(changed_at=ready)  # which saving sets to now
        for place, text in enumerate(texts):
            Chunk.objects.create(
                id=uuid.uuid4().int >> 66,
                document=document,
                collection=self.collection,
                ordinal=place,
                text=text,
                content_hash=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            )
        return document

    @property
    def chunks(self):
        return tuple(
            Chunk.objects.filter(document=self.document).order_by("ordinal").values_list("id", flat=True)
        )

    def question(self, text=ASKED, user=None, conversation=None):
        user = user or self.teammate
        conversation = conversation or Conversation.objects.create(user=user, title="t")
        run = Run.objects.create(user=user, conversation=conversation, question=text)
        return Question(str(run.pk), user.pk, text, str(conversation.pk), self.scope)

    async def __aenter__(self):
        self.pool = make_pool(self.database_url, min_size=1, max_size=2)
        await self.pool.open()
        self.cache = AnswerCache(
            self.pool, model="m", on_result=lambda *row: self.told.append(row), timeout=5
        )
        return self

    async def __aexit__(self, *failure):
        await self.cache.aclose()
        await self.pool.close()

    async def remember(self, question, cited=(1,), text="You get 28 days [1]."):
        known = await passages.load(self.pool, self.kept, self.scope, timeout=5)
        numbered = tuple((n, known[chunk]) for n, chunk in enumerate(self.kept, 1))
        reply = SimpleNamespace(text=text, passages=numbered, cited=list(cited), provisional=False)
        self.cache.remember(question, reply)
        await self.cache.aclose()

    async def find(self, question, words=None):
        ranking = Ranking("lexical", tuple(Hit(c, 1.0) for c in (self.kept if words is None else words)))
        return await self.cache.find(question, asyncio.create_task(_given(ranking)))


async def _given(value):
    return value


async def orm(work, *args, **options):
    """The ORM in a thread of its own, whose connection is closed behind it."""

    def call():
        try:
            return work(*args, **options)
        finally:
            connection.close()

    return await asyncio.to_thread(call)


@pytest.fixture
def world(transactional_db, database_url):
    made = World()
    made.database_url = database_url
    made.kept = made.chunks
    made.first = made.question(user=made.owner)
    return made


async def test_the_same_question_is_answered_with_its_passages(world):
    again = await orm(world.question)
    async with world:
        await world.remember(world.first)
        hit = await world.find(again)
    assert (hit.text, hit.match, hit.cited) == ("You get 28 days [1].", "exact", (1,))
    n, passage = hit.passages[0]
    assert (n, passage.chunk, passage.text) == (1, world.kept[0], LEAVE)
    assert world.told == [("answer", "hit")]


async def test_a_politer_wording_is_the_same_question(world):
    polite = await orm(world.question, "Hi, could you tell me how many days of annual leave do I get?")
    async with world:
        await world.remember(world.first)
        assert (await world.find(polite)).match == "same"


async def test_another_question_is_a_miss(world):
    other = await orm(world.question, "How many days of sick leave do I get?")
    async with world:
        await world.remember(world.first)
        assert await world.find(other) is None
    assert world.told == [("answer", "miss")]


async def test_a_reader_of_other_collections_gets_nothing(world):
    stranger = await orm(world.question)
    object.__setattr__(stranger, "scope", AccessScope(frozenset({world.collection.pk + 1})))
    async with world:
        await world.remember(world.first)
        assert await world.find(stranger) is None
    assert world.told == [("answer", "miss")]


async def test_a_changed_passage_makes_the_answer_stale(world):
    again = await orm(world.question)
    async with world:
        await world.remember(world.first)
        changed = Chunk.objects.filter(pk=world.kept[1])
        await orm(changed.update, content_hash="another")
        assert await world.find(again) is None
    assert world.told == [("answer", "stale")]


async def test_a_passage_moved_out_of_reach_makes_the_answer_stale(world):
    again = await orm(world.question)
    elsewhere = await orm(Collection.objects.create, slug="secret", name="Secret")
    async with world:
        await world.remember(world.first)
        await orm(Chunk.objects.filter(pk=world.kept[0]).update, collection=elsewhere)
        assert await world.find(again) is None
    assert world.told == [("answer", "stale")]


async def test_a_search_that_no_longer_finds_what_is_cited_makes_it_stale(world):
    again = await orm(world.question)
    async with world:
        await world.remember(world.first)
        assert await world.find(again, words=(world.kept[1],)) is None
    assert world.told == [("answer", "stale")]


async def test_a_newer_document_among_the_first_found_makes_it_stale(world):
    again = await orm(world.question)
    newer = await orm(world.add_document, "From now on everybody gets 30 days of annual leave.")
    chunk = await orm(lambda: Chunk.objects.get(document=newer).pk)
    async with world:
        await world.remember(world.first)
        assert await world.find(again, words=(chunk, *world.kept)) is None
        assert await world.find(again, words=(*world.kept,)) is not None


async def test_without_a_lexical_ranking_only_the_very_same_text_is_answered(world):
    exact = await orm(world.question)
    polite = await orm(world.question, "Please, how many days of annual leave do I get?")
    async with world:
        await world.remember(world.first)
        assert await world.cache.find(exact, asyncio.create_task(_given(None))) is not None
        assert await world.cache.find(polite, asyncio.create_task(_given(None))) is None


async def test_a_question_with_earlier_turns_is_neither_kept_nor_answered(world):
    conversation = await orm(Conversation.objects.get, user=world.owner)
    later = await orm(world.question, ASKED, world.owner, conversation)
    async with world:
        await world.remember(later)
        assert await orm(CachedAnswer.objects.count) == 0
        again = await orm(world.question)
        await world.remember(again)
        assert await world.find(later) is None


async def test_who_says_something_of_themselves_gets_their_own_answer(world):
    def nurse():
        Profile.objects.create(user=world.teammate, role="Nurse")
        return world.question()

    again = await orm(nurse)
    async with world:
        await world.remember(world.first)
        assert await world.find(again) is None
        await world.remember(again, text="As a nurse you get 30 days [1].")
        assert (await world.find(again)).text == "As a nurse you get 30 days [1]."


async def test_an_answer_without_sources_is_not_kept(world):
    async with world:
        await world.remember(world.first, cited=())
    assert await orm(CachedAnswer.objects.count) == 0


async def test_ingestion_drops_in_its_own_transaction_what_rests_on_a_document(world):
    async with world:
        await world.remember(world.first)

    def change(fail):
        with transaction.atomic(), connection.cursor() as cursor:
            on_publish(cursor, world.document.pk, frozenset())
            if fail:
                transaction.set_rollback(True)
        return CachedAnswer.objects.count()

    assert await orm(change, True) == 1
    assert await orm(change, False) == 0


async def test_a_similar_question_is_found_and_says_that_it_is_only_similar(world):
    similar = await orm(world.question, "How many annual leave days can employees get?")
    async with world:
        await world.remember(world.first)
        assert await world.find(similar) is None
        found = await world.cache.similar(similar)
    assert (found.text, found.match) == ("You get 28 days [1].", "similar")


@pytest.mark.parametrize(
    "text",
    [
        "How many days of annual leave do I not get?",
        "How many days of annual leave do I get in 2025?",
        "How many days of parental leave do I get?",
        "What is the mileage rate?",
    ],
)
async def test_a_question_that_differs_in_what_decides_is_not_similar(world, text):
    other = await orm(world.question, text)
    async with world:
        await world.remember(world.first)
        assert await world.cache.similar(other) is None


async def test_the_number_of_entries_is_bounded(world):
    questions = [await orm(world.question, f"What is form number {i}?") for i in range(5)]
    async with world:
        world.cache = AnswerCache(world.pool, model="m", on_result=lambda *row: None, most=2)
        for question in questions:
            await world.remember(question)
        world.cache = AnswerCache(world.pool, model="m", on_result=lambda *row: None, most=2)
        await world.remember(world.first)
    assert await orm(CachedAnswer.objects.count) == 2


async def test_without_postgres_it_is_a_miss(world):
    again = await orm(world.question)
    async with world:
        await world.pool.close()
        assert await world.find(again) is None
        world.cache.remember(again, SimpleNamespace(text="x [1]", passages=(), cited=[1], provisional=False))
    assert world.told == [("answer", "error")]


async def test_the_table_holds_no_word_of_the_question(world):
    secret = await orm(world.question, "May I tell Zebediah of the merger?")
    async with world:
        await world.remember(secret)
    kept = await orm(lambda: list(CachedAnswer.objects.values_list()))
    assert len(kept) == 1
    assert "ebediah" not in repr(kept)

"""A question right behind an answer knows that answer, though it is not stored yet."""

import uuid
from dataclasses import replace

import psycopg
import pytest

from answering.stages import Question
from retrieval.access import NOTHING, AccessScope
from tests.integration.asking import LEAVE, QUESTION, a_model, an_ask, frames_of, make_cast, of, process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db):
    made = make_cast()
    made.add(made.handbook, "leave.md", LEAVE)
    return made


async def test_an_answer_on_its_way_into_the_store_is_told_to_who_may_read_it(
    cast, settings, tmp_path, database_url
):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
        await psycopg.AsyncConnection.connect(database_url) as holding,
    ):
        ask = an_ask(cast.member, QUESTION)
        async for frame in await built.runs.ask(ask):
            if frame["type"] == "accepted":  # its end cannot be stored as long as this lasts
                await holding.execute("SELECT id FROM answering_run WHERE id = %s FOR UPDATE", [ask.run])
                conversation = frame["conversation"]
        scope = AccessScope(frozenset({cast.handbook.pk}))
        following = Question(str(uuid.uuid4()), cast.member.pk, "Why?", conversation, scope)
        told = [
            [turn.question for turn in (await built.store.history(one)).turns]
            for one in (
                following,
                replace(following, scope=NOTHING),
                replace(following, user=cast.director.pk),
            )
        ]
        await holding.rollback()
        await built.runs.settled(ask.run)
        stored = await built.store.history(following)
    assert told == [[QUESTION], [], []]
    assert [turn.question for turn in stored.turns] == [QUESTION]


async def test_a_question_that_goes_on_is_answered_from_what_came_before(cast, settings, tmp_path):
    asked = "And what about unused ones?"
    async with process(settings, tmp_path) as built:
        first = await frames_of(built, an_ask(cast.member, QUESTION))
        alone = await frames_of(built, an_ask(cast.member, asked))
        goes_on = await frames_of(built, an_ask(cast.member, asked, conversation=first[0]["conversation"]))
        asker = await built.store.questions(first[0]["conversation"], cast.member.pk)
        other = await built.store.questions(first[0]["conversation"], cast.director.pk)
    assert alone[-1]["finish"] == "refused"
    assert goes_on[-1]["finish"] == "extractive"
    assert (asker, other) == ((QUESTION, asked), ())
    assert [passage["title"] for passage in of(goes_on, "citations")[-1]["passages"]][:1] == ["Annual leave"]

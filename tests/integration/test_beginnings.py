"""The first moment of a question: whose conversation it is, and whether its asker is still there."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from answering.models import Conversation, Run
from tests.integration.asking import an_ask, frames_of, make_cast, process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db):
    return make_cast()


async def test_two_questions_that_open_one_conversation_at_once_are_both_answered(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        for _ in range(10):
            conversation = str(uuid.uuid4())
            asks = [an_ask(cast.member, conversation=conversation) for _ in range(3)]
            told = await asyncio.gather(*(frames_of(built, ask) for ask in asks))
            assert [frames[0]["conversation"] for frames in told] == [conversation] * 3


async def test_after_the_clock_was_set_back_questions_stand_in_the_order_in_which_they_came(
    cast, settings, tmp_path
):
    async with process(settings, tmp_path) as built:
        first = an_ask(cast.member)
        told = await frames_of(built, first)
        await Run.objects.filter(pk=first.run).aupdate(created_at=timezone.now() + timedelta(hours=1))
        second = an_ask(cast.member, "And how many may I carry over?", conversation=told[0]["conversation"])
        await frames_of(built, second)
    runs = Run.objects.filter(conversation=told[0]["conversation"]).order_by("created_at")
    assert [str(run.pk) async for run in runs] == [first.run, second.run]


async def test_a_conversation_is_a_programs_until_its_user_asks_in_it(cast, settings, tmp_path):
    async def is_a_programs() -> bool:
        return (await Conversation.objects.aget(pk=conversation)).by_program

    conversation = str(uuid.uuid4())
    async with process(settings, tmp_path) as built:
        await frames_of(built, an_ask(cast.member, conversation=conversation, priority="api"))
        begun = await is_a_programs()
        await frames_of(built, an_ask(cast.member, conversation=conversation, priority="api"))
        gone_on = await is_a_programs()
        await frames_of(built, an_ask(cast.member, conversation=conversation))
        taken_up = await is_a_programs()
        await frames_of(built, an_ask(cast.member, conversation=conversation, priority="api"))
        left = await is_a_programs()
    assert (begun, gone_on, taken_up, left) == (True, True, False, False)

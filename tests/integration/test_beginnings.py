"""The first moment of a question: whose conversation it is, and whether its asker is still there."""

import asyncio
import uuid

import pytest

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

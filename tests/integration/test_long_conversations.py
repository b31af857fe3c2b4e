"""A conversation with very many turns, such as a program's."""

import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone

from answering.models import Conversation, Run
from answering.stages import Question
from answering.statements import LOOKED_AT
from answering.store import RunStore
from retrieval import database
from retrieval.access import NOTHING

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = [{"document": str(uuid.uuid4()), "url": "/d/x/?chunk=1"}]


def conversation_of(user, *, unreadable):
    """One turn that anybody may be told, and then so many that rest on what the user may not read any more."""
    made = Conversation.objects.create(user=user, title="Nightly check")
    now = timezone.now()
    for age in range(unreadable + 1):
        run = Run.objects.create(
            user=user,
            conversation=made,
            question=f"Check {age}?",
            answer="Fine.",
            status="done",
            citations=SECRET if age < unreadable else [],
        )
        Run.objects.filter(pk=run.pk).update(created_at=now - timedelta(minutes=age))
    return made


@pytest.mark.parametrize(("unreadable", "told"), [(LOOKED_AT - 1, 1), (LOOKED_AT, 0)])
async def test_no_more_than_the_newest_turns_are_looked_at(database_url, unreadable, told):
    """Where few of them may be told, each question would read all of the conversation."""
    user = await sync_to_async(User.objects.create_user)("program")
    conversation = await sync_to_async(conversation_of)(user, unreadable=unreadable)
    question = Question(str(uuid.uuid4()), user.pk, "And now?", str(conversation.pk), NOTHING)
    async with database.make_pool(database_url, min_size=1, max_size=1) as pool:
        history = await RunStore(pool, owner="test").history(question)
    assert len(history.turns) == told

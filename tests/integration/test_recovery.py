"""What a process does about runs that nothing ends, and about what it did not expect itself."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from redis.asyncio import Redis

from answering.models import Run
from answering.recovery import MOST_ATTEMPTS, Recovery, alive_key
from answering.runlog import stream_key
from tests.integration.asking import a_model, an_ask, frames_of, make_cast, process

pytestmark = pytest.mark.django_db(transaction=True)

UNSTORABLE = b'[{"type":"done","seq":1000,"finish":"\\u0000"}]'


@pytest.fixture
def cast(transactional_db):
    return make_cast()


async def left(built, ask, *, attempt):
    """As a process that died in the middle of it leaves a run, once more."""
    await frames_of(built, ask)
    await sync_to_async(Run.objects.filter(pk=ask.run).update)(
        status="running", owner="nobody", attempt=attempt, answer="", events=[]
    )


@pytest.mark.parametrize("copied", [None, UNSTORABLE], ids=["what kills processes", "what cannot be stored"])
async def test_a_run_that_nobody_brings_to_its_end_is_given_up(cast, settings, tmp_path, copied):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        ask = an_ask(cast.member)
        await left(built, ask, attempt=MOST_ATTEMPTS)
        calls = model.tally.calls["chat"]
        await built.redis.delete(stream_key(ask.run))
        if copied:
            await built.redis.xadd(stream_key(ask.run), {"frames": copied}, id="1000-0")
        assert await built.recovery.take_over() == 1
        told = [frame async for frame in await built.runs.follow(ask.run, cast.member.pk, after=3)]
        assert model.tally.calls["chat"] == calls
        assert await built.recovery.take_over() == 0
    assert [(frame["type"], frame["code"]) for frame in told] == [("error", "internal")]
    assert told[0]["seq"] == (1001 if copied else 1)


async def test_a_run_whose_frames_cannot_be_read_is_answered_anew(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        odd, fine = an_ask(cast.member), an_ask(cast.member)
        for ask in (odd, fine):
            await left(built, ask, attempt=1)
        await built.redis.delete(stream_key(odd.run), stream_key(fine.run))
        await built.redis.xadd(stream_key(odd.run), {"of": "another version"}, id="7-0")
        assert await built.recovery.take_over() == 2
        for ask in (odd, fine):
            await built.runs.settled(ask.run)
        finishes = await sync_to_async(list)(Run.objects.values_list("status", flat=True))
    assert finishes == ["done", "done"]


class Surprising:
    """A manager whose store fails in a way that nobody thought of."""

    def __init__(self):
        self.store, self.asked = self, asyncio.Queue()

    async def running(self):
        self.asked.put_nowait(None)
        raise LookupError("a bug")


@pytest.mark.expects_errors
async def test_a_process_with_a_bug_goes_on_giving_signs_of_life(redis_url):
    manager = Surprising()
    async with Redis.from_url(redis_url, protocol=2) as redis:
        recovery = Recovery(manager, redis, owner="buggy", queues={}, beat=0.01)
        await recovery.start()
        async with asyncio.timeout(30):
            await manager.asked.get()
            await redis.expire(alive_key("buggy"), 1)
            for _ in range(3):
                await manager.asked.get()
            assert await redis.ttl(alive_key("buggy")) > 1
            await recovery.aclose()

"""What a process does about the runs of others that died, about runs that nothing ends, and about its own bugs."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from redis.asyncio import Redis

from answering.models import Run
from answering.recovery import MOST_ATTEMPTS, Recovery, alive_key
from answering.runlog import follow, stream_key
from answering.store import RunStore
from answering.upstream import SimulatedUpstream
from answering.wiring import build
from tests.integration.asking import a_model, an_ask, frames_of, make_cast, of, process, text_of

pytestmark = pytest.mark.django_db(transaction=True)

UNSTORABLE = b'[{"type":"done","seq":1000,"finish":"\\u0000"}]'


@pytest.fixture
def cast(transactional_db):
    return make_cast()


async def test_a_dead_process_run_is_taken_over_and_its_text_replaced(cast, settings, tmp_path):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:100", tokens=100)
    async with slow, process(settings, tmp_path, slow) as built:
        ask = an_ask(cast.member)
        dying = await build()
        begun = await dying.ask(ask)
        shown = []
        async for frame in begun:
            shown.append(frame)
            if len(of(shown, "delta")) == 2:
                break
        async for copied in follow(built.redis, ask.run):
            if copied["seq"] == len(shown):
                break
        await dying.runs.aclose()  # as a killed process: nothing is said, nothing is stored
        await dying.aclose()
        await built.redis.delete(alive_key(dying.store.owner))
        slow.behaviour = slow.behaviour.changed(token_gap="fixed:1")
        assert await built.recovery.take_over() == 1
        frames = [frame async for frame in await built.runs.follow(ask.run, cast.member.pk)]
        await built.runs.settled(ask.run)
        stored = await sync_to_async(Run.objects.get)(pk=ask.run)
    assert frames[: len(shown)] == shown
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert of(frames[len(shown) :], "replace")
    assert frames[-1]["finish"] == "complete"
    assert len([f for f in of(frames, "citations") if f["final"]]) == 1
    assert stored.attempt == 2


async def test_a_run_taken_over_keeps_to_the_collections_that_were_chosen(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        text = "annual leave days and Project Nightjar million euros"
        ask = an_ask(cast.director, text, collections=("handbook",))
        await RunStore(built.pool, owner="dead").begin(ask)
        assert await built.recovery.take_over() == 1
        frames = [frame async for frame in await built.runs.follow(ask.run, cast.director.pk)]
        await built.runs.settled(ask.run)
    shown = {p["collection"] for frame in of(frames, "citations") for p in frame["passages"]}
    assert shown == {"handbook"}


async def test_no_run_is_taken_from_a_living_process_though_redis_lost_its_sign_of_life(
    cast, settings, tmp_path
):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:50", tokens=10)
    async with slow, process(settings, tmp_path, slow) as here:
        there = await build()
        try:
            ask = an_ask(cast.member)
            begun = await here.ask(ask)
            await anext(begun)
            await here.redis.delete(alive_key(here.store.owner), alive_key(there.store.owner))
            assert await there.recovery.look() == 0
            seen = [frame async for frame in begun]
            await here.runs.settled(ask.run)
            stored = (await here.store.run(ask.run, cast.member.pk))["events"]
        finally:
            await there.aclose()
    assert stored[1:] == seen


async def test_who_saw_more_than_was_copied_has_the_whole_answer_in_the_end(cast, settings, tmp_path):
    slow = SimulatedUpstream(first_token="fixed:30", token_gap="fixed:100", tokens=100)
    async with slow, process(settings, tmp_path, slow) as built:
        ask = an_ask(cast.member)
        dying = await build()
        shown = []
        async for frame in await dying.ask(ask):
            shown.append(frame)
            if len(of(shown, "delta")) == 3:
                break
        await dying.runs.aclose()  # as a killed process: nothing is said, nothing is stored
        await dying.aclose()
        await built.redis.delete(alive_key(dying.store.owner), stream_key(ask.run))
        slow.behaviour = slow.behaviour.changed(token_gap="fixed:1", tokens=2)
        assert await built.recovery.take_over() == 1
        rest = [f async for f in await built.runs.follow(ask.run, cast.member.pk, after=len(shown))]
        await built.runs.settled(ask.run)
        stored = await sync_to_async(Run.objects.get)(pk=ask.run)
    assert [frame["seq"] for frame in rest] == list(range(len(shown) + 1, len(shown) + len(rest) + 1))
    assert rest[-1]["finish"] == "complete"
    assert text_of(shown + rest) == stored.answer != ""


@pytest.mark.parametrize("dead", [True, False], ids=["of a dead process", "of this process"])
async def test_an_end_that_was_not_stored_is_stored_later_and_not_told_twice(cast, settings, tmp_path, dead):
    kept = (
        "status",
        "finish",
        "route",
        "answer",
        "html",
        "citations",
        "cited",
        "degraded",
        "stages",
        "events",
        "error",
    )
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        ask = an_ask(cast.member)
        frames = await frames_of(built, ask)
        runs = Run.objects.filter(pk=ask.run)
        before = await sync_to_async(runs.values(*kept).get)()
        owner = {"owner": "nobody"} if dead else {}
        await sync_to_async(runs.update)(status="running", finish="", answer="", html="", events=[], **owner)
        calls = model.tally.calls["chat"]
        assert await built.recovery.take_over() == 1
        await built.runs.settled(ask.run)
        after = await sync_to_async(runs.values(*kept).get)()
        again = [frame async for frame in await built.runs.follow(ask.run, cast.member.pk)]
        assert (model.tally.calls["chat"], await built.recovery.take_over()) == (calls, 0)
    assert (after, again) == (before, frames)


async def test_a_run_that_cannot_be_stored_is_in_no_other_ones_way(cast, settings, tmp_path):
    async with (
        a_model() as model,
        process(settings, tmp_path, model) as built,
    ):
        odd, fine = an_ask(cast.member), an_ask(cast.member)
        for ask in (odd, fine):
            await frames_of(built, ask)
        spoilt = b'[{"type":"done","seq":1000,"finish":"\\u0000"}]'
        await built.redis.xadd(stream_key(odd.run), {"frames": spoilt}, id="1000-0")
        await sync_to_async(Run.objects.update)(status="running", owner="nobody")
        assert await built.recovery.take_over() == 1
        left = await sync_to_async(Run.objects.get)(status="running")
    assert str(left.pk) == odd.run


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

"""The limit finds what an upstream can take; the important go first; what cannot start in time is told at
once."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from answering.resilience.adaptive import AdaptiveLimit, LimitSettings
from answering.resilience.deadline import Deadline
from answering.resilience.limiter import AdaptiveLimiter, Slot
from answering.resilience.shedding import Overloaded, Priority
from tests.clock import autojump

INTERACTIVE, API, FOLLOW_UP, PREFETCH, BATCH = Priority


def now() -> float:
    return asyncio.get_running_loop().time()


def fixed(limit: int) -> AdaptiveLimiter:
    return AdaptiveLimiter("it", LimitSettings(initial=limit, floor=limit, ceiling=limit), clock=now)


def by(seconds: float) -> Deadline:
    return Deadline.after(seconds, now)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# The number


def feed(limit: AdaptiveLimit, clock: Clock, seconds: float, times: int = 400, size: int = 0) -> None:
    """First tokens at full use, behind a few that came alone."""
    for _ in range(6):
        limit.first_token(seconds, size, 1)
    for _ in range(times):
        clock.now += 0.05
        limit.first_token(seconds, size, limit.value)


def test_it_grows_while_it_is_used_and_latency_stays() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=10, floor=5), clock=clock)
    feed(limit, clock, 0.2)
    assert limit.value > 100


def test_it_does_not_grow_unused() -> None:
    limit = AdaptiveLimit(LimitSettings(initial=10), clock=Clock())
    for _ in range(200):
        limit.first_token(0.2, 0, 3)
    assert limit.value == 10


def test_slower_first_tokens_shrink_it_but_not_below_the_floor() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=clock)
    feed(limit, clock, 0.2, times=5)
    for _ in range(400):
        clock.now += 0.05
        limit.first_token(1.0, 0, limit.value)
    assert limit.value == 5


def test_an_upstream_that_got_quicker_is_full_when_it_takes_as_long_as_before() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5, ceiling=60), clock=clock)
    feed(limit, clock, 1.0, times=20)
    for seconds, then in ((0.2, 60), (0.9, 5)):
        clock.now += 20  # how many at once went well before is forgotten
        for _ in range(400):
            clock.now += 0.05
            limit.first_token(seconds, 0, limit.value)
        assert limit.value == then


def test_longer_prompts_are_no_congestion() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=clock)
    feed(limit, clock, 0.2, times=50)
    feed(limit, clock, 1.0, times=200, size=4)
    assert limit.value >= 50


def test_a_heavy_tail_is_no_congestion() -> None:
    clock, rng = Clock(), random.Random(7)
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5, ceiling=60), clock=clock)
    for _ in range(300):
        limit.first_token(rng.lognormvariate(-1.6, 1.4), 0, 10)
    for _ in range(2000):
        clock.now += 0.05
        limit.first_token(rng.lognormvariate(-1.6, 1.4), 0, limit.value)
    assert limit.value >= 40


def test_a_429_tells_the_limit() -> None:
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=Clock())
    limit.throttled(0.0, level=21)
    assert limit.value <= 20


def test_it_does_not_grow_before_the_time_that_a_429_asks_for() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=clock)
    limit.throttled(30.0, level=21)
    before = limit.value
    feed(limit, clock, 0.2, times=400)  # 20 s
    assert limit.value == before
    feed(limit, clock, 0.2, times=400)
    assert limit.value > before


def test_congestion_takes_it_no_lower_than_what_went_well_a_moment_ago() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5, known_for=10.0), clock=clock)
    feed(limit, clock, 0.2, times=5)
    for _ in range(300):  # the first twenty places are quick, those who come on top of them wait
        clock.now += 0.02
        limit.first_token(0.2, 0, 50, level=20)
        limit.first_token(2.0, 0, 50, level=50)
        limit.first_token(2.0, 0, 50, level=50)
    assert limit.value == 20
    for _ in range(300):
        clock.now += 0.1
        limit.first_token(2.0, 0, 20, level=20)
    assert limit.value == 5


def test_as_many_as_were_taken_lately_are_no_wall() -> None:
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=Clock())
    for _ in range(20):
        limit.first_token(0.2, 0, 30)
    limit.throttled(0.0, level=4)  # by chance, or for the minute's quota
    assert limit.value == 30


def test_what_was_under_way_at_a_429_tells_nothing_new_with_its_own() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=2), clock=clock)
    clock.now = 1.0
    limit.throttled(0.0, level=21, since=0.9)
    for level in range(20, 10, -1):
        limit.throttled(0.0, level=level, since=0.9)
    assert limit.value == 20


def test_one_429_after_the_other_is_no_matter_of_how_many() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=clock)
    for _ in range(5):
        limit.throttled(1.0, level=3, since=clock.now)
        clock.now += 1
    assert not limit.exhausted
    limit.throttled(1.0, level=3, since=clock.now)
    assert limit.exhausted
    limit.first_token(0.2, 0, 2)
    assert not limit.exhausted


def test_calls_that_were_given_up_are_congestion_like_slow_ones() -> None:
    clock = Clock()
    limit = AdaptiveLimit(LimitSettings(initial=50, floor=5), clock=clock)
    feed(limit, clock, 0.2, times=5)
    for _ in range(400):
        clock.now += 0.05
        limit.gave_up(3.0, 0)
    assert limit.value == 5


# The places


@autojump
async def test_no_more_than_the_limit_are_under_way() -> None:
    limiter = fixed(3)
    slots = [await limiter.acquire(INTERACTIVE, by(1)) for _ in range(3)]
    assert limiter.try_acquire(INTERACTIVE) is None
    slots[0].release()
    slots[0].release()  # a second time does nothing
    assert limiter.in_flight == 2
    assert limiter.try_acquire(INTERACTIVE) is not None


@autojump
async def test_the_important_go_first_and_equals_in_their_order() -> None:
    limiter, order = fixed(1), list[str]()
    slot = await limiter.acquire(INTERACTIVE, by(1))

    async def wait(name: str, priority: Priority) -> None:
        with_place = await limiter.acquire(priority, by(100))
        order.append(name)
        with_place.release()

    waiting = [("api 1", API), ("follow-up", FOLLOW_UP), ("interactive", INTERACTIVE), ("api 2", API)]
    tasks = [asyncio.create_task(wait(*each)) for each in waiting]
    await asyncio.sleep(0.1)
    slot.release()
    await asyncio.gather(*tasks)
    assert order == ["interactive", "api 1", "api 2", "follow-up"]


@autojump
async def test_prefetching_leaves_a_tenth_of_the_places_free() -> None:
    limiter = fixed(20)
    prefetches = [limiter.try_acquire(PREFETCH) for _ in range(20)]
    assert sum(slot is not None for slot in prefetches) == 18
    assert limiter.try_acquire(INTERACTIVE) is not None


@autojump
async def test_who_waits_too_long_is_shed() -> None:
    limiter, started = fixed(1), now()
    await limiter.acquire(INTERACTIVE, by(1))
    with pytest.raises(Overloaded):
        await limiter.acquire(INTERACTIVE, by(2))
    assert now() - started == pytest.approx(2)
    assert limiter.waiting == 0


@autojump
async def test_a_hopeless_wait_is_refused_at_once() -> None:
    limiter = fixed(1)
    for _ in range(3):
        slot = await limiter.acquire(INTERACTIVE, by(1))
        await asyncio.sleep(10)
        slot.release()
    await limiter.acquire(INTERACTIVE, by(1))
    started = now()
    with pytest.raises(Overloaded) as overloaded:
        await limiter.acquire(INTERACTIVE, by(3))
    assert now() == started
    assert overloaded.value.retry_after == pytest.approx(10)


@autojump
async def test_a_full_waiting_room_turns_the_least_important_away() -> None:
    limiter = AdaptiveLimiter("it", LimitSettings(initial=1, floor=1, ceiling=1), most_waiting=2, clock=now)
    slot = await limiter.acquire(INTERACTIVE, by(1))
    batch = [asyncio.create_task(limiter.acquire(BATCH, by(100))) for _ in range(2)]
    await asyncio.sleep(0)
    question = asyncio.create_task(limiter.acquire(INTERACTIVE, by(100)))
    await asyncio.sleep(0.1)
    assert isinstance(batch[1].exception(), Overloaded)
    with pytest.raises(Overloaded):
        await limiter.acquire(BATCH, by(100))
    slot.release()
    await question
    batch[0].cancel()


@autojump
async def test_a_place_given_to_one_who_is_just_leaving_is_not_lost() -> None:
    limiter = fixed(1)
    slot = await limiter.acquire(INTERACTIVE, by(1))
    leaving = asyncio.create_task(limiter.acquire(INTERACTIVE, by(100)))
    staying = asyncio.create_task(limiter.acquire(INTERACTIVE, by(100)))
    await asyncio.sleep(0.1)
    slot.release()  # `leaving` is called in …
    leaving.cancel()  # … and cancelled before it could notice
    (await staying).release()
    assert limiter.in_flight == 0


class AnyUse(RuleBasedStateMachine):
    """Whatever is taken, freed, throttled or slow."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = AdaptiveLimiter("it", LimitSettings(initial=6, floor=3, ceiling=20), clock=self.clock)
        self.slots: list[Slot] = []

    @rule(priority=st.sampled_from(Priority))
    def take(self, priority: Priority) -> None:
        full = self.limiter.in_flight >= self.limiter.limit
        slot = self.limiter.try_acquire(priority)
        assert slot is None or not full
        if slot is not None:
            self.slots.append(slot)

    @precondition(lambda self: self.slots)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(self.slots))
        slot.release()
        self.slots.remove(slot)

    @precondition(lambda self: self.slots)
    @rule(seconds=st.floats(0.001, 10), size=st.integers(0, 3), times=st.integers(1, 30))
    def answer(self, seconds: float, size: int, times: int) -> None:
        for _ in range(times):
            self.slots[0].first_token(seconds, size)

    @precondition(lambda self: self.slots)
    @rule(retry_after=st.floats(0, 100))
    def throttle(self, retry_after: float) -> None:
        self.slots[0].throttled(retry_after)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def counts_agree_and_the_limit_keeps_its_bounds(self) -> None:
        assert self.limiter.in_flight == len(self.slots)
        assert 3 <= self.limiter.limit <= 20


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=50, deadline=None)


# Under load: an upstream with room for 20 streams of about a second


class Upstream:
    """Serves `capacity` streams at once; more wait in its queue, or are told 429."""

    def __init__(self, capacity: int, *, throttles: bool) -> None:
        self.places, self.throttles, self.served = asyncio.Semaphore(capacity), throttles, 0
        self.rng = random.Random(3)

    async def stream(self, slot: Slot) -> bool:
        if self.throttles and self.places.locked():
            await asyncio.sleep(0.005)
            slot.throttled(0.1)
            return False
        started = now()
        async with self.places:
            await asyncio.sleep(self.rng.uniform(0.15, 0.25))
            slot.first_token(now() - started, 0)
            if now() - started > 3.0:
                return False  # its reader has an extract by now
            await asyncio.sleep(self.rng.uniform(0.6, 1.0))
        self.served += 1
        return True


MIX = [INTERACTIVE] * 5 + [API] * 2 + [PREFETCH] * 2 + [BATCH]


async def offered(
    load: float, seconds: float, *, throttles: bool, warm: float = 20.0
) -> tuple[float, Callable[[Priority], float], Counter[Priority]]:
    """Open-loop arrivals at `load` times capacity. Goodput as a share of capacity, the share that was served
    by priority, and how many came of each, all after `warm` seconds."""
    capacity, held = 20, 1.0
    upstream, rng = Upstream(capacity, throttles=throttles), random.Random(11)
    limiter = AdaptiveLimiter("it", LimitSettings(initial=16, floor=8), clock=now)
    came, served, tasks, began = Counter[Priority](), Counter[Priority](), [], now()

    async def ask(priority: Priority, counts: bool) -> None:
        came[priority] += counts
        try:
            slot = await limiter.acquire(priority, by(2.5))
        except Overloaded:
            return
        try:
            answered = await upstream.stream(slot)
            served[priority] += answered and counts
        finally:
            slot.release()

    while now() - began < warm + seconds:
        await asyncio.sleep(rng.expovariate(load * capacity / held))
        tasks.append(asyncio.create_task(ask(rng.choice(MIX), now() - began > warm)))
    await asyncio.gather(*tasks)
    return served.total() / (seconds * capacity / held), lambda p: served[p] / came[p], came


@pytest.mark.parametrize("throttles", [False, True], ids=["queueing", "429"])
@autojump
async def test_three_times_the_load_keeps_nine_tenths_of_the_goodput(throttles: bool) -> None:
    goodput, share, came = await offered(3.0, 60, throttles=throttles)
    ceiling = min(1.0, 60 * 20 / came[INTERACTIVE])
    assert goodput >= 0.9
    assert share(INTERACTIVE) >= ceiling - 0.03 - (0.01 if throttles else 0)
    assert share(PREFETCH) + share(BATCH) < 0.05


@autojump
async def test_nothing_is_shed_below_four_fifths_of_the_capacity() -> None:
    _, share, came = await offered(0.8, 60, throttles=False, warm=0.0)
    assert [share(priority) for priority in came] == [1.0] * len(came)


@autojump
async def test_who_gives_up_in_the_moment_a_place_is_free_is_not_called_in() -> None:
    limiter = fixed(1)
    slot = await limiter.acquire(INTERACTIVE, by(10))
    waiting = asyncio.create_task(limiter.acquire(INTERACTIVE, by(10)))
    await asyncio.sleep(0)
    waiting.cancel()
    slot.release()
    await asyncio.wait({waiting})
    assert limiter.in_flight == 0

"""The breaker opens, waits, probes and closes; whatever happens, it never stays open for good."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from answering.assembly import THRESHOLDS
from answering.resilience.breaker import Breaker, Call, Thresholds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker(clock: Clock, **thresholds: float) -> Breaker:
    return Breaker("it", Thresholds(**thresholds), clock=clock, rand=lambda: 0.5)  # type: ignore[arg-type]


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        call = breaker.start()
        assert call is not None
        call.fail()


def succeed(breaker: Breaker) -> None:
    call = breaker.start()
    assert call is not None
    call.succeed()


def opened(clock: Clock, **thresholds: float) -> Breaker:
    it = breaker(clock, **thresholds)
    fail(it, 5)
    return it


def test_it_opens_after_enough_failures_in_a_row(clock: Clock) -> None:
    it = breaker(clock)
    fail(it, 4)
    assert it.state == "closed"
    fail(it)
    assert it.state == "open"
    assert it.start() is None


@pytest.mark.parametrize(("asked", "after"), [(0.0, 5.0), (12.0, 12.0), (60.0, 30.0)])
def test_it_is_tried_sooner_where_nothing_takes_its_place(clock: Clock, asked: float, after: float) -> None:
    it = opened(clock, open_seconds=20.0)
    clock.now += it.retry_after
    call = it.start()
    assert call is not None
    call.fail(asked)
    clock.now += 1
    it.hasten(5.0)
    assert it.retry_after == pytest.approx(after - 1)


def test_a_success_between_breaks_the_row(clock: Clock) -> None:
    it = breaker(clock, minimum_calls=100)
    for _ in range(20):
        fail(it, 4)
        succeed(it)
    assert it.state == "closed"


def test_it_opens_on_the_share_of_failures_once_there_are_enough_calls(clock: Clock) -> None:
    it = breaker(clock, minimum_calls=10, failure_rate=0.5)
    for _ in range(4):
        succeed(it)
        fail(it)
    assert it.state == "closed"
    succeed(it)
    fail(it)
    assert it.state == "open"


def test_failures_outside_the_window_are_forgotten(clock: Clock) -> None:
    it = breaker(clock, window=30)
    fail(it, 4)
    succeed(it)
    clock.now += 31
    fail(it, 4)
    for _ in range(5):
        succeed(it)
    assert it.state == "closed"


def test_slow_successes_can_count_as_failures(clock: Clock) -> None:
    it = breaker(clock, slow_after=1.0)
    for _ in range(5):
        call = it.start()
        assert call is not None
        clock.now += 1.5
        call.succeed()
    assert it.state == "open"


def test_the_open_time_doubles_up_to_the_cap(clock: Clock) -> None:
    it = opened(clock, open_seconds=1, open_cap=5)
    waits = []
    for _ in range(5):
        waits.append(it.retry_after)
        clock.now += it.retry_after
        fail(it)
    assert waits == pytest.approx([1, 2, 4, 5, 5])


def test_the_open_time_has_jitter(clock: Clock) -> None:
    times = []
    for share in (0.0, 1.0):
        it = Breaker("it", clock=clock, rand=lambda share=share: share)
        fail(it, 5)
        times.append(it.retry_after)
    assert times == pytest.approx([0.8, 1.2])


def test_what_may_be_chance_counts_for_less_in_a_row(clock: Clock) -> None:
    it = breaker(clock, consecutive=3, minimum_calls=100)
    for _ in range(5):
        call = it.start()
        assert call is not None
        call.fail(weight=0.5)
    assert it.state == "closed"
    call = it.start()
    assert call is not None
    call.fail(weight=0.5)
    assert it.state == "open"


def test_it_stays_open_as_long_as_the_dependency_asks(clock: Clock) -> None:
    it = breaker(clock)
    call = it.start()
    assert call is not None
    call.fail(retry_after=12, weight=math.inf)
    assert it.retry_after == 12


def test_nobody_can_ask_it_to_stay_open_for_ever(clock: Clock) -> None:
    it = breaker(clock, open_cap=30)
    call = it.start()
    assert call is not None
    call.fail(retry_after=86_400, weight=math.inf)
    assert it.retry_after == 30


def test_one_probe_passes_and_closes_it(clock: Clock) -> None:
    it = opened(clock)
    clock.now += 1
    probe = it.start()
    assert (it.state, it.start()) == ("half_open", None)
    assert probe is not None
    probe.succeed()
    assert it.state == "closed"


def test_a_cancelled_probe_frees_its_place(clock: Clock) -> None:
    it = opened(clock)
    clock.now += 1
    probe = it.start()
    assert probe is not None
    probe.abandon()
    assert it.probe_due
    succeed(it)
    assert it.state == "closed"


def test_a_probe_that_never_reports_loses_its_place(clock: Clock) -> None:
    it = opened(clock, probe_seconds=10)
    clock.now += 1
    lost = it.start()
    clock.now += 10
    second = it.start()
    assert lost is not None
    assert second is not None
    lost.fail()
    assert it.state == "half_open"
    second.succeed()
    assert it.state == "closed"


def test_a_call_from_before_the_trip_decides_nothing(clock: Clock) -> None:
    it = breaker(clock)
    early = it.start()
    fail(it, 5)
    clock.now += 1
    probe = it.start()
    assert early is not None
    early.succeed()
    assert it.state == "half_open"
    assert probe is not None
    probe.fail()
    assert it.state == "open"


def test_a_trip_soon_after_closing_waits_longer(clock: Clock) -> None:
    it = opened(clock)
    clock.now += 1
    succeed(it)
    fail(it, 5)
    assert it.retry_after == 2


def test_a_trip_long_after_closing_starts_anew(clock: Clock) -> None:
    it = opened(clock)
    clock.now += 1
    succeed(it)
    clock.now += 60
    succeed(it)
    fail(it, 5)
    assert it.retry_after == 1


def test_changes_are_told(clock: Clock) -> None:
    told = []
    it = Breaker("it", clock=clock, on_change=lambda name, state: told.append((name, state)))
    fail(it, 5)
    clock.now += 2
    succeed(it)
    assert told == [("it", "open"), ("it", "half_open"), ("it", "closed")]


class AnyHistory(RuleBasedStateMachine):
    """Calls overlap, are lost, report late or twice, and time passes as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.it = Breaker("it", Thresholds(probe_seconds=30, open_cap=30), clock=self.clock)
        self.calls: list[Call] = []
        self.probes: list[Call] = []
        self.done: set[Call] = set()

    @rule()
    def start(self) -> None:
        call = self.it.start()
        if call is not None:
            self.calls.append(call)
            if self.it.state == "half_open":
                self.probes.append(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), result=st.sampled_from(["succeed", "fail", "abandon"]))
    def report(self, data: st.DataObject, result: str) -> None:
        call = data.draw(st.sampled_from(self.calls))
        getattr(call, result)()
        self.done.add(call)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def trip(self) -> None:
        self.it.trip()

    @invariant()
    def at_most_one_probe(self) -> None:
        out = [probe for probe in self.probes if probe._epoch == self.it._epoch and probe not in self.done]
        assert len(out) <= 1

    @invariant()
    def never_wedged(self) -> None:
        before, self.clock.now = self.clock.now, self.clock.now + 30.001
        try:
            assert self.it.state == "closed" or self.it.probe_due
        finally:
            self.clock.now = before


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("name", ["embedder", "vectors", "passages"])
def test_what_answers_miss_is_tried_again_within_seconds_however_long_it_was_away(clock, name):
    one = Breaker(name, THRESHOLDS[name], clock=clock, rand=lambda: 1.0)
    while (call := one.start()) is not None:
        call.fail()
    for _ in range(12):
        assert not one.probe_due
        clock.now += 5.0
        assert one.probe_due
        fail(one)

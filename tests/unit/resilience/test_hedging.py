"""A second call where the first is late or fails, within a budget, and only where it helps."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from answering.attempts import size_class
from answering.resilience.delays import HedgeDelay, Window
from answering.resilience.hedging import Claim, HedgeBudget, HedgeGate, Hedger, Why, hedged
from tests.clock import autojump


def now() -> float:
    return asyncio.get_running_loop().time()


class Scripted:
    """A call that takes so long and then returns its name or raises; knows how it ended."""

    def __init__(self, name: str, seconds: float, error: Exception | None = None) -> None:
        self.name, self.seconds, self.error = name, seconds, error
        self.started: float | None = None
        self.cancelled = False

    async def __call__(self) -> str:
        self.started = now()
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # closing takes a moment, too
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        return self.name


def always(why: Why) -> bool:
    return True


def never(why: Why) -> bool:
    return False


async def race(first: Scripted, second: Scripted, allow: Callable[[Why], bool] = always) -> str:
    return await hedged(first, second, delay=0.5, allow=allow, failures=(ValueError,))


@autojump
async def test_a_quick_call_has_no_second() -> None:
    second = Scripted("b", 0)
    assert await race(Scripted("a", 0.4), second) == "a"
    assert second.started is None


@autojump
async def test_a_late_call_loses_to_its_hedge_and_is_awaited() -> None:
    first, started = Scripted("a", 9), now()
    assert await race(first, Scripted("b", 0.2)) == "b"
    assert now() - started == pytest.approx(0.71)
    assert first.cancelled


@autojump
async def test_a_late_call_can_still_win() -> None:
    second = Scripted("b", 2)
    assert await race(Scripted("a", 0.6), second) == "a"
    assert second.cancelled


@autojump
async def test_a_failure_does_not_wait_for_the_delay() -> None:
    started = now()
    assert await race(Scripted("a", 0.1, ValueError()), Scripted("b", 0.1)) == "b"
    assert now() - started == pytest.approx(0.2)


@autojump
async def test_when_the_hedge_fails_the_first_goes_on() -> None:
    assert await race(Scripted("a", 2), Scripted("b", 0.1, ValueError())) == "a"


@autojump
async def test_when_both_fail_the_first_error_is_told() -> None:
    with pytest.raises(ValueError, match="first"):
        await race(Scripted("a", 1, ValueError("first")), Scripted("b", 0.1, ValueError("second")))


@autojump
async def test_an_error_of_another_kind_is_no_reason_for_a_second_call() -> None:
    second = Scripted("b", 0)
    with pytest.raises(KeyError):
        await race(Scripted("a", 0.1, KeyError()), second)
    assert second.started is None


@autojump
async def test_without_leave_there_is_no_second_call() -> None:
    assert await race(Scripted("a", 9), Scripted("b", 0), never) == "a"
    with pytest.raises(ValueError):
        await race(Scripted("a", 0.1, ValueError()), Scripted("b", 0), never)


@autojump
async def test_leave_that_was_denied_is_asked_for_again() -> None:
    second, late = Scripted("b", 0.1), now() + 1.0
    assert await race(Scripted("a", 9), second, lambda why: now() > late) == "b"
    assert second.started == pytest.approx(late, abs=0.15)


@autojump
async def test_who_is_cancelled_cancels_both() -> None:
    first, second = Scripted("a", 9), Scripted("b", 9)
    task = asyncio.create_task(race(first, second))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    assert first.cancelled
    assert second.cancelled


@given(st.floats(0, 3), st.floats(0, 3), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
@autojump
async def test_the_earliest_success_wins_and_nothing_is_left_running(
    first: float, second: float, first_fails: bool, second_fails: bool
) -> None:
    a = Scripted("a", first, ValueError("a") if first_fails else None)
    b = Scripted("b", second, ValueError("b") if second_fails else None)
    before = len(asyncio.all_tasks())
    results = await asyncio.gather(race(a, b), return_exceptions=True)
    assert len(asyncio.all_tasks()) == before
    asked = first_fails or first > 0.5
    if not first_fails and (not asked or second_fails or first < 0.5 + second):
        assert results == ["a"]
    elif asked and not second_fails and (first_fails or first > 0.5 + second):
        assert results == ["b"]


class AnyBudget(RuleBasedStateMachine):
    """However first calls, hedges and retries come."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = HedgeBudget()
        self.first = self.second = 0

    @rule(times=st.integers(1, 60))
    def ask(self, times: int) -> None:
        for _ in range(times):
            self.budget.deposit()
        self.first += times

    @rule(claim=st.sampled_from(["late", "denied", "overdue", "failed"]), times=st.integers(1, 12))
    def take(self, claim: Claim, times: int) -> None:
        self.second += sum(self.budget.take(claim) for _ in range(times))

    @invariant()
    def second_calls_are_a_tenth_at_most(self) -> None:
        assert self.second <= max(8 + 0.05 * self.first, 0.1 * self.first) + 1e-6
        assert 0 <= self.budget.tokens + 1e-6 <= 24 + 1e-6


TestAnyBudget = AnyBudget.TestCase
TestAnyBudget.settings = settings(max_examples=60, deadline=None)


def test_hedges_leave_something_for_retries() -> None:
    budget = HedgeBudget(burst=8, kept=4)
    assert sum(budget.take("late") for _ in range(20)) == 4
    assert sum(budget.take("failed") for _ in range(20)) == 4


def test_whoever_was_denied_a_hedge_lets_others_pass_until_overdue() -> None:
    budget = HedgeBudget(burst=8, kept=2)
    assert sum(budget.take("denied") for _ in range(20)) == 4
    assert sum(budget.take("late") for _ in range(20)) == 2
    assert sum(budget.take("overdue") for _ in range(20)) == 2


def test_ten_questions_pay_for_one_second_call() -> None:
    budget = HedgeBudget(ratio=0.1, burst=1, kept=0)
    budget.take("failed")
    for _ in range(30):
        budget.deposit()
    assert budget.take("failed")
    for _ in range(9):
        budget.deposit()
    assert not budget.take("failed")
    budget.deposit()
    assert budget.take("failed")


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(1, 20))
def test_a_window_knows_its_last_samples_only(values: list[float], size: int) -> None:
    window = Window(size)
    for value in values:
        window.add(value)
    last = sorted(values[-size:])
    assert len(window) == len(last)
    assert window.quantile(0.0) == last[0]
    assert window.quantile(1.0) == last[-1]


def test_the_delay_starts_at_150_ms() -> None:
    assert HedgeDelay().delay("a") == 0.150


def test_the_delay_is_the_95th_percentile_of_the_first_tokens() -> None:
    delays = HedgeDelay()
    for hundredth in range(100):
        delays.observe("a", 0, hundredth / 100)
    assert delays.delay("a") == pytest.approx(0.95)


def test_the_delay_stays_within_its_bounds() -> None:
    delays = HedgeDelay(floor=0.2, ceiling=0.8)
    for _ in range(20):
        delays.observe("quick", 0, 0.01)
        delays.observe("slow", 0, 5.0)
    assert (delays.delay("quick"), delays.delay("slow")) == (0.2, 0.8)


def test_long_prompts_have_a_delay_of_their_own() -> None:
    delays = HedgeDelay()
    for _ in range(20):
        delays.observe("a", 0, 0.2)
        delays.observe("a", 3, 1.0)
    assert delays.delay("a", 0) < 0.3 < 1.0 <= delays.delay("a", 3)
    assert delays.delay("a", 5) >= 1.0  # unknown: as for all


def test_calls_that_never_answer_do_not_make_the_others_late_later() -> None:
    delays = HedgeDelay()
    for number in range(100):
        delays.observe("a", 0, 3.0 if number % 10 == 0 else 0.2)
    assert delays.delay("a") == pytest.approx(0.4)


def test_where_all_take_as_long_none_is_late() -> None:
    delays = HedgeDelay()
    for number in range(50):
        delays.observe("a", 0, 0.4 + number / 10_000)
    assert delays.delay("a") >= 0.5


@pytest.mark.parametrize(("tokens", "size"), [(0, 0), (512, 0), (513, 1), (1024, 1), (1025, 2), (8000, 4)])
def test_size_classes_double(tokens: int, size: int) -> None:
    assert size_class(tokens) == size


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_gate_shuts_when_hedges_keep_losing_and_opens_again() -> None:
    clock = Clock()
    gate = HedgeGate(clock=clock)
    for _ in range(5):
        gate.start().won = False
    assert gate.shut
    clock.now = 6
    assert not gate.shut


def test_the_gate_stays_open_while_hedges_win() -> None:
    gate = HedgeGate(clock=Clock())
    for won in [True, False, False, False, False, False]:
        gate.start().won = won
    assert not gate.shut


def test_hedges_that_hang_shut_the_gate_within_a_second() -> None:
    clock = Clock()
    gate = HedgeGate(clock=clock)
    for _ in range(5):
        gate.start()
    clock.now = 0.4
    assert not gate.shut
    clock.now = 0.6
    assert gate.shut


class Told:
    def __init__(self) -> None:
        self.hedges: list[tuple[str, str]] = []

    def hedge(self, dependency: str, result: str) -> None:
        self.hedges.append((dependency, result))

    def breaker(self, dependency: str, state: str) -> None: ...
    def limit(self, dependency: str, limit: int, in_flight: int) -> None: ...
    def shed(self, priority: str) -> None: ...
    def token_rate(self, dependency: str, rate: float, usual: float) -> None: ...


def hedger(told: Told) -> Hedger:
    return Hedger("embedder", HedgeBudget(), HedgeDelay(), observer=told, clock=now)  # type: ignore[arg-type]


def taking(*seconds: float) -> Callable[[], Awaitable[float]]:
    """A call that takes the next of these times."""
    times = iter(seconds)

    async def call() -> float:
        wait = next(times)
        await asyncio.sleep(wait)
        return wait

    return call


@autojump
async def test_any_call_can_be_hedged_against_itself() -> None:
    told = Told()
    it = hedger(told)
    assert await it.call(taking(3.0, 0.1)) == 0.1
    assert told.hedges == [("embedder", "won")]


@autojump
async def test_a_call_that_lost_counts_as_long_as_it_had_waited() -> None:
    delays = HedgeDelay()
    it = Hedger("embedder", HedgeBudget(), delays, clock=now)
    for _ in range(19):
        await it.call(taking(0.1))
    await it.call(taking(9.0, 0.1))
    assert delays.quantile("embedder", 0, 1.0) == pytest.approx(0.25)

"""A dependency that says nothing any more is noticed before any call of it has timed out."""

import pytest

from answering.resilience.pulse import Pulse


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_calls_that_all_wait_too_long_are_silence(clock: Clock) -> None:
    pulse = Pulse(clock=clock)
    for _ in range(4):
        pulse.start()
    clock.now = 0.5
    assert not pulse.silent()
    clock.now = 0.9
    assert pulse.silent()


def test_one_first_token_breaks_the_silence(clock: Clock) -> None:
    pulse = Pulse(clock=clock)
    keys = [pulse.start() for _ in range(5)]
    clock.now = 0.9
    pulse.beat(keys[-1])
    assert not pulse.silent()


def test_few_calls_prove_nothing(clock: Clock) -> None:
    pulse = Pulse(clock=clock)
    for _ in range(3):
        pulse.start()
    clock.now = 100
    assert not pulse.silent()


def test_calls_that_ended_do_not_wait(clock: Clock) -> None:
    pulse = Pulse(clock=clock)
    for key in [pulse.start() for _ in range(4)]:
        pulse.stop(key)
    clock.now = 100
    assert not pulse.silent()


def test_a_slow_dependency_has_more_time(clock: Clock) -> None:
    pulse = Pulse(clock=clock)
    for _ in range(4):
        pulse.start()
    clock.now = 1.5
    assert not pulse.silent(usual=2.0)
    assert pulse.silent(usual=1.0)

from answering.resilience.deadline import Deadline


def at(now: float):
    return lambda: now


def test_what_remains_never_falls_below_zero() -> None:
    assert Deadline(10, at(4)).remaining() == 6
    assert Deadline(10, at(14)).remaining() == 0


def test_it_is_over_at_its_time() -> None:
    assert not Deadline(10, at(9.9)).expired
    assert Deadline(10, at(10)).expired


def test_a_cap_is_the_smaller_of_the_budget_and_what_is_left() -> None:
    deadline = Deadline.after(20, at(100))
    assert deadline.capped(3).at == 103
    assert deadline.capped(60).at == 120

"""Equal calls at the same time are one call, which belongs to none of its askers."""

import asyncio

import pytest

from answering.resilience.singleflight import SingleFlight
from tests.clock import autojump


class Work:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.ended, self.error = 0, 0, error

    async def __call__(self) -> int:
        self.calls += 1
        try:
            await asyncio.sleep(1)
        finally:
            self.ended += 1
        if self.error:
            raise self.error
        return self.calls


@autojump
async def test_those_who_ask_meanwhile_share_the_result() -> None:
    flights, work = SingleFlight[str, int](), Work()
    assert await asyncio.gather(*(flights.do("x", work) for _ in range(5))) == [1] * 5


@autojump
async def test_who_asks_afterwards_starts_anew() -> None:
    flights, work = SingleFlight[str, int](), Work()
    assert [await flights.do("x", work), await flights.do("x", work)] == [1, 2]


@autojump
async def test_other_keys_are_other_calls() -> None:
    flights, work = SingleFlight[str, int](), Work()
    assert sorted(await asyncio.gather(flights.do("x", work), flights.do("y", work))) == [2, 2]


@autojump
async def test_the_first_askers_cancellation_does_not_reach_the_others() -> None:
    flights, work = SingleFlight[str, int](), Work()
    first = asyncio.create_task(flights.do("x", work))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(flights.do("x", work))
    await asyncio.sleep(0.1)
    first.cancel()
    assert await second == 1
    assert first.cancelled()


@autojump
async def test_when_all_have_left_the_work_is_ended() -> None:
    flights, work = SingleFlight[str, int](), Work()
    askers = [asyncio.create_task(flights.do("x", work)) for _ in range(2)]
    await asyncio.sleep(0.1)
    for asker in askers:
        asker.cancel()
    await asyncio.wait(askers)
    assert work.ended == 1
    assert await flights.do("x", work) == 2


@autojump
async def test_all_are_told_of_a_failure_and_the_next_may_try() -> None:
    flights, work = SingleFlight[str, int](), Work(ValueError("no"))
    results = await asyncio.gather(*(flights.do("x", work) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    with pytest.raises(ValueError, match="no"):
        await flights.do("x", work)
    assert work.calls == 2

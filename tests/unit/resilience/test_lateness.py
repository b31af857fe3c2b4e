import asyncio

import pytest

from answering.resilience.lateness import TICK, Lateness
from tests.clock import autojump


async def stall(seconds: float) -> None:
    """The machine does something else for so long."""
    asyncio.get_running_loop().now += seconds  # type: ignore[attr-defined]
    await asyncio.sleep(TICK)


def watching() -> tuple[Lateness, float]:
    loop = asyncio.get_running_loop()
    lateness = Lateness(loop.time)
    lateness.begin()
    return lateness, loop.time()


@autojump
async def test_waiting_for_others_is_not_lateness() -> None:
    lateness, began = watching()
    await asyncio.sleep(3)
    assert lateness.since(began) == pytest.approx(0)
    assert not lateness.explains(began)
    lateness.end()


@autojump
async def test_a_stall_is_lateness_before_and_after_it_is_looked_at() -> None:
    lateness, began = watching()
    asyncio.get_running_loop().now += 0.5  # type: ignore[attr-defined]
    assert lateness.since(began) == pytest.approx(0.5, abs=TICK)
    assert lateness.explains(began)
    await asyncio.sleep(0.5)
    assert lateness.since(began) == pytest.approx(0.5, abs=TICK)
    assert lateness.share(2.0) == pytest.approx(0.25, abs=TICK)
    lateness.end()


@autojump
async def test_what_was_before_a_wait_does_not_explain_it() -> None:
    lateness, _ = watching()
    await stall(5.0)
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(1)
    assert not lateness.explains(began)
    lateness.end()


@autojump
async def test_a_failure_at_once_is_not_explained_by_a_few_milliseconds() -> None:
    lateness, began = watching()
    asyncio.get_running_loop().now += 0.03  # type: ignore[attr-defined]
    assert not lateness.explains(began)
    lateness.end()


@autojump
async def test_who_does_not_look_is_never_late() -> None:
    lateness, began = watching()
    lateness.end()
    await stall(5.0)
    assert lateness.since(began) == 0

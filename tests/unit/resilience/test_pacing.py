"""Frames: the first token alone, the rest together, nothing lost, nothing left running."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering.resilience.pacing import TokenPacer
from tests.clock import autojump

PACER = TokenPacer[str](lambda earlier, later: earlier + later, frame=0.030)


class Source:
    """Tokens with a pause before each; knows whether it was closed."""

    def __init__(self, pauses: Sequence[float], error: Exception | None = None) -> None:
        self.pauses, self.error, self.closed = pauses, error, False

    async def tokens(self) -> AsyncIterator[str]:
        try:
            for number, pause in enumerate(self.pauses):
                await asyncio.sleep(pause)
                yield f"{number} "
            if self.error:
                raise self.error
        finally:
            self.closed = True

    @property
    def text(self) -> str:
        return "".join(f"{number} " for number in range(len(self.pauses)))


async def frames(source: Source, reading: float = 0.0) -> list[tuple[float, str]]:
    now, started, seen = asyncio.get_running_loop().time, asyncio.get_running_loop().time(), []
    async for frame in PACER(source.tokens()):
        seen.append((now() - started, frame))
        await asyncio.sleep(reading)
    return seen


@autojump
async def test_the_first_token_comes_at_once_and_alone() -> None:
    seen = await frames(Source([0.2] + [0.001] * 100))
    assert seen[0] == (pytest.approx(0.2), "0 ")


@autojump
async def test_later_tokens_come_together_every_frame() -> None:
    seen = await frames(Source([0.0] + [0.010] * 300))
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(seen[:-1])]
    assert all(0.020 <= gap <= 0.041 for gap in gaps)
    assert 95 <= len(seen) <= 105


@autojump
async def test_a_token_after_a_pause_does_not_wait() -> None:
    seen = await frames(Source([0.0, 0.5]))
    assert seen[1][0] == pytest.approx(0.5)


@autojump
async def test_the_last_tokens_do_not_wait_for_their_frame() -> None:
    seen = await frames(Source([0.0, 0.001]))
    assert seen[-1][0] < 0.005


@autojump
async def test_a_slow_reader_gets_fewer_frames() -> None:
    source = Source([0.010] * 200)
    seen = await frames(source, reading=0.5)
    assert len(seen) <= 6
    assert "".join(text for _, text in seen) == source.text


@autojump
async def test_an_error_follows_what_came_before_it() -> None:
    paced = PACER(Source([0.0, 0.001, 0.001], ValueError("cut")).tokens())
    assert [await anext(paced), await anext(paced)] == ["0 ", "1 2 "]
    with pytest.raises(ValueError, match="cut"):
        await anext(paced)


@autojump
async def test_who_stops_reading_closes_the_source() -> None:
    source = Source([0.1] * 100)
    async with aclosing(PACER(source.tokens())) as paced:
        await anext(paced)
    assert source.closed


@autojump
async def test_who_is_cancelled_closes_the_source() -> None:
    source = Source([0.1] * 100)
    reader = asyncio.create_task(frames(source))
    await asyncio.sleep(1)
    reader.cancel()
    await asyncio.wait({reader})
    await asyncio.sleep(0.01)
    assert source.closed


@given(
    st.lists(st.sampled_from([0.0, 0.001, 0.029, 0.03, 0.031, 0.5]), max_size=30),
    st.sampled_from([0.0, 0.03, 0.2]),
)
@autojump
async def test_nothing_is_lost_or_out_of_order(pauses: list[float], reading: float) -> None:
    source = Source(pauses)
    assert "".join(text for _, text in await frames(source, reading)) == source.text

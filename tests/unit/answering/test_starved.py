"""What happens where this process itself has too little processor time: its own lateness is nobody else's fault, and
sources that come late are better than none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from answering.engine import Engine
from answering.parts import Parts
from answering.resilience.lateness import TICK, Lateness
from answering.runlog import RunLog
from answering.runs import LiveRun
from retrieval.errors import EmbeddingError
from tests.clock import autojump
from tests.fake_parts import HANG, RUN, Script, make_parts, question


@asynccontextmanager
async def starved(*, share: float) -> AsyncIterator[Lateness]:
    """The loop stands still for that share of the time."""
    loop = asyncio.get_running_loop()
    lateness = Lateness(loop.time)
    lateness.begin()

    async def hold_up() -> None:
        while True:
            loop.now += TICK * share / (1 - share)  # type: ignore[attr-defined]
            await asyncio.sleep(TICK)

    task = asyncio.create_task(hold_up())
    await asyncio.sleep(3)
    try:
        yield lateness
    finally:
        task.cancel()
        lateness.end()


async def ask(parts: Parts) -> LiveRun:
    live = LiveRun(question(), RunLog(RUN))
    await Engine(parts)(live)
    return live


@pytest.mark.parametrize(("share", "state"), [(0.8, "closed"), (0.1, "open")])
@autojump
async def test_a_breaker_does_not_open_on_our_own_lateness(share: float, state: str) -> None:
    async with starved(share=share) as lateness:
        parts, _ = make_parts(Script(embed=HANG))
        parts = replace(parts, lateness=lateness)
        for _ in range(6):
            await ask(parts)
    assert parts.breakers.embedder.state == state


@autojump
async def test_a_dependency_that_refuses_at_once_opens_its_breaker_all_the_same() -> None:
    async with starved(share=0.5) as lateness:
        parts, _ = make_parts(Script(embed=EmbeddingError("down")))
        parts = replace(parts, lateness=lateness)
        for _ in range(6):
            await ask(parts)
    assert parts.breakers.embedder.state == "open"


@autojump
async def test_the_words_are_sought_again_where_both_searches_were_late_with_us() -> None:
    async with starved(share=0.8) as lateness:
        parts, _ = make_parts(Script(lexical=0.7, embed=HANG))
        live = await ask(replace(parts, lateness=lateness))
    assert live.log.frames[-1]["finish"] == "complete"
    assert live.log.frames[-1]["route"] == "lexical"


@autojump
async def test_where_nothing_but_the_searches_is_late_they_are_not_asked_again() -> None:
    async with starved(share=0.1) as lateness:
        parts, _ = make_parts(Script(lexical=0.7, embed=HANG))
        live = await ask(replace(parts, lateness=lateness))
    assert live.log.frames[-1]["code"] == "search_unavailable"


@pytest.mark.parametrize(("share", "last"), [(0.8, "done"), (0.1, "error")])
@autojump
async def test_passages_have_longer_where_we_are_late(share: float, last: str) -> None:
    async with starved(share=share) as lateness:
        parts, _ = make_parts(Script(passages=7))
        live = await ask(replace(parts, lateness=lateness))
    assert live.log.frames[-1]["type"] == last

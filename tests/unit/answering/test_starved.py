"""What happens where this process itself has too little processor time: its own lateness is nobody else's fault, and
sources that come late are better than none."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from answering import events
from answering.engine import Engine
from answering.errors import Shed
from answering.parts import Parts
from answering.resilience.lateness import TICK, Lateness
from answering.runlog import RunLog
from answering.runs import WAITING, LiveRun, RunManager
from answering.store import Ask, Begun
from retrieval.access import AccessScope
from retrieval.errors import EmbeddingError
from tests.clock import autojump
from tests.fake_parts import CONVERSATION, HANG, RUN, Script, make_parts, question
from tests.unit.answering.test_fault_product import ScriptedRedis


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


class Store:
    async def begin(self, ask: Ask) -> Begun:
        return Begun(CONVERSATION, AccessScope(frozenset({1})), new=True)

    async def finish(self, run: str, values: object) -> None:
        pass


def answering(seconds: float, *, cited: bool) -> Callable[[LiveRun], Awaitable[None]]:
    async def answer(live: LiveRun) -> None:
        if cited:
            live.log.write(events.citations("hybrid", [], final=True))
        await asyncio.sleep(seconds)
        live.log.write(events.error("unavailable", "Nothing."))

    return answer


async def asked(runs: RunManager, times: int) -> int:
    """How many of so many questions are refused."""
    refused = 0
    for _ in range(times):
        try:
            await runs.ask(Ask(str(uuid.uuid4()), 1, "How many days of annual leave do I get?"))
        except Shed:
            refused += 1
    return refused


@pytest.mark.parametrize(
    ("share", "cited", "waited", "refused"),
    [(0.8, False, 1.0, 12), (0.1, False, 1.0, 0), (0.8, True, 1.0, 0), (0.8, False, 0.0, 0)],
    ids=["behind", "in time", "with sources", "quick so far"],
)
@autojump
async def test_who_is_behind_takes_no_more_questions_than_it_can_find_sources_for(
    share: float, cited: bool, waited: float, refused: int
) -> None:
    async with starved(share=share) as lateness:
        runs = RunManager(Store(), ScriptedRedis("ok"), answering(9.0, cited=cited), lateness=lateness)
        assert await asked(runs, WAITING) == 0
        await asyncio.sleep(waited)
        assert await asked(runs, 12) == refused
        await runs.aclose()

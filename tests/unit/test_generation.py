"""The generator against simulated upstreams, in a time that jumps: answers, hedges, fallbacks."""

import asyncio

import pytest

from answering.errors import (
    FirstTokenTimeout,
)
from answering.resilience.hedging import HedgeBudget
from tests.clock import autojump
from tests.unit.generating import FAULTS, in_order, world


@autojump
async def test_an_answer_comes_whole_and_from_the_first_upstream() -> None:
    async with world() as w:
        tokens = [token async for token in w.tokens()]
        assert len(tokens) > 10
        assert "".join(token.text for token in tokens) == await w.answer()
        assert {token.upstream for token in tokens} == {"a"}
        assert not w.notices


@autojump
async def test_the_upstream_is_told_the_request_and_its_bounds() -> None:
    async with world() as w:
        await w.answer(request_id="run-7", max_tokens=20)
        path, headers, body = w.a.recent[-1]
        assert (path, headers["x-request-id"]) == ("/chat/completions", "run-7")
        assert (body["model"], body["max_tokens"], body["stream"]) == ("model", 20, True)


@autojump
async def test_stopping_closes_the_connection_and_frees_the_place() -> None:
    async with world() as w:
        await w.first_token()
        await asyncio.sleep(0.1)
        assert w.a.tally.cancelled["chat"] == 1
        assert w.generator.health()[0].in_flight == 0


@autojump
async def test_a_second_question_uses_the_connection_of_the_first() -> None:
    async with world() as w:
        await w.answer()
        await w.answer()
        assert len(w.a._connections) == 1


@autojump
async def test_a_late_first_token_is_hedged_and_the_loser_is_closed() -> None:
    async with world() as w:
        await w.settle()
        w.heard.hedges.clear()
        await w.a.change(first_token="fixed:2900")
        assert 0.35 < await w.first_token() < 0.5
        await asyncio.sleep(0.1)
        assert w.heard.hedges == [("a", "won")]
        assert w.notices == ["llm_hedged"]
        assert not w.a.tally.in_flight["chat"]


@autojump
async def test_headers_do_not_count_as_an_answer() -> None:
    async with world() as w:
        await w.settle()
        await w.a.change(hang=1.0)  # sends its headers and an empty chunk at once
        assert await w.first_token() < 0.5


@autojump
async def test_nothing_is_hedged_before_150_ms() -> None:
    async with world({"first_token": "fixed:10"}, {"first_token": "fixed:10"}) as w:
        await w.settle()
        await w.a.change(first_token="fixed:140")
        await w.first_token()
        assert not w.b.tally.calls["chat"]


@autojump
async def test_hedges_stay_within_a_tenth_of_the_questions() -> None:
    async with world({"first_token": "jagged"}, {"first_token": "jagged", "seed": 1}) as w:
        await in_order([(number * 0.05, w.first_token) for number in range(250)])
        assert 5 < w.a.tally.calls["chat"] + w.b.tally.calls["chat"] - 250 <= 25


@autojump
async def test_an_empty_budget_means_no_hedge() -> None:
    async with world({"first_token": "fixed:2000"}, hedge_budget=HedgeBudget(ratio=0.0, burst=0.0)) as w:
        assert await w.first_token() > 1.9
        assert w.heard.hedges == [("a", "denied")]


@autojump
async def test_no_second_call_is_made_where_no_token_could_come_in_time() -> None:
    async with world(hedge_budget=HedgeBudget(ratio=0.0, burst=0.0)) as w:
        await w.settle()
        await w.a.change(hang=1.0)
        with pytest.raises(FirstTokenTimeout):
            await w.first_token()
        assert not w.b.tally.calls["chat"]


@autojump
async def test_prefetching_is_never_hedged() -> None:
    async with world({"first_token": "fixed:2000"}) as w:
        await w.first_token(priority="prefetch")
        assert not w.b.tally.calls["chat"]


@pytest.mark.parametrize("fault", ["refused", "error", "throttled", "malformed"])
@autojump
async def test_a_quick_failure_goes_to_the_other_upstream(fault: str) -> None:
    async with world() as w:
        await w.settle()
        await w.a.change(**FAULTS[fault])
        assert "thirty days" in await w.answer()
        assert w.notices == ["llm_fallback"]


@pytest.mark.parametrize("fault", ["refused", "error", "malformed", "cut"])
@autojump
async def test_the_fallback_answers_what_failed_where_hedges_have_used_up_their_budget(fault: str) -> None:
    async with world(hedge_budget=HedgeBudget(ratio=0.0, burst=0.0)) as w:
        await w.settle()
        await w.a.change(**FAULTS[fault])
        assert "thirty days" in await w.answer()

"""The generator while upstreams are down, full or slow, in a time that jumps."""

import asyncio

import pytest

from answering.errors import (
    AllUpstreamsFailed,
    FirstTokenTimeout,
    Shed,
    StreamCut,
    UpstreamThrottled,
)
from answering.resilience.adaptive import LimitSettings
from answering.resilience.deadline import Deadline
from answering.resilience.hedging import HedgeBudget
from tests.clock import autojump
from tests.unit.generating import FAULTS, in_order, now, world


@autojump
async def test_what_is_known_to_be_down_is_not_asked_and_costs_no_budget() -> None:
    async with world(hedge_budget=HedgeBudget(ratio=0.0)) as w:
        await w.a.change(refuse=True)
        for _ in range(50):
            assert "thirty" in await w.answer()
        assert w.generator.health()[0].state != "closed"


@autojump
async def test_a_breaker_closes_again_without_any_reader_waiting_for_the_probe() -> None:
    async with world() as w:
        await w.settle()
        await w.a.change(hang=1.0)
        await in_order([(number * 0.1, w.first_token) for number in range(60)])
        assert ("a", "open") in w.heard.states
        late = [await w.first_token() for _ in range(20)]
        assert max(late) < 0.25
        await w.a.change(hang=0.0)
        await asyncio.sleep(40)
        await w.first_token()
        await asyncio.sleep(1)
        assert w.heard.states[-2:] == [("a", "half_open"), ("a", "closed")]


@autojump
@pytest.mark.parametrize("only_a", [True, False])
async def test_an_outage_of_all_is_soon_noticed_to_be_over(only_a: bool) -> None:
    async with world(only_a=only_a) as w:
        for upstream in (w.a, w.b):
            await upstream.change(errors=1.0)
        await in_order([(number * 0.5, w.answer) for number in range(120)])
        for upstream in (w.a, w.b):
            await upstream.change(errors=0.0)
        back = await in_order([(number * 0.5, w.answer) for number in range(12)])
        assert "thirty" in back[-1]


@autojump
async def test_only_429s_open_the_breaker_for_as_long_as_they_ask() -> None:
    async with world(only_a=True) as w:
        await w.a.change(throttled=1.0, retry_after=12.0)
        errors = await in_order([(number * 0.1, w.answer) for number in range(20)])
        assert isinstance(errors[0].causes[0], UpstreamThrottled)
        assert w.a.tally.calls["chat"] < 12
        await asyncio.sleep(9)
        with pytest.raises(AllUpstreamsFailed):
            await w.answer()
        await w.a.change(throttled=0.0)
        await asyncio.sleep(3)
        assert "thirty" in await w.answer()


@autojump
async def test_a_full_outage_of_one_is_over_for_readers_after_two_seconds() -> None:
    async with world({"first_token": "jagged"}, {"first_token": "uniform:150-250"}) as w:
        await in_order([(number * 0.05, w.first_token) for number in range(100)])
        await w.a.change(hang=1.0)
        times = await in_order([(number * 0.05, w.first_token) for number in range(100)])
        assert max(times[40:]) < 1.5 * 0.25


@autojump
async def test_hedges_stop_within_a_second_when_both_are_down() -> None:
    async with world({"first_token": "jagged"}, {"first_token": "jagged", "seed": 1}) as w:
        await in_order([(number * 0.05, w.first_token) for number in range(100)])
        await w.a.change(hang=1.0)
        await w.b.change(hang=1.0)
        outage, hedged = now(), []
        w.heard.hedge = lambda dependency, result: None  # type: ignore[method-assign]
        start = w.generator._dispatcher.gate.start
        w.generator._dispatcher.gate.start = lambda: (hedged.append(now()), start())[1]  # type: ignore
        results = await in_order([(number * 0.05, w.first_token) for number in range(100)])
        assert all(isinstance(result, FirstTokenTimeout | AllUpstreamsFailed | Shed) for result in results)
        assert max(hedged, default=outage) <= outage + 1


@autojump
async def test_both_refusing_fails_at_once_and_is_over_when_one_is_back() -> None:
    async with world() as w:
        await w.a.change(refuse=True)
        await w.b.change(refuse=True)
        started = now()
        errors = await in_order([(number * 0.01, w.answer) for number in range(30)])
        assert all(isinstance(error, AllUpstreamsFailed) for error in errors)
        assert now() - started < 1
        await w.b.change(refuse=False)
        await asyncio.sleep(5)
        assert "thirty" in await w.answer()


@autojump
async def test_a_steady_flow_of_questions_makes_no_second_calls_in_an_outage() -> None:
    async with world() as w:
        await w.settle(10)
        await w.a.change(first_token="fixed:2", errors=1.0)
        await w.b.change(first_token="fixed:2", errors=1.0)
        await in_order([(number * 0.05, w.answer) for number in range(20)])
        w.a.recent.clear()
        w.b.recent.clear()
        await in_order([(number * 0.9, w.answer) for number in range(100)])
        probes = [headers["x-request-id"] for _, headers, _ in (*w.a.recent, *w.b.recent)]
        assert probes
        assert len(probes) == len(set(probes))


@pytest.mark.parametrize("fault", ["stall", "cut"])
@autojump
async def test_a_broken_stream_starts_anew_elsewhere_once_it_has_caught_up(fault: str) -> None:
    async with world() as w:
        whole = await w.answer()
        await w.a.change(**FAULTS[fault])
        tokens = [token async for token in w.tokens()]
        restart = next(token for token in tokens if token.restart)
        before = "".join(token.text for token in tokens[: tokens.index(restart)])
        assert len(restart.text) >= len(before)
        assert (tokens[0].upstream, restart.upstream) == ("a", "b")
        assert await w.answer() == whole
        assert w.notices[0] == "llm_continued"


@pytest.mark.parametrize("fault", ["stall", "cut"])
@autojump
async def test_upstreams_that_all_break_off_there_do_not_take_turns_until_the_deadline(fault: str) -> None:
    async with world(FAULTS[fault], FAULTS[fault]) as w:
        with pytest.raises(StreamCut):
            await w.answer()
        assert w.notices.count("llm_continued") == 2


@autojump
async def test_an_answer_that_gets_on_each_time_is_gone_on_with() -> None:
    async with world(FAULTS["stall"], FAULTS["stall"]) as w:
        text, stops = "", 12
        async for token in w.tokens(deadline=Deadline.after(60, now)):
            text, stops = (token.text if token.restart else text + token.text), stops + 1
            for upstream in (w.a, w.b):
                await upstream.change(stall_after=stops)
        assert w.notices.count("llm_continued") > 2
        await w.a.change(stall=0.0)
        assert text == await w.answer()


@pytest.mark.parametrize(("fault", "reason"), [("stall", "stalled"), ("cut", "cut")])
@autojump
async def test_with_nobody_to_go_on_the_part_is_kept(fault: str, reason: str) -> None:
    async with world(only_a=True) as w:
        await w.a.change(**FAULTS[fault])
        with pytest.raises(StreamCut) as cut:
            await w.answer()
        assert cut.value.partial.startswith("Everyone has thirty days")
        assert cut.value.reason == reason


@autojump
async def test_an_answer_that_outlasts_the_deadline_is_cut_there() -> None:
    async with world({"token_gap": "fixed:500"}) as w:
        started = now()
        with pytest.raises(StreamCut, match="deadline"):
            await w.answer(deadline=Deadline.after(10, now))
        assert now() - started == pytest.approx(10, abs=0.1)
        assert w.generator.health()[0].state == "closed"


@autojump
async def test_the_token_rate_of_a_stream_is_told() -> None:
    async with world({"token_gap": "fixed:20"}) as w:
        await w.answer()
        await w.a.change(token_gap="fixed:200")
        await w.answer()
        (_, before, _), (name, rate, usual) = w.heard.rates
        assert name == "a"
        assert before == pytest.approx(50, rel=0.1)
        assert rate < usual / 4


@autojump
async def test_what_cannot_start_in_time_is_shed_at_once() -> None:
    limits = LimitSettings(initial=4, floor=4, ceiling=4)
    settings = {"only_a": True, "limits": limits, "hedge_budget": HedgeBudget(ratio=0.0, burst=0.0)}
    async with world({"token_gap": "fixed:800"}, **settings) as w:
        for _ in range(3):  # now it knows how long a stream takes
            await w.answer(deadline=Deadline.after(60, now))
        running = [asyncio.create_task(w.answer(deadline=Deadline.after(60, now))) for _ in range(4)]
        await asyncio.sleep(0.5)
        started = now()
        with pytest.raises(Shed) as shed:
            await w.answer()
        assert now() == started
        assert shed.value.retry_after > 3
        assert w.heard.sheds == ["interactive"]
        await asyncio.gather(*running)


@autojump
async def test_who_would_get_a_place_too_late_for_a_first_token_is_told_at_once() -> None:
    limits = LimitSettings(initial=1, floor=1, ceiling=1)
    async with world({"first_token": "fixed:1600"}, only_a=True, limits=limits) as w:
        await w.settle(10)
        asked_before = asyncio.create_task(w.first_token())
        await asyncio.sleep(0.01)
        started = now()
        with pytest.raises(Shed):
            await w.first_token()  # a place in 1.6 s, a token in 3.2, and 3 s for both
        assert now() == started
        await asked_before


@autojump
async def test_batch_work_waits_for_longer_than_the_budget_of_a_first_token() -> None:
    limits = LimitSettings(initial=4, floor=4, ceiling=4)
    settings = {"only_a": True, "limits": limits, "hedge_budget": HedgeBudget(ratio=0.0, burst=0.0)}
    async with world({"token_gap": "fixed:200"}, **settings) as w:
        for _ in range(3):
            await w.answer(deadline=Deadline.after(60, now))
        running = [asyncio.create_task(w.answer(deadline=Deadline.after(60, now))) for _ in range(4)]
        await asyncio.sleep(0.5)
        started = now()
        assert await w.answer(priority="batch", deadline=Deadline.after(60, now))
        assert now() - started > 3 + 0.2 * 20
        assert not w.heard.sheds
        await asyncio.gather(*running)


@autojump
async def test_a_full_upstream_gives_way_to_one_with_room() -> None:
    async with world(limits=LimitSettings(initial=2, floor=2, ceiling=2)) as w:
        await asyncio.gather(*(w.answer() for _ in range(4)))
        assert (w.a.tally.calls["chat"], w.b.tally.calls["chat"]) == (2, 2)


@pytest.mark.parametrize("b", FAULTS)
@pytest.mark.parametrize("a", FAULTS)
@autojump
async def test_whatever_is_broken_every_question_ends_in_time(a: str, b: str) -> None:
    async with world() as w:
        await w.settle(10)
        await w.a.change(**FAULTS[a])
        await w.b.change(**FAULTS[b])
        started = now()
        answers = await in_order([(number * 0.2, w.answer) for number in range(8)])
        assert now() - started < 8 * 0.2 + 20.1
        for answer in answers:
            assert isinstance(answer, (str, AllUpstreamsFailed, FirstTokenTimeout, StreamCut)), answer
        if "ok" in (a, b):
            assert sum(isinstance(answer, str) for answer in answers) >= 7
        await asyncio.sleep(4)  # probes end, too
        assert all(upstream.in_flight == upstream.waiting == 0 for upstream in w.generator.health())
        assert not w.a.tally.in_flight["chat"]
        assert not w.b.tally.in_flight["chat"]

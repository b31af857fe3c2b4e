"""The generator against simulated upstreams, in a time that jumps."""

import asyncio
import codecs
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from answering.errors import (
    AllUpstreamsFailed,
    FirstTokenTimeout,
    Shed,
    StreamCut,
    UpstreamRejected,
    UpstreamThrottled,
)
from answering.generation import Generator, Message, Token
from answering.resilience.adaptive import LimitSettings
from answering.resilience.deadline import Deadline
from answering.resilience.hedging import HedgeBudget
from answering.streams import ChatStream, Upstream
from answering.upstream import SimulatedUpstream
from tests.clock import autojump

QUESTION = (
    Message("system", "Answer from the passages."),
    Message(
        "user", '<passage n="1">Everyone has thirty days of annual leave.</passage> How many days of leave?'
    ),
)
FAULTS = {
    "ok": {},
    "slow": {"first_token": "fixed:2500"},
    "refused": {"refuse": True},
    "error": {"errors": 1.0},
    "throttled": {"throttled": 1.0},
    "hang": {"hang": 1.0},
    "stall": {"stall": 1.0},
    "cut": {"cut": 1.0},
    "drip": {"drip": 1.0, "drip_gap": 3.0},
    "malformed": {"malformed": 1.0},
}


@dataclass
class Heard:
    """What an observer was told."""

    hedges: list[tuple[str, str]] = field(default_factory=list)
    states: list[tuple[str, str]] = field(default_factory=list)
    rates: list[tuple[str, float, float]] = field(default_factory=list)
    sheds: list[str] = field(default_factory=list)

    def hedge(self, dependency: str, result: str) -> None:
        self.hedges.append((dependency, result))

    def breaker(self, dependency: str, state: str) -> None:
        self.states.append((dependency, state))

    def limit(self, dependency: str, limit: int, in_flight: int) -> None: ...

    def shed(self, priority: str) -> None:
        self.sheds.append(priority)

    def token_rate(self, dependency: str, rate: float, usual: float) -> None:
        self.rates.append((dependency, rate, usual))


@dataclass
class World:
    generator: Generator
    a: SimulatedUpstream
    b: SimulatedUpstream
    heard: Heard
    notices: list[str] = field(default_factory=list)
    asked: int = 0

    def tokens(self, **changes: Any) -> AsyncIterator[Token]:
        self.asked += 1
        settings = {"first_token": 3.0, "token_gap": 2.0, "request_id": f"q{self.asked}", **changes}
        settings.setdefault("deadline", Deadline.after(20, now))
        return self.generator.stream(
            QUESTION, on_notice=lambda code, message: self.notices.append(code), **settings
        )

    async def answer(self, **changes: Any) -> str:
        text = ""
        async for token in self.tokens(**changes):
            text = token.text if token.restart else text + token.text
        return text

    async def first_token(self, **changes: Any) -> float:
        """Seconds until it came; then stops."""
        started = now()
        async with aclosing(self.tokens(**changes)) as tokens:
            await anext(tokens)
            return now() - started

    async def settle(self, questions: int = 30) -> None:
        """Enough questions for the delays to be known."""
        for _ in range(questions):
            await self.first_token()


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def world(
    a: dict[str, Any] | None = None, b: dict[str, Any] | None = None, *, only_a: bool = False, **settings: Any
) -> AsyncIterator[World]:
    usual = {"tokens": 30, "stall_after": 12}
    async with (
        SimulatedUpstream(name="a", **{**usual, **(a or {})}) as one,
        SimulatedUpstream(name="b", **{**usual, **(b or {})}) as two,
    ):
        heard = Heard()
        upstreams = [Upstream("a", one.base_url, "key", "model"), Upstream("b", two.base_url, "key", "model")]
        generator = Generator(upstreams[: 1 if only_a else 2], observer=heard, clock=now, **settings)
        await generator.warm()
        try:
            yield World(generator, one, two, heard)
        finally:
            await generator.aclose()


async def in_order(works: list[tuple[float, Callable[[], Awaitable[Any]]]]) -> list[Any]:
    """Starts each piece of work at its time; what came of them, errors among it."""

    async def later(at: float, work: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(at)
        return await work()

    return await asyncio.gather(*(later(at, work) for at, work in works), return_exceptions=True)


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


BODIES = {
    "a line without end": b"data: " + b"x" * 1_100_000,
    "an empty stream": b"data: [DONE]\n\n",
    "no stream at all": b"",
    "a web page": b"<html>It works!</html>",
    "broken JSON": b'data: {"choices": [{"del\n\n',
    "JSON of another shape": b"data: [1, 2]\n\n",
    "content that is no text": b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
    "bytes that are no text": b"data: \xff\xfe\n\n",
    "an error inside": b'data: {"error": {"message": "overloaded"}}\n\n',
}


@pytest.mark.parametrize("body", BODIES)
@autojump
async def test_nonsense_gives_way_to_the_other_upstream(body: str) -> None:
    async with world() as w, serving(head() + BODIES[body]) as url:
        generator = Generator(
            [Upstream("odd", url, "key", "model"), Upstream("b", w.b.base_url, "key", "model")], clock=now
        )
        await generator.warm()
        async with aclosing(generator), aclosing(stream(generator)) as tokens:
            assert (await anext(tokens)).upstream == "b"


@autojump
async def test_nothing_at_all_not_even_headers_is_given_up_in_time() -> None:
    async with serving(None) as url:
        generator = Generator([Upstream("mute", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            started = now()
            with pytest.raises(FirstTokenTimeout):
                await anext(stream(generator))
            assert now() - started == pytest.approx(3.0, abs=0.1)


@autojump
async def test_a_question_that_is_refused_says_nothing_of_the_upstream() -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    async with serving(refusal) as url:
        generator = Generator([Upstream("strict", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            for _ in range(20):
                with pytest.raises(AllUpstreamsFailed) as error:
                    await anext(stream(generator))
                assert isinstance(error.value.causes[0], UpstreamRejected)
            assert generator.health()[0].state == "closed"


TEXT = b'data: {"choices": [{"delta": {"content": "Thirty"}}]}\n\n'
ENDED = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\r\n\r\n'


@pytest.mark.parametrize("end", [ENDED, b"data: [DONE]\n\n", ENDED + b"data: [DONE]\n\n"])
@autojump
async def test_an_answer_ends_when_the_upstream_says_so(end: bytes) -> None:
    async with serving(head() + b": hello\n\n" + TEXT + end) as url:
        generator = Generator([Upstream("terse", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            assert [token.text async for token in stream(generator)] == ["Thirty"]


@pytest.mark.parametrize("reason", [b"length", b"content_filter"])
@autojump
async def test_an_answer_that_the_upstream_cuts_short_is_not_whole(reason: bytes) -> None:
    async with serving(head() + TEXT + ENDED.replace(b"stop", reason)) as url:
        generator = Generator([Upstream("short", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator), aclosing(stream(generator)) as tokens:
            assert (await anext(tokens)).text == "Thirty"
            with pytest.raises(StreamCut) as cut:
                await anext(tokens)
        assert (cut.value.partial, generator.health()[0].state) == ("Thirty", "closed")


@pytest.mark.parametrize(
    "odd", [codecs.BOM_UTF8 + TEXT, TEXT.replace(b"irty", b"ir\\u0000ty")], ids=["bom", "nul"]
)
@autojump
async def test_a_byte_order_mark_or_a_nul_spoils_no_answer(odd: bytes) -> None:
    async with serving(head() + odd + ENDED) as url:
        generator = Generator([Upstream("odd", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            assert [token.text async for token in stream(generator)] == ["Thirty"]


@autojump
async def test_after_the_end_nobody_waits_for_the_connection_to_close() -> None:
    lingering = head().replace(b"connection: close", b"content-length: 9999")
    async with serving(lingering + TEXT + ENDED + b"data: [DONE]\n\n", close=False) as url:
        generator = Generator([Upstream("slow", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            started = now()
            assert [token.text async for token in stream(generator)] == ["Thirty"]
            assert now() - started < 0.2


@pytest.mark.parametrize("close", [True, False], ids=["cut", "kept open"])
@pytest.mark.parametrize("end", [ENDED, b"data: [DONE]\n\n"], ids=["reason", "done"])
@autojump
async def test_an_answer_that_is_finished_is_whole_however_its_connection_ends(
    end: bytes, close: bool
) -> None:
    promised = head().replace(b"connection: close", b"content-length: 9999")
    async with serving(promised + TEXT + end, close=close) as url:
        generator = Generator([Upstream("rude", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            assert [token.text async for token in stream(generator)] == ["Thirty"]


def test_two_tokens_become_one() -> None:
    assert Token("a", "x").then(Token("b", "x")) == Token("ab", "x")
    assert Token("a", "x").then(Token("new", "y", restart=True)) == Token("new", "y", restart=True)
    assert Token("new", "y", restart=True).then(Token("er", "y")) == Token("newer", "y", restart=True)


def stream(generator: Generator) -> AsyncIterator[Token]:
    return generator.stream(QUESTION, deadline=Deadline.after(20, now), first_token=3.0, token_gap=2.0)


def head() -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def serving(reply: bytes | None, *, close: bool = True) -> AsyncIterator[str]:
    """A server that says the same to everybody, or reads and says nothing."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        if reply is not None:
            writer.write(reply)
            if close:
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for writer in writers:
            writer.close()


class Parts:
    """A response whose body comes in parts, each a hundredth of a second after the one before."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            await asyncio.sleep(0.01)
            yield part

    async def aclose(self) -> None:
        pass


@autojump
async def test_the_first_text_is_not_gathered_with_what_comes_after_the_role() -> None:
    role = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'
    stream = ChatStream(Upstream("quick", "", "", ""), Parts(role, TEXT, ENDED))  # type: ignore[arg-type]
    begun = asyncio.get_running_loop().time()
    assert await anext(stream) == "Thirty"
    assert asyncio.get_running_loop().time() - begun == pytest.approx(0.02)

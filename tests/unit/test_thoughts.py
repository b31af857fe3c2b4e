"""Models that reason: what they say to themselves is a sign of life, and no part of the answer."""

import itertools
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering.engine import Engine
from answering.errors import AllUpstreamsFailed, FirstTokenTimeout
from answering.generation import Generator
from answering.resilience.deadline import Deadline
from answering.streams import ROOM_TO_THINK, Upstream
from answering.thoughts import Anew, Habits, Spoken
from tests.clock import autojump
from tests.fake_parts import Script, make_parts, play
from tests.unit.generating import now, world
from tests.unit.test_generation_streams import ENDED, head, serving, stream

WAYS = ["reasoning_content", "reasoning", "text"]
SIX_SECONDS = {"reasoning": 400, "first_token": "fixed:100", "token_gap": "fixed:15"}


def spoken(*pieces: str) -> str:
    one = Spoken(Habits())
    return "".join([*(one.feed(piece) for piece in pieces), one.flush()])


@given(st.lists(st.integers(0, 60)))
def test_thoughts_are_left_out_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    text = "\n<think>\nHmm, <b> or </i>?\n</think>\n\nThirty days </think> [1]."
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert spoken(*(text[a:b] for a, b in itertools.pairwise(edges))) == "Thirty days </think> [1]."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Thirty days.", "Thirty days."),
        ("<thinking>Hmm</thinking> Thirty", "Thirty"),
        ("[THINK]Hmm[/THINK]Thirty", "Thirty"),
        ("<think></think><think>\n</think>Thirty", "Thirty"),
        ("<thin> ice", "<thin> ice"),
        ("<", "<"),
        ("[1] says so", "[1] says so"),
        ("Say <think>so</think>", "Say <think>so</think>"),
        ("<think>Hmm, for ever", ""),
        ("<think>Hmm</thin", ""),
        (" \n", ""),
    ],
)
def test_only_a_block_in_front_is_thought(text: str, answer: str) -> None:
    assert spoken(text) == spoken(*text) == answer


def test_text_is_thought_up_to_an_end_that_stands_alone_on_its_line() -> None:
    habits = Habits()
    one = Spoken(habits)
    said = [one.feed(piece) for piece in ("Hmm, ", "thirty?\n", "</think>", "\n\n", "Thirty", " days.")]
    assert [piece for piece in said if isinstance(piece, Anew)] == [""]
    assert "".join(said[2:]) == "Thirty days."
    again = Spoken(habits)
    assert [again.feed(piece) for piece in ("Hmm\n", "</think>", "\n\nForty")] == ["", "", "Forty"]


@pytest.mark.parametrize("text", ["</think>\n\nThirty", "Hmm\n</think>\n\nThirty", "\n</think>\nThirty"])
def test_the_end_of_a_thought_may_come_first_of_all(text: str) -> None:
    assert Spoken(Habits()).feed(text) == "Thirty"


@pytest.mark.parametrize("text", ["Close it with </think> at its end.", "Write\n</think> there."])
def test_an_end_in_the_middle_of_a_line_is_text(text: str) -> None:
    habits = Habits()
    one = Spoken(habits)
    assert one.feed(text) + one.flush() == text
    assert not habits.unopened


def test_a_model_that_does_not_think_any_more_is_heard() -> None:
    habits = Habits(thinks=True, unopened=True)
    one = Spoken(habits)
    assert one.feed("Thirty days") + one.feed(".") + one.flush() == "Thirty days."
    assert Spoken(habits).feed("Forty") == "Forty"


@pytest.mark.parametrize(("text", "cut_short"), [("Hmm, for ever", True), ("<think>Hmm", False)])
def test_what_did_not_get_beyond_its_thoughts_has_said_nothing(text: str, cut_short: bool) -> None:
    one = Spoken(Habits(thinks=True, unopened=True))
    assert one.feed(text) + one.flush(cut_short=cut_short) == ""


@autojump
async def test_thoughts_that_nothing_announced_are_taken_back_once_and_then_known() -> None:
    async with world({**SIX_SECONDS, "reasoning_in": "unopened"}) as w:
        assert "Hmm" not in await w.answer()
        tokens = [token async for token in w.tokens()]
        assert not any("Hmm" in token.text or token.restart for token in tokens)


@autojump
async def test_a_reader_keeps_nothing_of_thoughts_that_nothing_announced() -> None:
    async with world({**SIX_SECONDS, "reasoning_in": "unopened"}) as w:
        parts, _ = make_parts(Script())
        played = await play(Script(), engine=Engine(replace(parts, generator=w.generator)))
    assert played.text.startswith("Everybody")
    assert "Hmm" not in played.text + played.last["html"] + played.record["answer"]
    assert played.last["finish"] == "complete"


async def texts(*chunks: bytes) -> list[str]:
    """The tokens of an answer of these events."""
    async with serving(head() + b"".join(chunks)) as url:
        generator = Generator([Upstream("wise", url, "key", "model")], clock=now)
        await generator.warm()
        async with aclosing(generator):
            return [token.text async for token in stream(generator)]


def event(name: str, text: str) -> bytes:
    return b'data: {"choices": [{"delta": {"%s": "%s"}}]}\n\n' % (name.encode(), text.encode())


@autojump
async def test_thoughts_may_be_parts_of_the_content() -> None:
    thought = b'{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm"}]}'
    thinks, says = (
        b'data: {"choices": [{"delta": {"content": [%s]}}]}\n\n' % part
        for part in (thought, thought + b', {"type": "text", "text": "Thirty"}')
    )
    assert await texts(thinks, says, ENDED) == ["Thirty"]


@pytest.mark.parametrize("way", WAYS)
@autojump
async def test_a_model_that_thinks_for_six_seconds_answers_all_the_same(way: str) -> None:
    async with world({**SIX_SECONDS, "reasoning_in": way}) as w:
        started = now()
        async with aclosing(w.tokens()) as tokens:
            first = await anext(tokens)
            assert 6 < now() - started < 6.5
            rest = [token.text async for token in tokens]
        assert first.text.startswith("Everyone")
        assert "Hmm" not in "".join(rest)
        assert not w.b.tally.calls["chat"]
        assert (w.notices, w.heard.hedges) == ([], [])


@autojump
async def test_thinking_makes_no_upstream_look_slow() -> None:
    async with world({"reasoning": 300}) as w:
        await w.settle()
        assert w.generator._dispatcher.delays.delay("a", 0) < 0.3
        await w.a.change(hang=1.0)
        assert await w.first_token() < 0.6


@autojump
async def test_a_thought_comes_within_the_budget_of_a_first_token() -> None:
    async with world({**SIX_SECONDS, "first_token": "fixed:3500"}, only_a=True) as w:
        with pytest.raises(FirstTokenTimeout):
            await w.answer()


@pytest.mark.parametrize("fault", ["stall", "cut"])
@autojump
async def test_another_upstream_answers_where_one_breaks_off_thinking(fault: str) -> None:
    async with world({**SIX_SECONDS, fault: 1.0}) as w:
        tokens = [token async for token in w.tokens()]
        assert {token.upstream for token in tokens} == {"b"}
        assert not any(token.restart for token in tokens)
        assert w.notices == ["llm_fallback"]


@pytest.mark.parametrize(("fault", "error"), [("stall", FirstTokenTimeout), ("cut", AllUpstreamsFailed)])
@autojump
async def test_with_nobody_to_go_on_a_thought_is_no_part_of_an_answer(
    fault: str, error: type[Exception]
) -> None:
    async with world({**SIX_SECONDS, fault: 1.0}, only_a=True) as w:
        with pytest.raises(error):
            await w.answer()


@autojump
async def test_who_thinks_to_the_deadline_has_not_answered_and_is_not_broken() -> None:
    async with world(
        {**SIX_SECONDS, "first_token": "fixed:125", "token_gap": "fixed:62.5"}, only_a=True
    ) as w:
        await w.answer(deadline=Deadline.after(60, now))
        for _ in range(5):
            with pytest.raises(FirstTokenTimeout):
                await w.answer()
        assert w.generator.health()[0].state == "closed"


@pytest.mark.parametrize(
    "chunks",
    [
        (event("content", "<think>Hmm, for ever"), ENDED),
        (event("reasoning", "Hmm"), ENDED),
        (event("content", " "), ENDED),
    ],
    ids=["unclosed", "beside the text", "blank"],
)
@autojump
async def test_an_end_without_a_word_is_no_answer(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(AllUpstreamsFailed, match="empty"):
        await texts(*chunks)


@autojump
async def test_a_model_that_thinks_gets_room_for_it() -> None:
    async with world({**SIX_SECONDS, "reasoning": 600}, only_a=True) as w:
        assert await w.answer() == await w.answer()
        assert [body["max_tokens"] for *_, body in w.a.recent] == [512, *[512 + ROOM_TO_THINK] * 2]
        await w.a.change(reasoning=3000)
        with pytest.raises(AllUpstreamsFailed, match="empty"):
            await w.answer(deadline=Deadline.after(60, now))
        assert w.a.tally.calls["chat"] == 4
        assert w.notices == []


@pytest.mark.parametrize("way", WAYS)
@autojump
async def test_the_answer_replaces_the_extract_that_stood_in_for_it(way: str) -> None:
    async with world({**SIX_SECONDS, "reasoning_in": way}) as w:
        parts, _ = make_parts(Script())
        played = await play(Script(), engine=Engine(replace(parts, generator=w.generator)))
    (offered,), (replaced, *_) = played.of("notice"), played.of("replace")
    assert offered["code"] == "provisional_extract"
    assert played.frames.index(offered) < played.frames.index(replaced)
    assert (played.last["finish"], played.last["degraded"]) == ("complete", ["provisional_extract"])
    assert "Hmm" not in str(played.frames)
    assert played.record["first_token_ms"] > 6000 > 2600 > played.record["usable_ms"]


@autojump
async def test_an_answer_that_replaced_an_extract_is_kept() -> None:
    async with world(SIX_SECONDS) as w:
        parts, scripted = make_parts(Script())
        played = await play(Script(), engine=Engine(replace(parts, generator=w.generator)))
    assert scripted.remembered == [played.text]


@pytest.mark.parametrize(
    "lines",
    [
        b'data: {"choices": [\ndata: {"delta":\ndata: {"content": "Thirty"}}]}\n\n',
        b'data: {"choices": [\r\ndata: {"delta": {"content": "Thirty"}}\r\ndata: ]}\r\n\r\n',
        b'data:{"choices": [{"delta": {"content": "Thirty"}}]}\n',
        b'event: message\nid: 1\ndata: {"choices": [{"delta":\n: hello\ndata: {"content": "Thirty"}}]}\n\n',
    ],
    ids=["three lines", "CRLF", "no blank line", "other fields between"],
)
@autojump
async def test_an_event_may_stand_on_several_lines(lines: bytes) -> None:
    assert await texts(lines, ENDED) == ["Thirty"]

"""The generator and what upstreams put into their streams."""

import asyncio
import codecs
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from answering.errors import (
    AllUpstreamsFailed,
    FirstTokenTimeout,
    StreamCut,
    UpstreamRejected,
)
from answering.generation import Generator, Token
from answering.resilience.deadline import Deadline
from answering.streams import ChatStream, Upstream
from tests.clock import autojump
from tests.servers import listening
from tests.unit.generating import QUESTION, now, world

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

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if reply is not None:
            writer.write(reply)
            if close:
                writer.close()

    async with listening(serve) as (host, port):
        yield f"http://{host}:{port}/v1"


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


SPREAD = b'data: {"choices":\ndata: [{"delta": {"content": "Thirty"}}]}\n\n'


@pytest.mark.parametrize("at_once", [1, 2, 3, 10_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
@autojump
async def test_a_line_ends_in_any_of_three_ways_however_it_comes(end: bytes, at_once: int) -> None:
    body = (b": hello\n\n" + SPREAD + b"data: [DONE]\n\n").replace(b"\n", end)
    parts = [body[at : at + at_once] for at in range(0, len(body), at_once)]
    stream = ChatStream(Upstream("old", "", "", ""), Parts(*parts))  # type: ignore[arg-type]
    assert [text async for text in stream] == ["Thirty"]

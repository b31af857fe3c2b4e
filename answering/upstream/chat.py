"""One chat completion: the tokens at their pace, or what happens to them."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from answering.thoughts import END
from answering.upstream.behaviour import Behaviour, Draw
from answering.upstream.latency import parse
from answering.upstream.tally import Call
from answering.upstream.wire import Connection

FOR_EVER = 24 * 3600.0
NONSENSE = b'data: {"choices": [{"delta": {"cont\n\n'


@dataclass(frozen=True, slots=True)
class Chat:
    """A request whose answer is `tokens`, sent over `connection` as `drawn` says, after `thoughts`."""

    behaviour: Behaviour
    drawn: Draw
    call: Call
    connection: Connection
    model: str
    tokens: list[str]
    thoughts: list[str] = field(default_factory=list)
    finish: str = "stop"

    async def whole(self) -> None:
        """The answer as one JSON body."""
        gap = parse(self.behaviour.token_gap).at(self.drawn.pace)
        silent = self.drawn.fate in {"hang", "stall"}
        await asyncio.sleep(FOR_EVER if silent else self.drawn.latency + gap * len(self.tokens))
        self.call.first_byte = time.monotonic()
        if self.drawn.fate == "malformed":
            self.connection.reply_bytes(200, "text/html", b"<html>Bad gateway</html>")
        elif self.drawn.fate == "cut":
            self.connection.abort()
        else:
            self.call.tokens = len(self.tokens)
            message = {"role": "assistant", "content": "".join(self.tokens)}
            choice = {"index": 0, "message": message, "finish_reason": self.finish}
            head = {"id": "sim", "object": "chat.completion", "created": 0, "model": self.model}
            self.connection.reply(200, {**head, "choices": [choice], "usage": usage(len(self.tokens))})

    async def stream(self, *, with_usage: bool) -> None:
        """The answer as server-sent events. The head goes out at once, as real servers do: only a token is a
        sign of progress."""
        self.connection.start_events()
        self.connection.send(self._event({"role": "assistant", "content": ""}))
        if self.drawn.fate == "hang":
            await self._silence()
        await asyncio.sleep(self.drawn.latency)
        self.call.first_byte = time.monotonic()
        if self.drawn.fate == "malformed":
            self.connection.send(NONSENSE)
            self.connection.finish()
            return
        if not await self._send_tokens():
            return
        self.connection.send(self._event({}, finish=self.finish))
        if with_usage:
            self.connection.send(self._usage())
        self.connection.send(b"data: [DONE]\n\n")
        self.connection.finish()

    async def _send_tokens(self) -> bool:
        """Sends the tokens by an absolute schedule. False when the stream was cut."""
        gap, pace = parse(self.behaviour.token_gap), random.Random(self.drawn.pace)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for index, delta in enumerate(self._deltas()):
            if index == self.behaviour.stall_after and self.drawn.fate == "stall":
                await self._silence()
            if index == self.behaviour.stall_after and self.drawn.fate == "cut":
                self.connection.close()
                return False
            if index:
                due += self.behaviour.drip_gap if self.drawn.fate == "drip" else gap.at(pace.random())
                await asyncio.sleep(due - loop.time())
                await self.connection.drained()
            self.connection.send(self._event(delta))
            self.call.tokens += 1
        return True

    def _deltas(self) -> list[dict[str, str]]:
        name, thoughts = self.behaviour.reasoning_in, self.thoughts
        if name in {"text", "unopened"}:
            name, thoughts = "content", fenced(thoughts, opened=name == "text")
        return [{name: thought} for thought in thoughts] + [{"content": token} for token in self.tokens]

    async def _silence(self) -> None:
        """Says nothing of use until the client leaves."""
        while True:
            await asyncio.sleep(self.behaviour.keepalive or FOR_EVER)
            self.connection.send(b": still working\n\n")

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return self._chunk({"choices": [choice]})

    def _usage(self) -> bytes:
        return self._chunk({"choices": [], "usage": usage(len(self.tokens))})

    def _chunk(self, content: dict[str, Any]) -> bytes:
        head = {"id": "sim", "object": "chat.completion.chunk", "created": 0, "model": self.model}
        return b"data: " + json.dumps({**head, **content}, separators=(",", ":")).encode() + b"\n\n"


def fenced(thoughts: list[str], *, opened: bool) -> list[str]:
    """Thoughts as servers send them that do not know their model; where the prompt opens the block, it is one token
    that ends it."""
    if not thoughts:
        return []
    return (
        ["<th", "ink>\n", *thoughts, "\n</th", "ink>", "\n\n"] if opened else [*thoughts, "\n", END, "\n\n"]
    )


def usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}

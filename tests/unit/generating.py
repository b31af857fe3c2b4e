"""Two simulated upstreams and a generator in a time that jumps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from answering.generation import Generator, Message, Token
from answering.resilience.deadline import Deadline
from answering.streams import Upstream
from answering.upstream import SimulatedUpstream

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

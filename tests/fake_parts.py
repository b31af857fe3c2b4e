"""A pipeline whose parts follow a script: each can be slow, fail or hang, under a controlled clock."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from answering.budgets import Budgets
from answering.caches.answer import CachedAnswer
from answering.engine import Engine
from answering.errors import AllUpstreamsFailed, FirstTokenTimeout
from answering.events import Frame, text_of
from answering.evidence import Found, route
from answering.generation import Message, Token
from answering.parts import Breakers, Parts
from answering.prefetch import Extras
from answering.prompting import Prompts
from answering.resilience.breaker import Breaker
from answering.resilience.deadline import Deadline
from answering.runlog import RunLog
from answering.runs import LiveRun
from answering.stages import Question, Run
from answering.store import History, Turn
from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.errors import EmbeddingError, LexicalError, RerankError, VectorError
from retrieval.passages import Hit, Passage, Ranking

RUN = "11111111-1111-4111-8111-111111111111"
CONVERSATION = "22222222-2222-4222-8222-222222222222"


def passage(chunk: int, text: str = "") -> Passage:
    return Passage(
        chunk=chunk,
        document=f"00000000-0000-4000-8000-{chunk:012d}",
        collection="handbook",
        collection_id=1,
        title="Leave",
        heading="Annual leave",
        page=None,
        ordinal=chunk,
        text=text or f"Everybody gets {20 + chunk} days of annual leave. The year starts in January.",
        content_hash=f"h{chunk}",
        updated_at=0.0,
    )


@dataclass
class Script:
    """How long each part takes, in seconds, and what it fails with. `HANG` never ends."""

    lexical: float | Exception = 0.002
    embed: float | Exception = 0.4
    vector: float | Exception = 0.003
    passages: float | Exception = 0.002
    history: float | Exception = 0.002
    cache: float | Exception = 0.0
    rerank: float | Exception | None = None
    first_token: float | Exception = 0.5
    gap: float = 0.02
    cut_after: int | None = None
    words: tuple[int, ...] = (1, 2)
    meaning: tuple[int, ...] = (2, 3)
    answer: str = "You get 21 days of annual leave [1]."
    answerable: bool = True
    unanswered: tuple[str, ...] = ()
    near: bool = False
    turns: tuple[Turn, ...] = ()
    cached: CachedAnswer | None = None
    similar: CachedAnswer | None = None
    model: bool = True
    started: dict[str, float] = field(default_factory=dict)

    async def take(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.started.setdefault(name, loop.time())
        what = getattr(self, name)
        if isinstance(what, Exception):
            raise what
        await asyncio.sleep(what)


HANG = 10_000.0
REFUSED = {
    "lexical": LexicalError("down"),
    "embed": EmbeddingError("down"),
    "vector": VectorError("down"),
    "passages": VectorError("down"),
    "rerank": RerankError("down"),
    "first_token": AllUpstreamsFailed(),
}


class ScriptedParts:
    """All protocols of `answering.parts` in one."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.remembered: list[str] = []
        self.searched: list[str] = []
        self.prompts_seen: list[Sequence[Message]] = []

    async def lexical(self, query: str, scope: AccessScope, k: int) -> Ranking:
        self.searched.append(query)
        await self.script.take("lexical")
        return Ranking("lexical", tuple(Hit(c, 10.0 - i) for i, c in enumerate(self.script.words)))

    async def embed(self, text: str, deadline: Deadline) -> Vector:
        await self.script.take("embed")
        return np.ones(4, np.float32) / 2

    async def vector(
        self, vector: Vector, scope: AccessScope, k: int, *, timeout: float, near: Sequence[int] = ()
    ) -> Ranking:
        await self.script.take("vector")
        return Ranking("vector", tuple(Hit(c, 0.9 - i / 10) for i, c in enumerate(self.script.meaning)))

    async def choose(
        self,
        question: str,
        scope: AccessScope,
        words: Ranking | None,
        meaning: Ranking | None,
        extra: Sequence[int],
        known: dict[int, Passage] | None = None,
        *,
        timeout: float,
    ) -> Found:
        await self.script.take("passages")
        chunks = dict.fromkeys([*(words.chunks if words else ()), *(meaning.chunks if meaning else ())])
        found = tuple(passage(chunk) for chunk in chunks)
        answerable = bool(found) and self.script.answerable and question not in self.script.unanswered
        return Found(route(words, meaning), found, answerable, near=self.script.near)

    async def rerank(self, question: str, fused: Ranking, scope: AccessScope, *, timeout: float) -> Ranking:
        """The last first."""
        await self.script.take("rerank")
        return Ranking("reranked", tuple(Hit(c, float(i)) for i, c in enumerate(reversed(fused.chunks))))

    async def history(self, question: Question) -> History:
        await self.script.take("history")
        return History(self.script.turns)

    async def gather(self, run: Run, history: "asyncio.Task[History]", extras: Extras) -> None:
        self.script.started.setdefault("intent", asyncio.get_running_loop().time())

    def settle(self, extras: Extras, shown: Iterable[int]) -> None:
        pass

    async def find(self, question: Question, words: "asyncio.Task[Ranking | None]") -> CachedAnswer | None:
        await self.script.take("cache")
        return self.script.cached

    async def similar(self, question: Question) -> CachedAnswer | None:
        return self.script.similar

    def remember(self, question: Question, reply: Any) -> None:
        self.remembered.append(reply.text)

    async def stream(
        self, messages: Sequence[Message], *, deadline: Deadline, first_token: float, **options: Any
    ) -> AsyncIterator[Token]:
        self.prompts_seen.append(messages)
        try:
            async with asyncio.timeout_at(deadline.capped(first_token).at):
                await self.script.take("first_token")
        except TimeoutError as error:
            raise FirstTokenTimeout from error
        for place, word in enumerate(self.script.answer.split(" ")):
            if place:
                await asyncio.sleep(self.script.gap)
            yield Token(f" {word}" if place else word, "main")


@dataclass
class _Searches:
    search: Callable[..., Any]


async def unpaced(tokens: AsyncIterator[Token]) -> AsyncGenerator[Token, None]:
    async for token in tokens:
        yield token


def make_parts(script: Script, budgets: Budgets | None = None) -> tuple[Parts, ScriptedParts]:
    scripted = ScriptedParts(script)
    clock = asyncio.get_running_loop().time
    parts = Parts(
        budgets=budgets or Budgets(),
        breakers=Breakers(
            *(
                Breaker(name, clock=clock)
                for name in ("lexical", "embedder", "vectors", "passages", "cache", "reranker")
            )
        ),
        lexical=_Searches(scripted.lexical),
        embed=scripted.embed,
        vectors=_Searches(scripted.vector),
        chooser=scripted,
        store=scripted,
        sources=scripted,
        answers=scripted,
        prompts=Prompts(),
        generator=scripted if script.model else None,
        pace=unpaced,
        reranker=scripted if script.rerank is not None else None,
    )
    return parts, scripted


@dataclass
class Played:
    """What one question came to."""

    frames: list[Frame]
    seconds: float
    record: dict[str, Any]
    parts: ScriptedParts

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def last(self) -> Frame:
        return self.frames[-1]

    @property
    def text(self) -> str:
        return text_of(self.frames)


def question(text: str = "How many days of annual leave do I get?") -> Question:
    return Question(RUN, 1, text, CONVERSATION, AccessScope(frozenset({1})))


async def play(
    script: Script,
    budgets: Budgets | None = None,
    *,
    live: LiveRun | None = None,
    engine: Engine | None = None,
) -> Played:
    """Answers one question with scripted parts; the clock is the running loop's."""
    parts, scripted = make_parts(script, budgets)
    live = live or LiveRun(question(), RunLog(RUN))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await (engine or Engine(parts))(live)
    return Played(live.log.frames, loop.time() - begun, live.record, scripted)

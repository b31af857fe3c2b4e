"""What the pipeline is made of: everything that can be slow, fail or be exchanged, behind small protocols."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from answering.budgets import Budgets
from answering.caches.answer import CachedAnswer
from answering.evidence import Found
from answering.generation import Message, Token
from answering.legs import Lexical, Vectors
from answering.prefetch import Extras
from answering.prompting import Prompts
from answering.reply import Reply
from answering.resilience.breaker import Breaker
from answering.resilience.deadline import Deadline
from answering.resilience.lateness import Lateness
from answering.stages import Question, Run
from answering.store import History
from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.passages import Passage, Ranking


class Chooses(Protocol):
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
    ) -> Found: ...

    async def again(
        self, chunks: Sequence[int], scope: AccessScope, *, timeout: float
    ) -> tuple[Passage, ...]: ...


class Reranks(Protocol):
    async def rerank(
        self, question: str, fused: Ranking, scope: AccessScope, *, timeout: float
    ) -> Ranking: ...


class Histories(Protocol):
    async def history(self, question: Question) -> History: ...


class Sources(Protocol):
    """What the question is likely to need beyond the search."""

    async def gather(self, run: Run, history: "asyncio.Task[History]", extras: Extras) -> None:
        """Fetches the extra sources of the likely intents into `extras`, one by one. Never raises."""
        ...

    def settle(self, extras: Extras, shown: Iterable[int]) -> None:
        """Counts what came of them: `shown` are the chunks that were cited to the reader."""
        ...


class Answers(Protocol):
    async def find(
        self, question: Question, words: "asyncio.Task[Ranking | None]"
    ) -> CachedAnswer | None: ...

    async def similar(self, question: Question) -> CachedAnswer | None: ...

    def remember(self, question: Question, reply: Reply) -> None: ...


class Generates(Protocol):
    def stream(
        self,
        messages: Sequence[Message],
        *,
        deadline: Deadline,
        first_token: float,
        token_gap: float,
        priority: str,
        request_id: str,
        on_notice: Callable[[str, str], None],
    ) -> AsyncIterator[Token]: ...


@dataclass(frozen=True, slots=True)
class Breakers:
    lexical: Breaker
    embedder: Breaker
    vectors: Breaker
    passages: Breaker
    cache: Breaker
    reranker: Breaker | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Built once a process (`wiring.py`); `generator` and `reranker` are None where none is configured. `cosines`:
    whether the vectors are the bundled model's."""

    budgets: Budgets
    breakers: Breakers
    lexical: Lexical
    embed: Callable[[str, Deadline], Awaitable[Vector]]
    vectors: Vectors
    chooser: Chooses
    store: Histories
    sources: Sources
    answers: Answers
    prompts: Prompts
    generator: Generates | None
    pace: Callable[[AsyncIterator[Token]], AsyncGenerator[Token, None]]
    reranker: Reranks | None = None
    cosines: bool = True
    lateness: Lateness = field(default_factory=Lateness)

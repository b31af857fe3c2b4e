"""Builds the pipeline and everything round it, once a process, on the process' event loop.

What is slow to make (connections, the model, the index) is made here and never on a question's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from psycopg_pool import PoolTimeout
from redis.asyncio import Redis

from answering import assembly
from answering.anticipation import Anticipation, Typist
from answering.assembly import NoEmbedder
from answering.caches.answer import AnswerCache
from answering.caches.embedding import CachedEmbedder
from answering.caches.retrieval import CachedLexical, CachedVectors, RankingCache
from answering.engine import Engine
from answering.errors import NotFound, QuotaExceeded
from answering.events import Frame
from answering.evidence import POOLED
from answering.generation import Generator
from answering.gists import GistWriter
from answering.parts import Parts
from answering.pipeline import CANDIDATES
from answering.quotas import Quotas
from answering.recovery import Recovery
from answering.runs import RunManager
from answering.store import Ask, Pool, RunStore
from answering.tracing import Tracing
from answering.tracing import configured as configured_tracing
from retrieval import passages, reranking
from retrieval.embeddings import Embedder
from retrieval.lexical.follower import Follower
from retrieval.lexical.search import LexicalSearch
from retrieval.reranking import Reranker
from retrieval.search import Legs
from retrieval.vectors import VectorIndex

INDEX_PATIENCE = 5.0
"""Seconds for the first look at the lexical index."""

POOL_PATIENCE = 10.0
"""Seconds for the first connections; without them the process starts all the same and reports itself unready."""

LEAVE = 1.5
"""Seconds for saying that this process ends; `manage.py up` kills it after 3."""

BUSY = 16
"""Runs in flight from which nothing is searched ahead of a question."""


@dataclass(slots=True)
class Wiring:
    """One process' parts. `ask` is the way in for every interface."""

    pool: Pool
    spare: Pool
    redis: "Redis"
    store: RunStore
    runs: RunManager
    recovery: Recovery
    parts: Parts
    legs: Legs
    follower: Follower
    embedder: Embedder
    generator: Generator | None
    gists: GistWriter | None
    tracing: Tracing | None
    answers: AnswerCache
    reranker: Reranker | None
    anticipation: Anticipation
    quotas: Quotas

    async def start(self) -> None:
        """Ready to answer, as far as what it needs is there; an index that is still being made answers in part."""
        await asyncio.to_thread(
            self.follower.wait_for, lambda: self.follower.index.index is not None, INDEX_PATIENCE
        )
        await self.recovery.start()
        self.parts.lateness.begin()
        with suppress(PoolTimeout):
            await asyncio.gather(self.pool.wait(POOL_PATIENCE), self.spare.wait(POOL_PATIENCE))
        if self.generator is not None:
            await self.generator.warm()

    async def ask(self, ask: Ask) -> AsyncIterator[Frame]:
        """The frames of a question. Raises AnsweringError where it cannot be begun."""
        if ask.run not in self.runs.live:
            try:
                await self.quotas.spend(ask.user)
            except QuotaExceeded:
                with suppress(NotFound):  # what ran before is told again, however often its asker has asked
                    return await self.runs.follow(ask.run, ask.user)
                raise
        return await self.runs.ask(ask)

    def typist(self, user: int) -> Typist:
        """Anticipates what one connection's reader is typing."""
        return Typist(
            self.anticipation,
            lambda: self.store.scope(user),
            lambda conversation: self.store.questions(conversation, user),
        )

    def index_state(self) -> str | None:
        """None where the lexical index is whole; else what it lacks."""
        return "rebuilding" if self.follower.rebuilding else None

    def embedder_state(self) -> str | None:
        return f"error: {self.embedder.reason}" if isinstance(self.embedder, NoEmbedder) else None

    def breaker_states(self) -> dict[str, str]:
        """Name -> state of each breaker that is not closed, and of each upstream."""
        breakers = self.parts.breakers
        states = {
            b.name: b.state
            for b in (
                breakers.lexical,
                breakers.embedder,
                breakers.vectors,
                breakers.passages,
                breakers.reranker,
            )
            if b is not None
        }
        health = self.generator.health() if self.generator else []
        return {name: state for name, state in states.items() if state != "closed"} | {
            upstream.name: "ok" if upstream.state == "closed" else upstream.state for upstream in health
        }

    async def leave(self) -> None:
        """Lets the other processes have the runs of this one, which is about to end: they look every two seconds, and
        would wait for its sign of life to run out."""
        await asyncio.gather(self.runs.aclose(), self.recovery.aclose())

    async def aclose(self) -> None:
        self.parts.lateness.end()
        await self.recovery.aclose()
        await self.runs.aclose()
        await self.answers.aclose()
        if self.gists is not None:
            await self.gists.aclose()
        if self.generator is not None:
            await self.generator.aclose()
        if self.reranker is not None:
            await self.reranker.aclose()
        await asyncio.to_thread(self.follower.stop)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)
        await asyncio.gather(self.pool.close(), self.spare.close())
        await self.redis.aclose()


async def build() -> Wiring:
    """Everything, started. Postgres and Redis may be away: then it starts all the same, and says so when asked."""
    base = await assembly.base()
    searches = LexicalSearch(base.follower.index)
    vectors = VectorIndex(
        base.spare, model=base.embedder.name, dimensions=base.embedder.dimensions, read=POOLED
    )
    rankings = RankingCache(base.follower.revision_of, on_result=assembly.count_cache)
    words = CachedLexical(searches, rankings)
    meaning = CachedVectors(vectors, rankings, partial(passages.present, base.spare))
    embedder = CachedEmbedder(
        assembly.hedged(base.embedder, base.observer), base.redis, on_result=assembly.count_cache
    )
    store, generator = RunStore(base.pool, owner=base.owner), assembly.generator(base.observer)
    answers, reranker = assembly.answer_cache(base.spare), reranking.configured(base.spare)
    parts = assembly.parts(
        base, words, meaning, embedder, store=store, answers=answers, generator=generator, reranker=reranker
    )
    gists = assembly.gist_writer(store, generator)
    tracing = configured_tracing(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
    runs = RunManager(
        store,
        base.redis,
        Engine(parts, tracing),
        on_asked=assembly.early(embedder, parts),
        on_stored=gists.after if gists else lambda conversation: None,
        lateness=parts.lateness,
    )
    queues = {"ingest": settings.CELERY_TASK_DEFAULT_QUEUE}
    built = Wiring(
        pool=base.pool,
        spare=base.spare,
        redis=base.redis,
        store=store,
        runs=runs,
        recovery=Recovery(runs, base.redis, owner=base.owner, queues=queues),
        parts=parts,
        legs=Legs(base.pool, embedder, searches, vectors, cosines=parts.cosines),
        follower=base.follower,
        embedder=base.embedder,
        generator=generator,
        gists=gists,
        tracing=tracing,
        answers=answers,
        reranker=reranker,
        anticipation=_anticipation(words, embedder, meaning, runs),
        quotas=Quotas(base.redis, settings.QUOTA_PER_MINUTE),
    )
    await built.start()
    assembly.settle()
    return built


def _anticipation(
    words: CachedLexical, embedder: CachedEmbedder, meaning: CachedVectors, runs: RunManager
) -> Anticipation:
    return Anticipation(
        words,
        embedder,
        meaning,
        candidates=CANDIDATES,
        busy=lambda: len(runs.live) >= BUSY,
        on_result=assembly.count_prefetch,
    )


class _Process:
    """The wiring of this process, built by whoever asks first; one per event loop, for tests have several."""

    built: "tuple[asyncio.AbstractEventLoop, asyncio.Task[Wiring]] | None" = None


async def wiring() -> Wiring:
    """This process' wiring."""
    loop = asyncio.get_running_loop()
    if _Process.built is None or _Process.built[0] is not loop:
        _Process.built = loop, loop.create_task(build())
    task = _Process.built[1]
    try:
        return await asyncio.shield(task)
    except BaseException:
        if task.done() and (task.cancelled() or task.exception()):
            _Process.built = None  # the next who asks tries again
        raise


async def leave() -> None:
    """Before the process ends, where there is a wiring; in time, for who stops it may not wait for long."""
    if _Process.built is None or not _Process.built[1].done() or _Process.built[1].exception():
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE):
            await _Process.built[1].result().leave()

"""Builds the pipeline and everything round it, once a process, on the process' event loop.

What is slow to make (connections, the model, the index) is made here and never on a question's way."""

import asyncio
import gc
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

from django.conf import settings
from psycopg_pool import PoolTimeout
from redis.asyncio import Redis

from answering import metrics
from answering.anticipation import Anticipation, Typist
from answering.budgets import Budgets
from answering.caches.answer import AnswerCache
from answering.caches.embedding import CachedEmbedder
from answering.caches.retrieval import CachedLexical, CachedVectors, RankingCache
from answering.embedding import HedgedEmbedder
from answering.engine import Engine
from answering.events import Frame
from answering.evidence import MODEL_THRESHOLD, Chooser
from answering.generation import Generator, Token, Upstream
from answering.gists import GistWriter
from answering.intent import IntentClassifier
from answering.observer import MetricsObserver
from answering.parts import Breakers, Parts
from answering.pipeline import CANDIDATES
from answering.prefetch import Prefetch
from answering.prompting import Prompts
from answering.quotas import Quotas
from answering.recovery import Recovery
from answering.resilience.breaker import Breaker, Thresholds
from answering.resilience.hedging import HedgeBudget, HedgeDelay, Hedger
from answering.resilience.pacing import TokenPacer
from answering.runs import RunManager
from answering.sources import Sources
from answering.store import Ask, Pool, RunStore
from answering.streams import Chat
from answering.tracing import Tracing
from answering.tracing import configured as configured_tracing
from retrieval import reranking
from retrieval.database import make_pool
from retrieval.embeddings import Embedder, Vector, factory
from retrieval.errors import EmbeddingError
from retrieval.evidence import THRESHOLD
from retrieval.lexical.follower import Follower
from retrieval.lexical.search import LexicalSearch
from retrieval.metrics import INDEX_LAG
from retrieval.reranking import Reranker
from retrieval.search import Legs
from retrieval.vectors import VectorIndex

logger = logging.getLogger("answering")

POOL_MIN, POOL_MAX = 8, 16
COLLECTED = (10_000, 20, 50)
"""The garbage collector's thresholds: a question makes some thousand objects, and hardly a cycle among them."""

# Where nothing takes the place of a dependency, leaving it alone helps nobody but itself: only a long and nearly whole
# failure is taken for one, and it is tried again soon. A few slow answers on a busy machine are none.
THRESHOLDS = {
    "vectors": Thresholds(consecutive=12, failure_rate=0.7, minimum_calls=30, open_cap=5.0),
    "passages": Thresholds(
        consecutive=30, failure_rate=0.9, minimum_calls=60, open_seconds=0.5, open_cap=2.0
    ),
}

INDEX_PATIENCE = 5.0
"""Seconds for the first look at the lexical index."""

POOL_PATIENCE = 10.0
"""Seconds for the first connections; without them the process starts all the same and reports itself unready."""

DEPENDENCIES = ("lexical", "embedder", "vectors", "passages")

BUSY = 16
"""Runs in flight from which nothing is searched ahead of a question."""

REDIS_PATIENCE = 2.0
"""Seconds to connect to Redis. Calls have their own, shorter limits; a blocking read has none."""


class NoEmbedder:
    """Stands where the embedder cannot be loaded: questions are searched by words, and readiness says why."""

    name, dimensions = "none", 0

    def __init__(self, reason: EmbeddingError) -> None:
        self.reason = reason

    async def embed_query(self, text: str, *, timeout: float) -> Vector:
        raise EmbeddingError(str(self.reason))

    def embed_documents(self, texts: object) -> object:
        raise EmbeddingError(str(self.reason))

    async def aclose(self) -> None:
        pass


@dataclass(slots=True)
class Wiring:
    """One process' parts. `ask` is the way in for every interface."""

    pool: Pool
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
        with suppress(PoolTimeout):
            await self.pool.wait(POOL_PATIENCE)
        if self.generator is not None:
            await self.generator.warm()

    async def ask(self, ask: Ask) -> AsyncIterator[Frame]:
        """The frames of a question. Raises AnsweringError where it cannot be begun."""
        if ask.run not in self.runs.live:
            await self.quotas.spend(ask.user)
        return await self.runs.ask(ask)

    def typist(self, user: int) -> Typist:
        """Anticipates what one connection's reader is typing."""
        return Typist(self.anticipation, lambda: self.store.scope(user))

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

    async def aclose(self) -> None:
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
        self.parts.prompts.close()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)
        await self.pool.close()
        await self.redis.aclose()


def upstreams() -> list[Upstream]:
    """The models that the settings name, in order of preference."""
    found = []
    if settings.HAS_MODEL:
        url = settings.OPENAI_BASE_URL or "https://api.openai.com/v1"
        found.append(Upstream("main", url, settings.OPENAI_API_KEY or "none", settings.ANSWER_MODEL))
    if settings.FALLBACK_BASE_URL or settings.FALLBACK_API_KEY:
        url = settings.FALLBACK_BASE_URL or "https://api.openai.com/v1"
        found.append(Upstream("fallback", url, settings.FALLBACK_API_KEY or "none", settings.FALLBACK_MODEL))
    return found


def load_embedder() -> Embedder:
    try:
        return factory.ready()
    except EmbeddingError as error:
        logger.warning("the embedder cannot be loaded", extra={"cause": str(error)})
        return cast(Embedder, NoEmbedder(error))


async def build() -> Wiring:
    """Everything, started. Postgres and Redis may be away: then it starts all the same, and says so when asked."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    observer = MetricsObserver()
    pool = make_pool(settings.DATABASE_URL, min_size=POOL_MIN, max_size=POOL_MAX)
    await pool.open()
    redis = Redis.from_url(settings.REDIS_URL, protocol=2, socket_connect_timeout=REDIS_PATIENCE)
    embedder, follower, classifier = await asyncio.gather(
        asyncio.to_thread(load_embedder),
        asyncio.to_thread(start_follower),
        asyncio.to_thread(IntentClassifier),
    )
    searches = LexicalSearch(follower.index)
    vectors = VectorIndex(pool, model=embedder.name, dimensions=embedder.dimensions)
    rankings = RankingCache(lambda: follower.revision, on_result=count_cache)
    words, meaning = CachedLexical(searches, rankings), CachedVectors(vectors, rankings)
    cached = CachedEmbedder(hedged(embedder, HedgeBudget(), observer), redis, on_result=count_cache)
    models = upstreams()
    generator = Generator(models, hedge_delay=hedge_delay(), observer=observer) if models else None
    answers = AnswerCache(pool, model=",".join(model.model for model in models), on_result=count_cache)
    ahead = Prefetch(words, pool, classifier, on_result=count_prefetch, similar=answers.similar)
    store, budgets = RunStore(pool, owner=owner), Budgets.from_milliseconds(settings.BUDGETS_MS)
    reranker = reranking.configured(pool)
    dependencies = (*DEPENDENCIES, "reranker") if reranker else DEPENDENCIES
    parts = Parts(
        budgets=budgets,
        breakers=Breakers(
            *(Breaker(name, THRESHOLDS.get(name), on_change=observer.breaker) for name in dependencies)
        ),
        lexical=words,
        embed=lambda text, deadline: cached.embed_query(text, timeout=deadline.remaining()),
        vectors=meaning,
        chooser=Chooser(
            pool,
            timeout=budgets.vector,
            cosines=not settings.HAS_REMOTE_EMBEDDER,
            threshold=MODEL_THRESHOLD if generator else THRESHOLD,
        ),
        store=store,
        sources=Sources(classifier, ahead),
        answers=answers,
        prompts=Prompts(),
        generator=generator,
        pace=TokenPacer(Token.then),
        reranker=reranker,
    )
    tracing = configured_tracing(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
    gists = gist_writer(store, generator)
    for name in (*dependencies, *(model.name for model in models)):
        observer.breaker(name, "closed")
    runs = RunManager(
        store,
        redis,
        Engine(parts, tracing),
        on_asked=early(cached, parts),
        on_stored=gists.after if gists else lambda conversation: None,
    )
    built = Wiring(
        pool=pool,
        redis=redis,
        store=store,
        runs=runs,
        recovery=Recovery(runs, redis, owner=owner, queues={"ingest": settings.CELERY_TASK_DEFAULT_QUEUE}),
        parts=parts,
        legs=Legs(pool, cached, searches, vectors),
        follower=follower,
        embedder=embedder,
        generator=generator,
        gists=gists,
        tracing=tracing,
        answers=answers,
        reranker=reranker,
        anticipation=Anticipation(
            words,
            cached,
            meaning,
            candidates=CANDIDATES,
            busy=lambda: len(runs.live) >= BUSY,
            on_result=count_prefetch,
        ),
        quotas=Quotas(redis, settings.QUOTA_PER_MINUTE),
    )
    await built.start()
    settle()
    return built


def settle() -> None:
    """Takes what lives as long as the process out of the collector's sight, once: a full collection stops every
    question for a fifth of a second where it looks through all of Django, and for a few milliseconds where not."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED)


def early(embedder: CachedEmbedder, parts: Parts) -> Callable[[Ask], None]:
    """Embeds a question while it is stored."""

    def begin(ask: Ask) -> None:
        if parts.breakers.embedder.state == "closed":
            embedder.begin(ask.text, timeout=parts.budgets.embed)

    return begin


def gist_writer(store: RunStore, generator: Generator | None) -> GistWriter | None:
    models = upstreams()
    if generator is None or not settings.FAST_MODEL:
        return None
    chat = Chat(replace(models[0], name="fast", model=settings.FAST_MODEL))
    return GistWriter(store, chat, busy=lambda: generator.expected_wait("batch") > 0)


def hedge_delay() -> HedgeDelay:
    return HedgeDelay(floor=settings.HEDGE_DELAY_MIN_MS / 1000, ceiling=settings.HEDGE_DELAY_MAX_MS / 1000)


def hedged(embedder: Embedder, budget: HedgeBudget, observer: MetricsObserver) -> Embedder:
    """A server's embedder with a second call where the first is late; the bundled one as it is."""
    if not settings.HAS_REMOTE_EMBEDDER or isinstance(embedder, NoEmbedder):
        return embedder
    return HedgedEmbedder(embedder, Hedger("embedder", budget, hedge_delay(), observer=observer))


def start_follower() -> Follower:
    follower = Follower(
        settings.DATABASE_URL,
        folder=settings.LEXICAL_DIR,
        engine=settings.LEXICAL_ENGINE,
        on_lag=INDEX_LAG.set,
    )
    follower.start()
    return follower


def count_prefetch(kind: str, result: str) -> None:
    metrics.prefetch_total.labels(kind, result).inc()


def count_cache(cache: str, result: str) -> None:
    metrics.cache_requests_total.labels(cache, result).inc()


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

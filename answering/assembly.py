"""What a process' parts are made from: the settings' models, the embedder, the follower, the connections; and the parts
of the pipeline, put together."""

import asyncio
import gc
import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from django.conf import settings
from redis.asyncio import Redis

from answering import metrics
from answering.budgets import Budgets
from answering.caches.answer import AnswerCache
from answering.caches.embedding import CachedEmbedder
from answering.caches.retrieval import CachedLexical, CachedVectors
from answering.embedding import HedgedEmbedder
from answering.evidence import MODEL_THRESHOLD, Chooser
from answering.generation import Generator, Token, Upstream
from answering.gists import GistWriter
from answering.intent import IntentClassifier
from answering.observer import MetricsObserver, count_from_zero
from answering.parts import Breakers, Parts
from answering.prefetch import Prefetch
from answering.prompting import Prompts
from answering.redis_client import make_redis
from answering.resilience.breaker import Breaker, Thresholds
from answering.resilience.delays import HedgeDelay
from answering.resilience.hedging import HedgeBudget, Hedger
from answering.resilience.pacing import TokenPacer
from answering.store import Ask, Pool, RunStore
from answering.streams import Chat
from retrieval.database import make_pool
from retrieval.embeddings import Embedder, Vector, factory
from retrieval.errors import EmbeddingError
from retrieval.evidence import THRESHOLD
from retrieval.lexical.follower import Follower
from retrieval.metrics import INDEX_LAG
from retrieval.reranking import Reranker

logger = logging.getLogger("answering")

NEEDED, SPARED = (16, 20), (4, 12)
"""Connections to Postgres, from the start and at most: for what nothing takes the place of (questions, passages, the
ends of answers), and for the rest (vectors, kept answers, prefetching), which may not take them all where Postgres is
slow. A pool grows by one at a time, too late for the questions that come meanwhile."""

COLLECTED = (10_000, 20, 50)
"""The garbage collector's thresholds: a question makes some thousand objects, and hardly a cycle among them."""

TURN = 0.0005
"""Seconds that a thread computes before another one that waits may: a tenth of Python's own. The event loop asks for
its turn after every wait for the network; what searches by words or renders a page beside it need not be quick."""

# Where nothing takes the place of a dependency, leaving it alone helps nobody but itself: only a long and nearly whole
# failure is taken for one, and it is tried again soon. A few slow answers on a busy machine are none. Without the
# embedder the search is worse, and who tries it has the citations of the other leg meanwhile.
THRESHOLDS = {
    "embedder": Thresholds(open_cap=5.0),
    "vectors": Thresholds(consecutive=12, failure_rate=0.7, minimum_calls=30, open_cap=5.0),
    "passages": Thresholds(
        consecutive=30, failure_rate=0.9, minimum_calls=60, open_seconds=0.5, open_cap=2.0
    ),
}

DEPENDENCIES = ("lexical", "embedder", "vectors", "passages", "cache")


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


@dataclass(frozen=True, slots=True)
class Base:
    """What is slow to make, and shared. `owner` names this process among all; `spare` are the connections for what
    answers can do without."""

    owner: str
    observer: MetricsObserver
    pool: Pool
    spare: Pool
    redis: "Redis"
    embedder: Embedder
    follower: Follower
    classifier: IntentClassifier


async def base() -> Base:
    """Postgres and Redis may be away: connections are made when they are needed."""
    pool, spare = (
        make_pool(settings.DATABASE_URL, min_size=least, max_size=most) for least, most in (NEEDED, SPARED)
    )
    await asyncio.gather(pool.open(), spare.open())
    redis = make_redis(settings.REDIS_URL)
    embedder, follower, classifier = await asyncio.gather(
        asyncio.to_thread(load_embedder),
        asyncio.to_thread(start_follower),
        asyncio.to_thread(IntentClassifier),
    )
    count_from_zero(["embedder", *(upstream.name for upstream in upstreams())])
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    return Base(owner, MetricsObserver(), pool, spare, redis, embedder, follower, classifier)


def parts(
    of: Base,
    words: CachedLexical,
    meaning: CachedVectors,
    embedder: CachedEmbedder,
    *,
    store: RunStore,
    answers: AnswerCache,
    generator: Generator | None,
    reranker: Reranker | None,
) -> Parts:
    budgets = Budgets.from_milliseconds(settings.BUDGETS_MS)
    guards = breakers(of.observer, reranked=reranker is not None)
    ahead = Prefetch(
        words,
        of.spare,
        of.classifier,
        on_result=count_prefetch,
        similar=answers.similar,
        resting=lambda: guards.cache.state != "closed",
    )
    bundled = not settings.HAS_REMOTE_EMBEDDER
    return Parts(
        budgets=budgets,
        breakers=guards,
        lexical=words,
        embed=lambda text, deadline: embedder.embed_query(text, timeout=deadline.remaining()),
        vectors=meaning,
        chooser=Chooser(
            of.pool,
            cosines=bundled,
            threshold=settings.EVIDENCE_THRESHOLD or (MODEL_THRESHOLD if generator else THRESHOLD),
        ),
        store=store,
        sources=ahead,
        answers=answers,
        prompts=Prompts(),
        generator=generator,
        pace=TokenPacer(Token.then),
        reranker=reranker,
        cosines=bundled,
    )


def breakers(observer: MetricsObserver, *, reranked: bool) -> Breakers:
    names = (*DEPENDENCIES, "reranker") if reranked else DEPENDENCIES
    for name in (*names, *(model.name for model in upstreams())):
        observer.breaker(name, "closed")  # or the metric would not be there before the first change
    return Breakers(*(Breaker(name, THRESHOLDS.get(name), on_change=observer.breaker) for name in names))


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


def generator(observer: MetricsObserver) -> Generator | None:
    models = upstreams()
    return Generator(models, hedge_delay=hedge_delay(), observer=observer) if models else None


def answer_cache(pool: Pool) -> AnswerCache:
    return AnswerCache(pool, model=",".join(model.model for model in upstreams()), on_result=count_cache)


def load_embedder() -> Embedder:
    try:
        return factory.ready()
    except EmbeddingError as error:
        logger.warning("the embedder cannot be loaded", extra={"cause": str(error)})
        return cast(Embedder, NoEmbedder(error))


def settle() -> None:
    """Lets threads take turns quickly, and takes what lives as long as the process out of the collector's sight, once:
    a full collection stops every question for a fifth of a second where it looks through all of Django, and for a
    few milliseconds where not."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED)
    sys.setswitchinterval(TURN)


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


def hedged(embedder: Embedder, observer: MetricsObserver) -> Embedder:
    """A server's embedder with a second call where the first is late; the bundled one as it is."""
    if not settings.HAS_REMOTE_EMBEDDER or isinstance(embedder, NoEmbedder):
        return embedder
    return HedgedEmbedder(embedder, Hedger("embedder", HedgeBudget(), hedge_delay(), observer=observer))


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

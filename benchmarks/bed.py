"""What a benchmark runs on: the bundled Postgres and Redis with a library in them, the simulated servers, and the
product's pipeline as `wiring` builds it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings

from answering import wiring
from answering.engine import Engine
from answering.legs import Lexical, Vectors
from answering.parts import Parts
from answering.runs import RunManager
from benchmarks.environment import DATA
from benchmarks.faultproxy import FaultProxy
from benchmarks.profiles import Profile
from benchmarks.seeding import seed
from benchmarks.servers import Simulated
from qa_site import places
from qa_site.embedded import Servers
from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.passages import Ranking

INDEX_PATIENCE = 60.0


@contextmanager
def stores() -> Iterator[int]:
    """Postgres and Redis, running, with the library in them; gives the id of the user who asks. For the main
    thread."""
    servers = Servers(DATA)
    try:
        servers.start()
        call_command("migrate", verbosity=0)
        user = seed(
            f"{settings.EMBEDDING_MODEL}@{settings.EMBEDDING_DIMENSIONS}", settings.EMBEDDING_DIMENSIONS
        )
        connections.close_all()
        yield user
    finally:
        servers.stop()
        shutil.rmtree(DATA, ignore_errors=True)
        shutil.rmtree(places.socket_dir(DATA), ignore_errors=True)


@dataclass(frozen=True, slots=True)
class SlowLexical:
    """The real search, whose result is held back until `seconds` have passed since it was asked."""

    inner: Lexical
    seconds: float

    async def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        async with lasting(self.seconds):
            return await self.inner.search(query, scope, k)


@dataclass(frozen=True, slots=True)
class SlowVectors:
    inner: Vectors
    seconds: float

    async def search(
        self, vector: Vector, scope: AccessScope, k: int, *, timeout: float, near: Sequence[int] = ()
    ) -> Ranking:
        async with lasting(self.seconds):
            return await self.inner.search(vector, scope, k, timeout=timeout, near=near)


@asynccontextmanager
async def lasting(seconds: float) -> AsyncIterator[None]:
    """Lets what is done in it take so long, if it would take less. Raises at once what it raises."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    yield
    await asyncio.sleep(end - clock())


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The product under test; `plain`, its parts without caches, for the baseline; and by name the proxies that a
    profile may turn on it."""

    runs: RunManager
    plain: Parts
    scope: AccessScope
    proxies: dict[str, FaultProxy]


def forget() -> None:
    """Empties the caches that outlive a pipeline: profiles ask the same questions."""
    with redis.Redis.from_url(places.bundled_redis_url(DATA)) as store:
        store.flushall()
    with psycopg.connect(places.bundled_database_url(DATA), autocommit=True) as connection:
        connection.execute("TRUNCATE answering_cachedanswer")


@asynccontextmanager
async def pipeline(profile: Profile, simulated: Simulated, user: int) -> AsyncIterator[Pipeline]:
    """A fresh pipeline with empty caches, for one profile."""
    forget()
    async with AsyncExitStack() as stack:
        proxies = {}
        changed: dict[str, object] = {
            "OPENAI_BASE_URL": simulated.urls["a"],
            "FALLBACK_BASE_URL": simulated.urls["b"],
            "EMBEDDING_BASE_URL": simulated.urls["embedder"],
            "BUDGETS_MS": {**settings.BUDGETS_MS, **profile.budgets},
        }
        sockets = places.socket_dir(DATA)
        if any(change.whom == "postgres" for change in profile.changes):
            proxies["postgres"] = await stack.enter_async_context(FaultProxy(sockets / ".s.PGSQL.5432"))
            name = places.DATABASE_NAME
            changed["DATABASE_URL"] = f"postgresql://postgres@127.0.0.1:{proxies['postgres'].port}/{name}"
        if any(change.whom == "redis" for change in profile.changes):
            proxies["redis"] = await stack.enter_async_context(FaultProxy(sockets / "redis.sock"))
            changed["REDIS_URL"] = f"redis://127.0.0.1:{proxies['redis'].port}/0"
        stack.enter_context(override_settings(**changed))
        built = await wiring.build()
        stack.push_async_callback(built.aclose)
        async with asyncio.timeout(INDEX_PATIENCE):
            while built.index_state() is not None:  # noqa: ASYNC110 - a thread's state
                await asyncio.sleep(0.05)
        parts = slowed(built.parts, profile.search_seconds)
        bare = replace(built.parts, lexical=built.legs.lexical, vectors=built.legs.vectors)
        scope = await built.store.scope(user)
        runs = RunManager(built.store, built.redis, Engine(parts), lateness=parts.lateness)
        built.recovery.manager = runs  # a run of this process that nobody tends would be answered again
        stack.push_async_callback(runs.aclose)
        yield Pipeline(runs, slowed(bare, profile.search_seconds), scope, proxies)


def slowed(parts: Parts, seconds: float) -> Parts:
    """The parts with legs of the search that take so long."""
    if not seconds:
        return parts
    return replace(
        parts, lexical=SlowLexical(parts.lexical, seconds), vectors=SlowVectors(parts.vectors, seconds)
    )


def data_sets() -> Path | None:
    """The labelled sets, where they are."""
    folder = Path(os.environ.get("CITEFIRST_DATA", settings.BASE_DIR.parent / "shared" / "data"))
    return folder if folder.is_dir() else None

"""Vectors of questions, kept in the process and in Redis. A vector depends on text and model alone, so it is
the same for everybody and outlives every change of documents and rights."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from redis.asyncio import Redis

from answering.caches.lru import LruCache
from answering.caches.normalise import digest, normal
from answering.caches.remote import RemoteBytes
from answering.resilience.singleflight import SingleFlight
from retrieval.embeddings import Embedder, Vector, Vectors
from retrieval.errors import EmbeddingError

MOST_BYTES = 16 * 1024 * 1024
TTL = 7 * 24 * 3600
MOST_AHEAD = 1000
"""Questions whose vector was begun and not asked for yet, that are remembered."""

Outcome = Callable[[str, str], None]
"""Told (cache, result) of each look-up: `hit`, `miss`, `stale` or `error`."""


class CachedEmbedder:
    """An Embedder that asks another one only for what it has not seen. Equal questions at one time are one
    call."""

    def __init__(
        self,
        embedder: Embedder,
        redis: Redis | None,
        *,
        on_result: Outcome,
        most_bytes: int = MOST_BYTES,
        ttl: int = TTL,
    ) -> None:
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._on_result = on_result
        self._kept: LruCache[bytes, Vector] = LruCache(
            most_bytes=most_bytes, ttl=ttl, size_of=lambda vector: vector.nbytes + 200
        )
        self._remote = RemoteBytes(redis, prefix="cf:embedding", ttl=ttl)
        self._flights: SingleFlight[bytes, Vector] = SingleFlight()
        self._ahead: dict[bytes, None] = {}
        self._writes: set[asyncio.Task[None]] = set()

    async def embed_query(self, text: str, *, timeout: float, asked: bool = True) -> Vector:
        """The vector of a question. `asked`: for a question and not ahead of one, so it is counted.

        Raises what the embedder raises."""
        key = self._key(text)
        kept = self._kept.get(key)
        if asked and key in self._ahead:  # counted when `begin` looked it up
            del self._ahead[key]
            asked = False
        if kept is None:
            return await self._flights.do(key, lambda: self._fetch(key, text, timeout, asked))
        if asked:
            self._on_result("embedding", "hit")
        return kept

    def begin(self, text: str, *, timeout: float) -> None:
        """Starts on the vector of a question that will be asked for in a moment. Whoever asks then joins in, and
        gets the error where there is one."""
        key = self._key(text)
        if self._kept.get(key) is not None:
            return
        self._ahead[key] = None
        if len(self._ahead) > MOST_AHEAD:
            del self._ahead[next(iter(self._ahead))]
        task = asyncio.create_task(self._begun(key, text, timeout))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _begun(self, key: bytes, text: str, timeout: float) -> None:
        with suppress(EmbeddingError):
            await self._flights.do(key, lambda: self._fetch(key, text, timeout, True))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_documents(texts)

    async def aclose(self) -> None:
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._embedder.aclose()

    def _key(self, text: str) -> bytes:
        return digest(self.name, str(self.dimensions), normal(text))

    async def _fetch(self, key: bytes, text: str, timeout: float, asked: bool) -> Vector:
        stored, answered = await self._remote.get(key)
        known = stored is not None and len(stored) == 4 * self.dimensions
        if asked:
            self._on_result("embedding", "hit" if known else "miss" if answered else "error")
        vector: Vector
        if stored is not None and known:
            vector = np.frombuffer(stored, dtype=np.float32)
        else:
            vector = np.asarray(await self._embedder.embed_query(text, timeout=timeout), dtype=np.float32)
            self._write(key, vector)
        self._kept.put(key, vector)
        return vector

    def _write(self, key: bytes, vector: Vector) -> None:
        # Beside the question, not before it.
        task = asyncio.create_task(self._remote.put(key, vector.tobytes()))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

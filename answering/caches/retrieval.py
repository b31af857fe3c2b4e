"""Rankings of questions just searched, for a moment: what typing has fetched is there when Enter is pressed.

A ranking is found again only under the same words, scope, leg and revision of what is in that scope: another reader's
scope, a new document in it or a changed group is another key. What changes elsewhere is not, and cannot be told by the
time that a search takes. It stays in the process: the search itself takes a millisecond
or two. The revision is that of the index of words, which comes a moment after a change: so what is found again by
meaning is looked at in Postgres, or a document just replaced would be found neither as it was nor as it is."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from answering.caches.embedding import Outcome
from answering.caches.lru import LruCache
from answering.caches.normalise import normal
from answering.legs import Lexical, Vectors
from answering.resilience.singleflight import SingleFlight
from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.passages import Ranking

MOST_BYTES = 8 * 1024 * 1024
TTL = 30.0
"""Seconds. Long enough to finish typing; the bound on age where a revision moves late."""

HIT_BYTES = 120
"""A Hit with its two numbers and its place in a tuple, about."""

LOOKED_AT = 16
"""First hits of a vector search that are still to be there; what comes after them hardly gets into an answer."""

Key = tuple[str, str, str, str, int]
"""Leg, what is searched for, scope, revision, k."""

Still = Callable[[Ranking], Awaitable[bool]]
"""Whether what a ranking found is still there."""

Present = Callable[[Sequence[int], AccessScope, float], Awaitable[int]]
"""How many of these chunks are in the scope now. The last is seconds."""


async def _always(ranking: Ranking) -> bool:
    return True


class RankingCache:
    """What both legs keep. `revision` names the state of the index now, as far as a scope sees it."""

    def __init__(
        self,
        revision: Callable[[AccessScope], object],
        *,
        on_result: Outcome,
        most_bytes: int = MOST_BYTES,
        ttl: float = TTL,
    ) -> None:
        self._revision = revision
        self._on_result = on_result
        self._kept: LruCache[Key, Ranking] = LruCache(
            most_bytes=most_bytes, ttl=ttl, size_of=lambda ranking: HIT_BYTES * (len(ranking) + 4)
        )

    async def search(
        self,
        leg: str,
        what: str,
        scope: AccessScope,
        k: int,
        work: Callable[[Key], Awaitable[Ranking]],
        *,
        asked: bool,
        still: Still = _always,
    ) -> Ranking:
        """The ranking kept, or that of `work`. `asked`: for a question and not ahead of one, so it is
        counted, and must be what is `still` there."""
        key = self._key(leg, what, scope, k)
        found = self._kept.get(key)
        stale = found is not None and asked and not await still(found)
        if asked:
            self._on_result("retrieval", "miss" if found is None else "stale" if stale else "hit")
        if found is not None and not stale:
            return found
        ranking = await work(key)
        if not ranking.partial:  # it knew only some of the chunks
            self._kept.put(key, ranking.bare())
        return ranking

    def _key(self, leg: str, what: str, scope: AccessScope, k: int) -> Key:
        return leg, what, scope.key, str(self._revision(scope)), k


class CachedLexical:
    """A lexical search that remembers, and is one for all who search the same at a time. Raises what the search
    raises."""

    def __init__(self, search: Lexical, cache: RankingCache) -> None:
        self._search = search
        self._cache = cache
        self._flights: SingleFlight[Key, Ranking] = SingleFlight()

    async def search(self, query: str, scope: AccessScope, k: int, *, asked: bool = True) -> Ranking:
        search = lambda: self._search.search(query, scope, k)  # noqa: E731
        work = lambda key: self._flights.do(key, search)  # noqa: E731
        return await self._cache.search("lexical", normal(query), scope, k, work, asked=asked)


class CachedVectors:
    """A vector search that remembers. Equal ones at a time are made each: to share one takes three turns of the loop
    more, and everybody waits for it. Raises what the search raises."""

    def __init__(self, vectors: Vectors, cache: RankingCache, present: Present) -> None:
        self._vectors = vectors
        self._cache = cache
        self._present = present

    async def search(
        self,
        vector: Vector,
        scope: AccessScope,
        k: int,
        *,
        timeout: float,
        near: Sequence[int] = (),
        asked: bool = True,
    ) -> Ranking:
        what = hashlib.blake2b(vector.tobytes(), digest_size=16).hexdigest()
        work = lambda key: self._vectors.search(vector, scope, k, timeout=timeout, near=near)  # noqa: E731

        async def still(found: Ranking) -> bool:
            first = found.chunks[:LOOKED_AT]
            return await self._present(first, scope, timeout) == len(first)

        return await self._cache.search("vector", what, scope, k, work, asked=asked, still=still)

"""Both legs of retrieval side by side, fused: what `GET search` gives. The answering pipeline runs the same
parts with its own budgets."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval import passages
from retrieval.access import AccessScope
from retrieval.embeddings import Embedder
from retrieval.errors import RetrievalError
from retrieval.fusion import fuse
from retrieval.lexical.search import LexicalSearch
from retrieval.passages import Passage, Ranking
from retrieval.vectors import VectorIndex, so_far

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

logger = logging.getLogger(__name__)

CANDIDATES = 100
"""Hits that each leg gives at least, so that the fused order of the first k is not cut short."""


@dataclass(frozen=True, slots=True)
class Legs:
    """What a search needs, built once a process. Seconds: what each leg and the loading may take. `cosines`:
    whether the vectors are the bundled model's."""

    pool: "AsyncConnectionPool[AsyncConnection]"
    embedder: Embedder
    lexical: LexicalSearch
    vectors: VectorIndex
    seconds: float = 2.0
    cosines: bool = True


async def search(legs: Legs, scope: AccessScope, q: str, k: int) -> list[Passage]:
    """The best `k` passages within the scope, with their rank in each leg. A leg that fails is left out;
    raises RetrievalError when both do."""
    if not scope or not q.strip():
        return []
    most = max(k, CANDIDATES)
    async with asyncio.TaskGroup() as group:
        lexical_task = group.create_task(
            _softly("lexical", legs.lexical.search(q, scope, most), legs.seconds)
        )
        vector_task = group.create_task(
            _softly("vector", _nearest(legs, scope, q, most, lexical_task), legs.seconds)
        )
    lexical, vector = lexical_task.result(), vector_task.result()
    if lexical is None and vector is None:
        raise RetrievalError("neither leg of the search can answer")
    fused = fuse(q, lexical, vector, k=k, cosines=legs.cosines)
    found = await passages.load(legs.pool, fused.chunks, scope, timeout=legs.seconds)
    return passages.ranked([found[chunk] for chunk in fused.chunks if chunk in found], fused, lexical, vector)


async def _nearest(
    legs: Legs, scope: AccessScope, q: str, k: int, words: asyncio.Task[Ranking | None]
) -> Ranking:
    vector = await legs.embedder.embed_query(q, timeout=legs.seconds)
    return await legs.vectors.search(vector, scope, k, timeout=legs.seconds, near=so_far(words))


async def _softly(leg: str, work: Awaitable[Ranking], seconds: float) -> Ranking | None:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except (RetrievalError, TimeoutError) as error:
        logger.warning("search goes on without its %s leg: %s", leg, error or "too slow")
        return None

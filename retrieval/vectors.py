"""The vector leg: the nearest chunks among those that a scope allows, from pgvector in one round trip."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import NamedTuple

import orjson

from retrieval import database
from retrieval.access import AccessScope
from retrieval.database import MissingTable, Pool
from retrieval.embeddings import Vector
from retrieval.errors import VectorError
from retrieval.partitions import BUILDING, Model, publish, retire
from retrieval.passages import Hit, Ranking, of_json
from retrieval.vector_plan import Layout, Search, known, lanes, plan, scannable, statement

__all__ = ["VectorIndex", "publish", "retire", "so_far"]

LAYOUT_SECONDS = 30.0

LAYOUT_SQL = """
    SELECT m.id, m.state, s.collection_id, s.rows, c.id, (
        SELECT coalesce(json_agg(t.relname), '[]')::text FROM (
            SELECT k.relname FROM pg_class k JOIN pg_index i ON i.indrelid = k.oid
            JOIN pg_class n ON n.oid = i.indexrelid
            WHERE i.indisvalid AND n.relname ~ '^retrieval_embedding(copy)?_[0-9]+_hnsw[01]$'
            GROUP BY k.relname HAVING count(*) = 2) t)
    FROM retrieval_embeddingmodel m
    LEFT JOIN (SELECT collection_id, sum(chunk_count)::bigint AS rows FROM retrieval_document GROUP BY 1) s ON true
    LEFT JOIN retrieval_embeddingcopy c ON c.model_id = m.id AND c.collection_id = s.collection_id
    WHERE m.dimensions = {dimensions} AND m.name = convert_from('\\x{name}', 'utf8')
"""

TOP, LOST = 10, 2
"""So many of so many best hits that a graph overlooked show that it has lost its way: among hundreds of chunks that say
nearly the same each has the others for neighbours, and nothing leads out."""


class Found(NamedTuple):
    """A chunk, its cosine, and its passage where that was read along. `checked`: no search found it, it is one of those
    that were to be looked at."""

    chunk: int
    score: float
    passage: str | None
    checked: bool = False


class VectorIndex:
    """The vectors of one model, searched over `pool`."""

    def __init__(self, pool: Pool, *, model: str, dimensions: int, read: int = 0) -> None:
        """`read`: of how many hits a search brings the passages along."""
        self.pool, self.model, self.dimensions, self.passages = pool, model, dimensions, read
        self.known: Layout | None = None
        self.reading: asyncio.Task[Layout] | None = None

    async def search(
        self, vector: Vector, scope: AccessScope, k: int, *, timeout: float, near: Sequence[int] = ()
    ) -> Ranking:
        """The `k` chunks of the scope nearest to `vector` (dimensions,), best first; the score is the cosine.

        Fewer than `k` only where the scope has fewer. `near` are chunks that may be among them, such as those that
        words find: none of these is overlooked. `timeout` in seconds. Raises VectorError."""
        if vector.shape != (self.dimensions,):
            raise VectorError(f"The question has {vector.shape} dimensions, the index {self.dimensions}.")
        if not scope or k < 1:
            return Ranking("vector")
        until = time.monotonic() + timeout
        layout = await self.layout(timeout)
        try:
            hits = await self.found(layout, vector, scope, k, until, near)
        except MissingTable:  # a copy was dropped since the layout was read
            layout = await self.read(until - time.monotonic())
            hits = await self.found(layout, vector, scope, k, until, near)
        return Ranking(
            "vector",
            tuple(Hit(hit.chunk, hit.score) for hit in hits),
            passages=tuple(of_json(hit.passage) for hit in hits[: self.passages] if hit.passage),
        )

    async def found(
        self, layout: Layout, vector: Vector, scope: AccessScope, k: int, until: float, near: Sequence[int]
    ) -> list[Found]:
        if layout.model is None:
            return []
        searches = plan(layout, scope)
        if not any(search.ef for search in searches):
            return await self.run(searches, vector, k, until)
        check = known(layout.model, scope, near)
        hits = await self.run(searches, vector, k, until, check)
        if len(hits) < k and any(search.ef and not search.goes_on(k) for search in searches):
            # Most candidates were of deleted chunks, or of a collection that the layout does not know yet.
            searches = [replace(search, whole=False) for search in searches]
            hits = await self.run(searches, vector, k, until, check)
        if len(hits) < k:
            # The graph gave up early, or most of what it found was not allowed: look at each row that is.
            allowed = tuple(sorted(scope.collection_ids))
            hits = await self.run([Search(layout.model.table, allowed, None, 0.0)], vector, k, until)
        elif overlooked(hits) >= LOST and (scans := scannable(layout, scope)):
            hits = await self.run(scans, vector, k, until)
        return hits

    async def run(
        self,
        searches: Sequence[Search],
        vector: Vector,
        k: int,
        until: float,
        check: Search | None = None,
    ) -> list[Found]:
        """The searches on up to LANES connections at once, and the best of what they find, and of `check` on a
        connection of its own."""
        left = until - time.monotonic()
        if left <= 0:
            raise VectorError("No time was left for the vector search.")
        statements = [statement(lane, self.dimensions, vector, k, self.passages) for lane in lanes(searches)]
        if check is not None:
            statements.append(statement([check], self.dimensions, vector, k))
        if len(statements) == 1:
            answers = [await database.fetch(self.pool, statements[0], timeout=left)]
        else:
            answers = await together(self.pool, statements, left)
        best: dict[int, Found] = {}
        if check is not None:
            best = {row[0]: Found(row[0], row[1], None, checked=True) for row in answers.pop()}
        for rows in answers:
            best.update((row[0], Found(row[0], row[1], row[2])) for row in rows)
        return sorted(best.values(), key=attrgetter("score"), reverse=True)[:k]

    async def layout(self, timeout: float) -> Layout:
        """The layout as last read; a new one is read beside the search when it is due."""
        if self.known is None:
            return await self.read(timeout)
        due = time.monotonic() - self.known.read_at > LAYOUT_SECONDS
        if due and (self.reading is None or self.reading.done()):
            self.reading = asyncio.get_running_loop().create_task(self.read(5.0))
            self.reading.add_done_callback(seen)
        return self.known

    async def read(self, timeout: float) -> Layout:
        sql = LAYOUT_SQL.format(dimensions=self.dimensions, name=self.model.encode().hex())
        rows = await database.fetch(self.pool, sql, timeout=timeout)
        if not rows:
            await self.explain_absence(timeout)
            return Layout(None, {}, {}, time.monotonic())
        model = Model(rows[0][0], self.model, self.dimensions, rows[0][1])
        if model.state == BUILDING:
            raise VectorError(f"The vectors of {self.model} are still being made.")
        sizes = {row[2]: int(row[3]) for row in rows if row[2] is not None}
        copies = {row[2]: row[4] for row in rows if row[4] is not None}
        self.known = Layout(model, sizes, copies, time.monotonic(), frozenset(orjson.loads(rows[0][5])))
        return self.known

    async def explain_absence(self, timeout: float) -> None:
        """A library without vectors has nothing to find; one with another model's is not searched in silence."""
        if await database.fetch(self.pool, "SELECT FROM retrieval_embeddingmodel LIMIT 1", timeout=timeout):
            raise VectorError(
                f"There are no vectors of {self.model} yet: run manage.py reindex --embeddings."
            )


def overlooked(hits: Sequence[Found]) -> int:
    """Of the best hits, how many no graph found."""
    return sum(hit.checked for hit in hits[:TOP])


def so_far(words: asyncio.Task[Ranking | None]) -> Sequence[int]:
    """The chunks that the other leg has found by now: to wait for it would be the wrong price for a check."""
    found = words.result() if words.done() and not words.cancelled() and not words.exception() else None
    return found.chunks if found else ()


async def together(pool: Pool, statements: Sequence[str], timeout: float) -> list[list[database.Row]]:
    """The rows of each statement, on a connection each. The first failure is raised; the others are dropped."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(database.fetch(pool, sql, timeout=timeout)) for sql in statements]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def seen(task: asyncio.Task[Layout]) -> None:
    """A layout that could not be read leaves the old one in use; the next search tries again."""
    if not task.cancelled():
        task.exception()

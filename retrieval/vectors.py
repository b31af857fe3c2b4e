"""The vector leg: the nearest chunks among those that a scope allows, from pgvector in one round trip.

A filter on one HNSW index is a trap: the index yields its neighbours first and the filter drops them afterwards,
so who may read 1 % waits 20 times as long and misses one hit in six. So there are three ways to search, and `plan`
takes the cheapest that is sure: the index over everything where much of it is allowed, the copies of single
collections where there are few of them, and for little an exact scan. docs/retrieval-scale.md has the figures."""

import asyncio
import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
import orjson

from retrieval import database
from retrieval.access import AccessScope
from retrieval.database import MissingTable, Pool, numbers
from retrieval.embeddings import Vector
from retrieval.errors import VectorError
from retrieval.partitions import BUILDING, Model, copy_table, publish, retire
from retrieval.passages import ALONG_SQL, Hit, Ranking, of_json

__all__ = ["VectorIndex", "publish", "retire"]

# Measured milliseconds of Postgres' processor: an exact scan a row; a graph's search a candidate, in a graph that
# fits the cache and in a large one; and what more the index over everything takes as the share allowed shrinks.
ROW_MS, SMALL_MS, LARGE_MS, DROPPED_MS = 0.0006, 0.01, 0.012, 1.0
LARGE = 20_000
"""Rows from which a graph needs more candidates for the same recall, and each takes longer."""
# Below this share the index over everything also loses hits.
LEAST_SHARE = 0.1
HUGE = 200_000
EF_MANY, EF_SMALL, EF_LARGE, EF_HUGE, EF_WHOLE, MOST_EF = 40, 100, 200, 350, 500, 600
HALF_EF = 0.45
"""Of the candidates of a whole graph, those of each half."""

MANY = 8
"""Copies searched together from which each may be less thorough: the best of all are wanted, not of each."""
DIVIDED = 2_500
"""Rows from which an exact scan is divided among the connections of a search."""
PLENTY = 1.5
"""Candidates for each hit wanted: some are of chunks that were deleted and not yet vacuumed."""
LAYOUT_SECONDS = 30.0
LANES = 2

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


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a model's tables: about how many rows a collection has, and which have a copy. It may be
    old: rows are an estimate, and the whole has everything, so an old one costs time and never a hit."""

    model: Model | None
    rows: Mapping[int, int]
    copies: Mapping[int, int]
    read_at: float
    halved: frozenset[str] = frozenset()
    """The tables whose graph is two half graphs."""

    @property
    def total(self) -> int:
        return max(1, sum(self.rows.values()))


Found = tuple[int, float, str | None]
"""A chunk, its cosine, and its passage where that was read along."""


@dataclass(frozen=True, slots=True)
class Search:
    """One scan of one table. `ef` is None for an exact scan; `half`: only that half graph, None for all rows."""

    table: str
    collections: tuple[int, ...]
    ef: int | None
    cost: float
    half: int | None = None
    whole: bool = False
    """All rows of the table are allowed, as far as the layout knows."""

    def goes_on(self, k: int) -> bool:
        """Whether the graph must be able to look for more than `ef` candidates, which takes a tenth longer: not where
        all of them are allowed and they are more than enough."""
        return self.ef is not None and not (self.whole and self.ef >= PLENTY * k)


def plan(layout: Layout, scope: AccessScope) -> list[Search]:
    """The searches that together cover the scope. Costs are estimates in milliseconds."""
    if layout.model is None or not scope:
        return []
    allowed = sorted(scope.collection_ids)
    share = sum(layout.rows.get(pk, 0) for pk in allowed) / layout.total
    copied = [pk for pk in allowed if pk in layout.copies]
    parts = [search for pk in copied for search in copy_searches(layout, pk, many=len(copied) >= MANY)]
    rest = tuple(pk for pk in allowed if pk not in layout.copies)
    parts += exact_searches(layout, layout.model, rest)
    whole = whole_searches(layout, layout.model, tuple(allowed), max(share, LEAST_SHARE))
    if share >= LEAST_SHARE and sum(one.cost for one in whole) < sum(part.cost for part in parts):
        return whole
    return parts


def exact_searches(layout: Layout, model: Model, collections: Sequence[int]) -> list[Search]:
    """A scan of the collections' rows; of many rows two, to have them looked at side by side."""
    by_size = sorted(collections, key=lambda pk: layout.rows.get(pk, 0))
    rows = sum(layout.rows.get(pk, 0) for pk in by_size)
    groups = [by_size[place::LANES] for place in range(LANES)] if rows > DIVIDED else [by_size]
    return [
        Search(model.table, tuple(group), None, ROW_MS * sum(layout.rows.get(pk, 0) for pk in group))
        for group in groups
        if group
    ]


def copy_searches(layout: Layout, collection: int, *, many: bool) -> list[Search]:
    rows = layout.rows.get(collection, 0)
    large = rows >= LARGE
    ef = EF_HUGE if rows >= HUGE else EF_LARGE if large else EF_MANY if many else EF_SMALL
    milliseconds = LARGE_MS if large else SMALL_MS
    table = copy_table(layout.copies[collection])
    return graph_searches(layout, table, (collection,), ef, milliseconds, whole=True)


def whole_searches(layout: Layout, model: Model, collections: tuple[int, ...], share: float) -> list[Search]:
    """So many candidates that enough of them are allowed."""
    ef = min(MOST_EF, round(EF_WHOLE / share))
    everything = layout.rows.keys() <= set(collections)
    return graph_searches(
        layout, model.table, collections, ef, LARGE_MS, more=DROPPED_MS / share, whole=everything
    )


def graph_searches(
    layout: Layout,
    table: str,
    collections: tuple[int, ...],
    ef: int,
    milliseconds: float,
    *,
    more: float = 0.0,
    whole: bool = False,
) -> list[Search]:
    """The search of a graph or, at once, of its halves; `milliseconds` a candidate, and `more` in all."""
    if table not in layout.halved:
        return [Search(table, collections, ef, ef * milliseconds + more, whole=whole)]
    each = round(ef * HALF_EF)
    cost = each * milliseconds + more / 2
    return [Search(table, collections, each, cost, half, whole) for half in (0, 1)]


def lanes(searches: Sequence[Search], most: int = LANES) -> list[list[Search]]:
    """Searches dealt out to connections, dearest first, each to the one with least to do."""
    count = max(1, min(most, len(searches)))
    dealt: list[list[Search]] = [[] for _ in range(count)]
    heap = [(0.0, place) for place in range(count)]
    for search in sorted(searches, key=lambda search: -search.cost):
        cost, place = heapq.heappop(heap)
        dealt[place].append(search)
        heapq.heappush(heap, (cost + search.cost, place))
    return dealt


def statement(searches: Sequence[Search], dimensions: int, vector: Vector, k: int, read: int = 0) -> str:
    """One message: the settings that keep the planner to the plan, and the union of the searches' best, the first
    `read` of them with their passages.

    An exact scan is ordered by an expression that no index has."""
    ef = max((search.ef or 0 for search in searches), default=0)
    literal = orjson.dumps(
        np.ascontiguousarray(vector, np.float32), option=orjson.OPT_SERIALIZE_NUMPY
    ).decode()
    scan = "relaxed_order" if any(search.goes_on(k) for search in searches) else "off"
    allowed = numbers([pk for search in searches for pk in search.collections])
    text = ALONG_SQL.format(chunk="best.chunk_id", collections=allowed)
    along = f"CASE WHEN rank <= {read} THEN ({text}) END" if read else "NULL"
    branches = " UNION ALL ".join(
        f"(SELECT chunk_id, embedding::halfvec({dimensions}) <#> (SELECT v FROM q) AS d FROM {search.table}"
        f" WHERE collection_id = ANY ({numbers(search.collections)}){of_half(search)}"
        f" ORDER BY {'d' if search.ef else f'(embedding::halfvec({dimensions}) <#> (SELECT v FROM q)) + 0'}"
        f" LIMIT {k})"
        for search in searches
    )
    return (
        f"SET LOCAL hnsw.ef_search = {min(1000, max(ef, k))}; SET LOCAL hnsw.iterative_scan = {scan};"
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;"
        f"WITH q AS MATERIALIZED (SELECT '{literal}'::halfvec({dimensions}) AS v), best AS MATERIALIZED ("
        f"SELECT chunk_id, d, row_number() OVER (ORDER BY d) AS rank FROM ({branches}) found ORDER BY d LIMIT {k})"
        f" SELECT chunk_id, -d, {along} FROM best"
    )


def of_half(search: Search) -> str:
    return "" if search.half is None else f" AND (chunk_id & 1) = {search.half}"


class VectorIndex:
    """The vectors of one model, searched over `pool`."""

    def __init__(self, pool: Pool, *, model: str, dimensions: int, read: int = 0) -> None:
        """`read`: of how many hits a search brings the passages along."""
        self.pool, self.model, self.dimensions, self.passages = pool, model, dimensions, read
        self.known: Layout | None = None
        self.reading: asyncio.Task[Layout] | None = None

    async def search(self, vector: Vector, scope: AccessScope, k: int, *, timeout: float) -> Ranking:
        """The `k` chunks of the scope nearest to `vector` (dimensions,), best first; the score is the cosine.

        Fewer than `k` only where the scope has fewer. `timeout` in seconds. Raises VectorError."""
        if vector.shape != (self.dimensions,):
            raise VectorError(f"The question has {vector.shape} dimensions, the index {self.dimensions}.")
        if not scope or k < 1:
            return Ranking("vector")
        until = time.monotonic() + timeout
        layout = await self.layout(timeout)
        try:
            hits = await self.found(layout, vector, scope, k, until)
        except MissingTable:  # a copy was dropped since the layout was read
            layout = await self.read(until - time.monotonic())
            hits = await self.found(layout, vector, scope, k, until)
        return Ranking(
            "vector",
            tuple(Hit(chunk, score) for chunk, score, _ in hits),
            passages=tuple(of_json(text) for _, _, text in hits[: self.passages] if text),
        )

    async def found(
        self, layout: Layout, vector: Vector, scope: AccessScope, k: int, until: float
    ) -> list[Found]:
        if layout.model is None:
            return []
        searches = plan(layout, scope)
        hits = await self.run(searches, vector, k, until)
        if len(hits) < k and any(search.ef and not search.goes_on(k) for search in searches):
            # Most candidates were of deleted chunks, or of a collection that the layout does not know yet.
            searches = [replace(search, whole=False) for search in searches]
            hits = await self.run(searches, vector, k, until)
        if len(hits) < k and any(search.ef for search in searches):
            # The graph gave up early, or most of what it found was not allowed: look at each row that is.
            allowed = tuple(sorted(scope.collection_ids))
            hits = await self.run([Search(layout.model.table, allowed, None, 0.0)], vector, k, until)
        return hits

    async def run(self, searches: Sequence[Search], vector: Vector, k: int, until: float) -> list[Found]:
        """The searches on up to LANES connections at once, and the best of what they find."""
        left = until - time.monotonic()
        if left <= 0:
            raise VectorError("No time was left for the vector search.")
        statements = [statement(lane, self.dimensions, vector, k, self.passages) for lane in lanes(searches)]
        if len(statements) == 1:
            rows = await database.fetch(self.pool, statements[0], timeout=left)
        else:
            rows = await both(self.pool, statements, left)
        best: dict[int, Found] = {row[0]: (row[0], row[1], row[2]) for row in rows}
        return sorted(best.values(), key=itemgetter(1), reverse=True)[:k]

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


async def both(pool: Pool, statements: Sequence[str], timeout: float) -> list[database.Row]:
    """The rows of all statements, on a connection each. The first failure is raised; the others are dropped."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(database.fetch(pool, sql, timeout=timeout)) for sql in statements]
    try:
        return [row for rows in await asyncio.gather(*tasks) for row in rows]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def seen(task: asyncio.Task[Layout]) -> None:
    """A layout that could not be read leaves the old one in use; the next search tries again."""
    if not task.cancelled():
        task.exception()

"""What a search by meaning looks at: the tables and graphs that together hold what a scope allows, at the least cost.

A filter on one HNSW index is a trap: the index yields its neighbours first and the filter drops them afterwards,
so who may read 1 % waits 20 times as long and misses one hit in six. So there are three ways to search, and `plan`
takes the cheapest that is sure: the index over everything where much of it is allowed, the copies of single
collections where there are few of them, and for little an exact scan. docs/retrieval-scale.md has the figures."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from retrieval.access import AccessScope
from retrieval.database import numbers
from retrieval.embeddings import Vector
from retrieval.partitions import Model, copy_table
from retrieval.passages import ALONG_SQL

# Measured milliseconds of Postgres' processor: an exact scan a row; a graph's search a candidate, in a graph that
# fits the cache and in a large one; and what more the index over everything takes as the share allowed shrinks.
ROW_MS, SMALL_MS, LARGE_MS, DROPPED_MS = 0.0006, 0.01, 0.012, 1.0
LARGE = 20_000
"""Rows from which a graph needs more candidates for the same recall, and each takes longer."""
# Below this share the index over everything also loses hits.
LEAST_SHARE = 0.1
HUGE = 200_000
# Candidates, of one graph and of each half of a divided one, which is denser.
EF_MANY, EF_SMALL, EF_LARGE, EF_HUGE, EF_WHOLE, MOST_EF = (
    (40, 40),
    (100, 60),
    (200, 60),
    (350, 80),
    (500, 100),
    (600, 300),
)

MANY = 8
"""Copies searched together from which each may be less thorough: the best of all are wanted, not of each."""
DIVIDED = 2_500
"""Rows from which an exact scan is divided among the connections of a search."""
MOST_SCANNED = 150_000
"""Rows that are scanned for one question where a graph has lost its way: 90 ms of Postgres' processor, on two cores."""
PLENTY = 1.5
"""Candidates for each hit wanted: some are of chunks that were deleted and not yet vacuumed."""
LANES = 2


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
    chunks: tuple[int, ...] = ()
    """Only these, where there are any."""

    def goes_on(self, k: int) -> bool:
        """Whether the graph must be able to look for more than `ef` candidates, which takes a tenth longer: not where
        all of them are allowed and they are more than enough, those of the other half counted in."""
        if self.ef is None:
            return False
        candidates = self.ef if self.half is None else 2 * self.ef
        return not (self.whole and candidates >= PLENTY * k)


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


def known(model: Model, scope: AccessScope, chunks: Sequence[int]) -> Search | None:
    """A look at chunks whose ids are known; each costs about a candidate of a graph."""
    if not chunks:
        return None
    allowed = tuple(sorted(scope.collection_ids))
    return Search(model.table, allowed, None, LARGE_MS * len(chunks), chunks=tuple(chunks))


def scannable(layout: Layout, scope: AccessScope) -> list[Search]:
    """The scan of all that the scope allows; none where that is too much for a question."""
    rows = sum(layout.rows.get(pk, 0) for pk in scope.collection_ids)
    if layout.model is None or rows > MOST_SCANNED:
        return []
    return exact_searches(layout, layout.model, sorted(scope.collection_ids))


def copy_searches(layout: Layout, collection: int, *, many: bool) -> list[Search]:
    rows = layout.rows.get(collection, 0)
    large = rows >= LARGE
    ef = EF_HUGE if rows >= HUGE else EF_LARGE if large else EF_MANY if many else EF_SMALL
    milliseconds = LARGE_MS if large else SMALL_MS
    table = copy_table(layout.copies[collection])
    return graph_searches(layout, table, (collection,), ef, milliseconds, whole=True)


def whole_searches(layout: Layout, model: Model, collections: tuple[int, ...], share: float) -> list[Search]:
    """So many candidates that enough of them are allowed."""
    one, each = (min(most, round(ef / share)) for ef, most in zip(EF_WHOLE, MOST_EF, strict=True))
    everything = layout.rows.keys() <= set(collections)
    return graph_searches(
        layout, model.table, collections, (one, each), LARGE_MS, more=DROPPED_MS / share, whole=everything
    )


def graph_searches(
    layout: Layout,
    table: str,
    collections: tuple[int, ...],
    ef: tuple[int, int],
    milliseconds: float,
    *,
    more: float = 0.0,
    whole: bool = False,
) -> list[Search]:
    """The search of a graph or, at once, of its halves; `ef` of the one and of each half, `milliseconds` a candidate,
    and `more` in all."""
    one, each = ef
    if table not in layout.halved:
        return [Search(table, collections, one, one * milliseconds + more, whole=whole)]
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
    `read` of them with their passages."""
    ef = max((search.ef or 0 for search in searches), default=0)
    literal = orjson.dumps(
        np.ascontiguousarray(vector, np.float32), option=orjson.OPT_SERIALIZE_NUMPY
    ).decode()
    scan = "relaxed_order" if any(search.goes_on(k) for search in searches) else "off"
    allowed = numbers([pk for search in searches for pk in search.collections])
    text = ALONG_SQL.format(chunk="best.chunk_id", collections=allowed)
    along = f"CASE WHEN rank <= {read} THEN ({text}) END" if read else "NULL"
    distance = f"SELECT chunk_id, embedding::halfvec({dimensions}) <#> (SELECT v FROM q) AS d"
    branches = " UNION ALL ".join(branch(search, distance, k) for search in searches)
    return (
        f"SET LOCAL hnsw.ef_search = {min(1000, max(ef, k))}; SET LOCAL hnsw.iterative_scan = {scan};"
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;"
        f"WITH q AS MATERIALIZED (SELECT '{literal}'::halfvec({dimensions}) AS v), best AS MATERIALIZED ("
        f"SELECT chunk_id, d, row_number() OVER (ORDER BY d) AS rank FROM ({branches}) found ORDER BY d LIMIT {k})"
        f" SELECT chunk_id, -d, {along} FROM best"
    )


def branch(search: Search, distance: str, k: int) -> str:
    """The best `k` of one search."""
    which = "" if search.half is None else f" AND (chunk_id & 1) = {search.half}"
    which += f" AND chunk_id = ANY ({numbers(search.chunks)})" if search.chunks else ""
    rows = f"{distance} FROM {search.table} WHERE collection_id = ANY ({numbers(search.collections)}){which}"
    # Past OFFSET 0 an order does not reach the graph, and each distance is computed once.
    return (
        f"({rows} ORDER BY d LIMIT {k})"
        if search.ef
        else f"(SELECT * FROM ({rows} OFFSET 0) r ORDER BY d LIMIT {k})"
    )

"""The vector graphs (HNSW indexes) of a table: how dense they are, and how they are built while questions go on."""

from collections.abc import Callable
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]

# Library text comes in families (versions, templates), and a graph with few edges loses its way among them:
# docs/retrieval-scale.md has recall and build time by both figures.
WHOLE, HALF = "m = 16, ef_construction = 64", "m = 16, ef_construction = 128"
"""Half graphs are large. They take twice as long to build, and find as much with half the candidates."""

HALVED_FROM = 50_000
"""Rows from which a table's graph is two half graphs, searched side by side: as thorough in about half the time."""

EDGES = 1200
"""Bytes a row takes beside its vector while its graph is built."""
LEAST_MB, MOST_MB = 64, 2048


def create(
    cursor: Cursor, table: str, dimensions: int, *, halved: bool = False, concurrently: bool = False
) -> None:
    """The graph of a table, or its two halves. Vectors have unit length, so the inner product is the cosine."""
    for name, where in named(table, halved).items():
        cursor.execute(
            f"CREATE INDEX {'CONCURRENTLY' if concurrently else ''} {name} ON {table} "
            f"USING hnsw ((embedding::halfvec({dimensions})) halfvec_ip_ops)"
            f" WITH ({HALF if halved else WHOLE}) {where}"
        )


def build(
    connection: Connection, table: str, dimensions: int, *, halved: bool = False, concurrently: bool = False
) -> None:
    """The same over the rows that a table has, in place of what a killed process left of it."""

    def anew() -> None:
        with connection.cursor() as cursor:
            drop(cursor, *named(table, halved))
            create(cursor, table, dimensions, halved=halved, concurrently=concurrently)

    with_room(connection, table, anew)


def named(table: str, halved: bool) -> dict[str, str]:
    """The names of a table's graphs, and of which rows each is. Ids of chunks are hashes."""
    if not halved:
        return {f"{table}_hnsw": ""}
    return {f"{table}_hnsw{half}": f"WHERE (chunk_id & 1) = {half}" for half in (0, 1)}


def names(connection: Connection, table: str) -> list[str]:
    """The graphs of a table."""
    found = connection.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = %s AND indexname ~ '_hnsw[01]?$'", [table]
    )
    return [name for (name,) in found]


def drop(cursor: Cursor, *graphs: str) -> None:
    for graph in graphs:
        cursor.execute(f"DROP INDEX IF EXISTS {graph}")


def rebuild(connection: Connection, table: str) -> None:
    """New graphs, as dense as they are made today, beside the old ones, which serve until they are done."""

    def anew() -> None:
        with connection.cursor() as cursor:
            for name in names(connection, table):
                drop(cursor, f"{name}_ccnew", f"{name}_ccold")
                cursor.execute(f"ALTER INDEX {name} SET ({WHOLE if name.endswith('hnsw') else HALF})")
                cursor.execute(f"REINDEX INDEX CONCURRENTLY {name}")

    with_room(connection, table, anew)


def with_room(connection: Connection, table: str, work: Callable[[], None]) -> None:
    """Builds graphs of a table in memory, where that is much quicker, and on more than one processor.

    The server's processes share that memory, and many containers have 64 MB for it. Where it is too little `work`
    is called again, for one processor: it must drop what it left."""
    connection.execute(f"SET maintenance_work_mem = '{megabytes(connection, table)}MB'")
    try:
        work()
    except psycopg.errors.DiskFull:  # so Postgres says that its shared memory is, too
        connection.execute("SET max_parallel_maintenance_workers = 0")
        work()
    finally:
        if not connection.closed:
            connection.execute("RESET maintenance_work_mem; RESET max_parallel_maintenance_workers")


def megabytes(connection: Connection, table: str) -> int:
    """What the larger graph of a table takes while it is built."""
    row = connection.execute(
        f"SELECT count(*), coalesce(max(pg_column_size(embedding)), 0) FROM {table}".encode()
    ).fetchone()
    rows, vector = row or (0, 0)
    rows = rows // 2 if rows >= HALVED_FROM else rows
    return max(LEAST_MB, min(MOST_MB, rows * (vector + EDGES) >> 20))

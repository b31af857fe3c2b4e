"""Keeping the vectors' tables in shape while questions go on: copies of collections as they grow, indexes rebuilt
beside the old ones, models that nobody asks any more dropped.

These take an autocommit psycopg connection and make transactions of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from retrieval import graphs, partitions
from retrieval.errors import RetrievalError, VectorError
from retrieval.partitions import COLLECTION_LOCKS, COLUMNS, RETIRED, Model, copy_table, value
from retrieval.vectors import LAYOUT_SECONDS

Connection = psycopg.Connection[Any]
Chore = Callable[[Connection], str]
chores: list[Chore] = []
"""What other apps keep in shape when an administrator asks for it; each says in a line what it did."""

MAINTENANCE_LOCK, REEMBEDDING_LOCK = 20484, 20485
COPY_FROM, COPY_TO_SHARE = 1_000, 0.6
"""A collection has a copy from so many rows (under it an exact scan is as fast) up to this share of all (over
it the index over everything is)."""
RETIRED_HOURS = 24
"""How long processes with the settings of before may go on using their model."""


class MaintenanceBusy(RetrievalError):
    """Another process is already doing this work."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What `tidy` did: collections that got a copy, that lost one, and models dropped."""

    made: int
    dropped: int
    models: int


@contextmanager
def alone(connection: Connection, lock: int = MAINTENANCE_LOCK) -> Iterator[None]:
    """One holder of the lock at a time. Raises MaintenanceBusy."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, 0)", [lock]).fetchone()
    if not row or not row[0]:
        raise MaintenanceBusy("Another process is already doing this work. Try again when it has finished.")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, 0)", [lock])


def tidy(connection: Connection) -> Tidied:
    """Makes the copies that are due, drops those that are not, and models retired long ago.

    Safe to run at any time and to kill at any point. Raises MaintenanceBusy."""
    with alone(connection):
        drop_strays(connection)
        models = drop_retired(connection)
        made = dropped = 0
        with connection.cursor() as cursor:
            known = partitions.models(cursor)
        for model in known:
            wanted, held = wanted_copies(connection, model), held_copies(connection, model)
            for collection in sorted(held - wanted):
                drop_copy(connection, model.name, model.dimensions, collection)
                dropped += 1
            for collection in sorted(wanted - held):
                make_copy(connection, model.name, model.dimensions, collection)
                made += 1
            for table in [model.table, *(copy_table(copy_id) for copy_id in copies_of(connection, model))]:
                divide(connection, table, model.dimensions)
        return Tidied(made, dropped, models)


def wanted_copies(connection: Connection, model: Model) -> set[int]:
    """The collections whose size asks for a copy; one that has it keeps it until it is half as large, or
    three quarters of all."""
    sizes = dict(
        connection.execute(f"SELECT collection_id, count(*) FROM {model.table} GROUP BY collection_id")
    )
    total, held = sum(sizes.values()), held_copies(connection, model)
    return {
        collection
        for collection, rows in sizes.items()
        if rows >= COPY_FROM / (2 if collection in held else 1)
        and rows <= total * (0.75 if collection in held else COPY_TO_SHARE)
    }


def held_copies(connection: Connection, model: Model) -> set[int]:
    found = connection.execute(
        "SELECT collection_id FROM retrieval_embeddingcopy WHERE model_id = %s", [model.id]
    )
    return {collection for (collection,) in found}


def copies_of(connection: Connection, model: Model) -> list[int]:
    found = connection.execute("SELECT id FROM retrieval_embeddingcopy WHERE model_id = %s", [model.id])
    return [copy_id for (copy_id,) in found]


def rows_of(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else 0


def divide(
    connection: Connection,
    table: str,
    dimensions: int,
    *,
    least: int = graphs.HALVED_FROM,
    patience: float = 2 * LAYOUT_SECONDS,
) -> bool:
    """Makes a table's graph two half graphs where it has grown for it, beside the one, which serves for
    `patience` seconds more: by then the processes that are asked know of the halves."""
    whole = f"{table}_hnsw"
    if whole not in graphs.names(connection, table) or rows_of(connection, table) < least:
        return False
    graphs.build(connection, table, dimensions, halved=True, concurrently=True)
    time.sleep(patience)
    connection.execute(f"DROP INDEX CONCURRENTLY {whole}".encode())
    return True


def make_copy(connection: Connection, model: str, dimensions: int, collection_id: int) -> None:
    """Copies a collection's rows and indexes them, then catches up and tells the searches, under the lock.

    The long part holds no lock, so uploads go on; the lock is held for the rows that came meanwhile."""
    with connection.cursor() as cursor:
        target = partitions.find_model(cursor, model, dimensions)
        if target is None:
            raise VectorError(f"There are no vectors of {model}.")
        cursor.execute("SELECT nextval(pg_get_serial_sequence('retrieval_embeddingcopy', 'id'))")
        copy_id = value(cursor)
        table = copy_table(copy_id)
        partitions.create_table(cursor, table)
        try:
            fill = f"INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {target.table} w"
            cursor.execute(f"{fill} WHERE collection_id = %s ORDER BY chunk_id", [collection_id])
            halved = rows_of(connection, table) >= graphs.HALVED_FROM
            graphs.build(connection, table, dimensions, halved=halved)
            cursor.execute(f"ANALYZE {table}")
            with connection.transaction():
                lock_alone(cursor, collection_id)
                cursor.execute(
                    f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM {target.table} w"
                    " WHERE w.chunk_id = t.chunk_id AND w.collection_id = %s)",
                    [collection_id],
                )
                cursor.execute(
                    f"{fill} WHERE collection_id = %s"
                    f" AND NOT EXISTS (SELECT FROM {table} t WHERE t.chunk_id = w.chunk_id)",
                    [collection_id],
                )
                cursor.execute(
                    "INSERT INTO retrieval_embeddingcopy (id, model_id, collection_id)"
                    " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s)",
                    [copy_id, target.id, collection_id],
                )
        except BaseException:
            if not connection.closed:
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
            raise


def drop_copy(connection: Connection, model: str, dimensions: int, collection_id: int) -> None:
    """Drops a collection's copy, where it has one; searches that knew it look at the whole instead."""
    with connection.transaction(), connection.cursor() as cursor:
        lock_alone(cursor, collection_id)
        cursor.execute(
            "DELETE FROM retrieval_embeddingcopy c USING retrieval_embeddingmodel m"
            " WHERE m.id = c.model_id AND m.name = %s AND m.dimensions = %s AND c.collection_id = %s"
            " RETURNING c.id",
            [model, dimensions, collection_id],
        )
        for (copy_id,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {copy_table(copy_id)}")


def lock_alone(cursor: partitions.Cursor, collection_id: int) -> None:
    """Waits until nobody writes to the collection, and keeps it so until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashint8(%s))", [COLLECTION_LOCKS, collection_id])


def drop_strays(connection: Connection) -> None:
    """Drops the tables of copies that a killed process left unfinished. Only under the maintenance lock."""
    strays = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^retrieval_embeddingcopy_[0-9]+$'"
        " AND NOT EXISTS (SELECT FROM retrieval_embeddingcopy e"
        "                 WHERE c.relname = 'retrieval_embeddingcopy_' || e.id)"
    ).fetchall()
    for (table,) in strays:
        connection.execute(f"DROP TABLE IF EXISTS {table}".encode())


def drop_retired(connection: Connection) -> int:
    """Drops models that were retired long enough for every process to have turned to the new one."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, dimensions, state FROM retrieval_embeddingmodel WHERE state = %s"
            " AND retired_at < now() - make_interval(hours => %s)",
            [RETIRED, RETIRED_HOURS],
        )
        found = [Model(*row) for row in cursor.fetchall()]
        for model in found:
            partitions.drop_model(cursor, model)
        return len(found)


def tables(connection: Connection) -> list[str]:
    """The tables that hold vectors, the largest first."""
    found = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r'"
        " AND c.relname ~ '^retrieval_embedding(copy)?_[0-9]+$' ORDER BY pg_total_relation_size(c.oid) DESC"
    )
    return [table for (table,) in found.fetchall()]


def vacuum(connection: Connection, table: str) -> None:
    connection.execute(f"VACUUM (ANALYZE) {table}".encode())

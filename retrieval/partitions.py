"""Where vectors live: a partition of `retrieval_embedding` for each model, and copies of single collections beside
it (migration 0002 says why).

The functions take a synchronous psycopg cursor and work in the caller's transaction. Lock order: the
collections' advisory locks (shared to write, alone to make or drop a copy), then rows."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from retrieval import graphs
from retrieval.embeddings import Vector, Vectors

Cursor = psycopg.Cursor[Any]

COLLECTION_LOCKS, MODEL_LOCK = 20481, 20482  # classes of advisory locks; the first is in migration 0002 too

ACTIVE, BUILDING, RETIRED = "active", "building", "retired"
"""States of a model."""

COLUMNS = "model_id, collection_id, chunk_id, embedding"


@dataclass(frozen=True, slots=True)
class Model:
    """A row of the registry. Questions use the active one; one that is building will take over."""

    id: int
    name: str
    dimensions: int
    state: str

    @property
    def table(self) -> str:
        return f"retrieval_embedding_{self.id}"


def copy_table(copy_id: int) -> str:
    return f"retrieval_embeddingcopy_{copy_id}"


def models(cursor: Cursor) -> list[Model]:
    """All models, oldest first."""
    cursor.execute("SELECT id, name, dimensions, state FROM retrieval_embeddingmodel ORDER BY id")
    return [Model(*row) for row in cursor.fetchall()]


def find_model(cursor: Cursor, name: str, dimensions: int) -> Model | None:
    known = (model for model in models(cursor) if (model.name, model.dimensions) == (name, dimensions))
    return next(known, None)


def ensure_model(cursor: Cursor, name: str, dimensions: int) -> Model:
    """The model's row and its partition. It is building where another is active and holds vectors, else active."""
    found = find_model(cursor, name, dimensions)
    if found:
        return found
    cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [MODEL_LOCK])
    found = find_model(cursor, name, dimensions)
    if found:
        return found
    active = next((model for model in models(cursor) if model.state == ACTIVE), None)
    if active and not has_rows(cursor, active):
        drop_model(cursor, active)
        active = None
    state = BUILDING if active else ACTIVE
    cursor.execute(
        "INSERT INTO retrieval_embeddingmodel (name, dimensions, state) VALUES (%s, %s, %s) RETURNING id",
        [name, dimensions, state],
    )
    model = Model(value(cursor), name, dimensions, state)
    create_table(cursor, model.table)
    cursor.execute(f"CREATE INDEX ON {model.table} (collection_id)")
    graphs.create(cursor, model.table, dimensions)
    # Attached, not made in place: to make it in place would lock all models against readers.
    cursor.execute(
        f"ALTER TABLE {model.table} ADD CONSTRAINT of_model CHECK (model_id = {model.id});"
        f"ALTER TABLE retrieval_embedding ATTACH PARTITION {model.table} FOR VALUES IN ({model.id});"
        f"ALTER TABLE {model.table} DROP CONSTRAINT of_model"
    )
    return model


def has_rows(cursor: Cursor, model: Model) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {model.table})")
    return bool(value(cursor))


def drop_model(cursor: Cursor, model: Model) -> None:
    """Drops a model with its vectors and copies."""
    cursor.execute("SELECT id FROM retrieval_embeddingcopy WHERE model_id = %s", [model.id])
    for table in [model.table, *(copy_table(copy_id) for (copy_id,) in cursor.fetchall())]:
        cursor.execute(f"DROP TABLE {table}")
    cursor.execute("DELETE FROM retrieval_embeddingmodel WHERE id = %s", [model.id])


def create_table(cursor: Cursor, table: str) -> None:
    """An empty table of vectors. They stay in their rows, whatever their size: a scan must not go elsewhere."""
    cursor.execute(
        f"CREATE TABLE {table} (LIKE retrieval_embedding, CONSTRAINT {table}_chunk UNIQUE (chunk_id))"
        " WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.1)"
    )


def lock_collections(cursor: Cursor, collections: Sequence[int]) -> None:
    """Keeps the set of the collections' copies as it is until the transaction ends."""
    cursor.execute("SELECT retrieval_embedding_lock(%s::bigint[])", [list(collections)])


def publish(
    cursor: Cursor,
    *,
    model: str,
    dimensions: int,
    collection_id: int,
    chunks: Sequence[int],
    vectors: Vectors,
) -> None:
    """Adds the vectors of `chunks`, (chunks, dimensions) of unit length, in the caller's transaction."""
    if not len(chunks):
        return
    target = ensure_model(cursor, model, dimensions)
    lock_collections(cursor, [collection_id])
    rows = b"".join(binary_rows(target, np.full(len(chunks), collection_id), np.asarray(chunks), vectors))
    cursor.execute(
        "SELECT id FROM retrieval_embeddingcopy WHERE model_id = %s AND collection_id = %s",
        [target.id, collection_id],
    )
    for table in [target.table, *(copy_table(copy_id) for (copy_id,) in cursor.fetchall())]:
        copy_in(cursor, table, [rows])


def copy_in(cursor: Cursor, table: str, blocks: Sequence[bytes] | Iterator[bytes]) -> None:
    with cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
        for block in blocks:
            copy.write(block)


def binary_rows(
    model: Model, collections: np.typing.NDArray[Any], chunks: np.typing.NDArray[Any], vectors: Vectors
) -> Iterator[bytes]:
    """Rows in the binary format of COPY. A halfvec is its dimensions, a zero, and big-endian half floats.

    Raises ValueError when the shapes do not fit."""
    width = model.dimensions
    if vectors.shape != (len(chunks), width):
        raise ValueError(f"{len(chunks)} chunks of {width} dimensions cannot have vectors {vectors.shape}")
    sizes = {"fields": ">i2", "s1": ">i4", "model": ">i2", "s2": ">i4", "collection": ">i8", "s3": ">i4"}
    names = sizes | {"chunk": ">i8", "s4": ">i4", "width": ">i2", "zero": ">i2"}
    row = np.dtype([*names.items(), ("vector", ">f2", (width,))])
    yield b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    for start in range(0, len(chunks), 1000):
        part = slice(start, start + 1000)
        block = np.zeros(len(chunks[part]), row)
        block["fields"], block["s1"], block["s2"], block["s3"], block["s4"] = 4, 2, 8, 8, 4 + 2 * width
        block["model"], block["collection"], block["chunk"] = model.id, collections[part], chunks[part]
        block["width"], block["vector"] = width, vectors[part]
        yield block.tobytes()
    yield struct.pack(">h", -1)


def retire(cursor: Cursor, *, chunks: Sequence[int]) -> None:
    """Drops the vectors of `chunks`, of every model, in the caller's transaction. Deleting the chunks themselves
    does the same."""
    held = list(chunks)
    cursor.execute("SELECT array_agg(DISTINCT collection_id) FROM retrieval_chunk WHERE id = ANY(%s)", [held])
    collections = value(cursor) or []
    lock_collections(cursor, collections)
    tables = [model.table for model in models(cursor)]
    cursor.execute("SELECT id FROM retrieval_embeddingcopy WHERE collection_id = ANY(%s)", [collections])
    for table in [*tables, *(copy_table(copy_id) for (copy_id,) in cursor.fetchall())]:
        cursor.execute(f"DELETE FROM {table} WHERE chunk_id = ANY(%s)", [held])


def value(cursor: Cursor) -> Any:
    """The first column of the one row that a statement gave."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a statement that always gives a row gave none")
    return row[0]


def stacked(vectors: Sequence[Vector]) -> Vectors:
    """(texts, dimensions) of single vectors."""
    return np.stack(vectors)

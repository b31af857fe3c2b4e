"""A change of the embedding model without downtime. The new model's vectors are made beside the old one's, which
questions go on using; when no chunk lacks one, the new model takes over.

The work can be stopped and begun again at any point: what is to be done is read from the tables. Meanwhile
ingestion may write with either model; what it writes with the old one is found lacking and made good."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval import partitions
from retrieval.embeddings import Embedder
from retrieval.ingestion.chunking import indexed_text
from retrieval.maintenance import REEMBEDDING_LOCK, Connection, alone
from retrieval.partitions import ACTIVE, RETIRED, Cursor, Model, value

BATCH = 64

OnProgress = Callable[[int, int], None]
"""Chunks done and chunks in all, of this run."""

LACKING = """
    SELECT {what} FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id
    WHERE NOT c.repeated AND NOT EXISTS (SELECT FROM {table} e WHERE e.chunk_id = c.id)
"""


@dataclass(frozen=True, slots=True)
class _Text:
    chunk: int
    text: str


def complete(
    connection: Connection,
    embedder: Embedder,
    on_progress: OnProgress = lambda done, of: None,
    *,
    seconds: float = math.inf,
) -> int:
    """Makes every vector of the embedder's model that is lacking, then makes that model the active one.

    Returns how many were made; after about `seconds` it stops where it is. Takes an autocommit connection.
    Raises EmbeddingError, MaintenanceBusy."""
    until = time.monotonic() + seconds
    with alone(connection, REEMBEDDING_LOCK), connection.cursor() as cursor:
        with connection.transaction():
            model = partitions.ensure_model(cursor, embedder.name, embedder.dimensions)
        done = 0
        while True:
            of = done + lacking(cursor, model)
            on_progress(done, of)
            if of == done and switch(connection, model):
                return done
            after = -1
            while batch := next_texts(cursor, model, after):
                if time.monotonic() >= until:
                    return done
                done += add(connection, embedder, model, batch)
                after = batch[-1].chunk
                on_progress(done, max(done, of))


def lacking(cursor: Cursor, model: Model) -> int:
    """How many chunks have no vector of the model."""
    cursor.execute(LACKING.format(what="count(*)", table=model.table))
    return int(value(cursor))


def next_texts(cursor: Cursor, model: Model, after: int) -> list[_Text]:
    what = "c.id, coalesce(nullif(d.title, ''), d.name), c.heading, c.text"
    sql = LACKING.format(what=what, table=model.table) + " AND c.id > %s ORDER BY c.id LIMIT %s"
    cursor.execute(sql, [after, BATCH])
    return [_Text(row[0], indexed_text(*row[1:])) for row in cursor.fetchall()]


def add(connection: Connection, embedder: Embedder, model: Model, batch: Sequence[_Text]) -> int:
    """Embeds and publishes a batch, but for chunks that went or got their vector meanwhile."""
    vectors = dict(
        zip((item.chunk for item in batch), embedder.embed_documents([t.text for t in batch]), strict=True)
    )
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.collection_id, c.id FROM retrieval_chunk c WHERE c.id = ANY(%s)"
            f" AND NOT EXISTS (SELECT FROM {model.table} e WHERE e.chunk_id = c.id) ORDER BY 1 FOR SHARE OF c",
            [list(vectors)],
        )
        rows = cursor.fetchall()
        for collection in dict.fromkeys(row[0] for row in rows):
            chunks = [chunk for home, chunk in rows if home == collection]
            partitions.publish(
                cursor,
                model=model.name,
                dimensions=model.dimensions,
                collection_id=collection,
                chunks=chunks,
                vectors=partitions.stacked([vectors[chunk] for chunk in chunks]),
            )
    return len(rows)


def switch(connection: Connection, model: Model) -> bool:
    """Makes the model the active one, unless a chunk lacks its vector by now."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [partitions.MODEL_LOCK])
        if lacking(cursor, model):
            return False
        cursor.execute(
            "UPDATE retrieval_embeddingmodel SET state = %s, retired_at = now() WHERE state = %s AND id <> %s",
            [RETIRED, ACTIVE, model.id],
        )
        cursor.execute(
            "UPDATE retrieval_embeddingmodel SET state = %s, retired_at = NULL WHERE id = %s",
            [ACTIVE, model.id],
        )
    return True

"""A document's vectors: what is embedded at a time, and what need not be embedded again."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from retrieval.embeddings import Embedder, Vector
from retrieval.ingestion.chunking import indexed_text
from retrieval.partitions import find_model

_BATCH_TOKENS = 8192
_BATCH_TEXTS = 128
_TOKEN_BYTES = 4  # about, in most languages; to count would take as long as to cut the text into chunks

_HALF = np.dtype(">f2")
_HEAD = 4  # bytes of a halfvec before its numbers

# A chunk's own hash would not do: what is embedded has its title and headings in front.
_CHUNKS = """SELECT c.id, coalesce(nullif(d.title, ''), d.name), c.heading, c.text
    FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id WHERE d.id = %s"""
_VECTORS = "SELECT chunk_id, halfvec_send(embedding) FROM {table} WHERE chunk_id = ANY(%s)"


def first_places(texts: Sequence[str]) -> list[int]:
    """Where each text stands for the first time. A graph of vectors (HNSW) loses its way among hundreds that are equal:
    each of them has the others as neighbours and nothing else, and who comes there finds the others alone."""
    return sorted({text: place for place, text in reversed([*enumerate(texts)])}.values())


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in batches of about equal work."""
    held: list[str] = []
    tokens = 0
    for text in texts:
        cost = len(text.encode()) // _TOKEN_BYTES
        if held and (tokens + cost > _BATCH_TOKENS or len(held) == _BATCH_TEXTS):
            yield held
            held, tokens = [], 0
        held.append(text)
        tokens += cost
    if held:
        yield held


def published(document_id: UUID, embedder: Embedder, texts: Sequence[str]) -> dict[str, Vector]:
    """Of `texts`, as they are embedded, those that the document has published under the embedder's model, with their
    vectors (dimensions,), as exact as they are stored."""
    wanted = frozenset(texts)
    with connection.cursor() as wrapped:
        cursor = wrapped.cursor
        model = find_model(cursor, embedder.name, embedder.dimensions)
        if model is None:
            return {}
        cursor.execute(_CHUNKS, [document_id])
        held = {row[0]: text for row in cursor if (text := indexed_text(*row[1:])) in wanted}
        if not held:
            return {}
        # As bytes, for a large document's numbers would fill the memory as Python's own.
        cursor.execute(_VECTORS.format(table=model.table), [list(held)])
        return {held[key]: np.frombuffer(raw, _HALF, offset=_HEAD).astype(np.float32) for key, raw in cursor}

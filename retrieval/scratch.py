"""A labelled set in a collection of its own, which nobody reads and which is gone afterwards, with its two
legs.

Chunks and vectors go to Postgres as ingestion writes them; the lexical index is a real one in a folder of its
own, so that a running library's word counts neither change nor are changed."""

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from django.db import connection, transaction
from psycopg import Cursor

from retrieval.access import AccessScope
from retrieval.embeddings import Embedder, Vectors
from retrieval.evaluation import LabelledSet
from retrieval.ingestion.chunking import Chunk, indexed_text
from retrieval.ingestion.indexing import chunk_id
from retrieval.lexical import IndexedChunk
from retrieval.lexical.tantivy import TantivyIndex
from retrieval.models import Collection
from retrieval.vectors import publish

logger = logging.getLogger(__name__)

OnProgress = Callable[[int, int], None]
LOCKS = 20483  # class of advisory locks, one for each scratch collection in use
EMBEDDED = 64  # texts between two tellings of progress


@dataclass(frozen=True, slots=True)
class Loaded:
    """`documents`: chunk -> key of its document in the set."""

    scope: AccessScope
    index: TantivyIndex
    documents: dict[int, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Piece:
    key: str
    document: UUID
    title: str
    chunk: Chunk

    @property
    def id(self) -> int:
        return chunk_id(self.document, "scratch", self.chunk.ordinal)

    @property
    def text(self) -> str:
        return indexed_text(self.title, self.chunk.heading, self.chunk.text)


@contextlib.contextmanager
def loaded(
    labelled: LabelledSet,
    embedder: Embedder,
    on_progress: OnProgress,
    *,
    languages: Sequence[str] = (),
) -> Iterator[Loaded]:
    """The set, searchable until the block ends, however it ends, as in a collection that declares these languages.
    What a killed evaluation left behind goes at the next one's start. Raises EmbeddingError, LexicalError and the
    database's errors."""
    started = time.monotonic()
    clear_abandoned()
    pieces = [
        _Piece(source.key, document, source.title, piece)
        for source in labelled.sources
        for document in [uuid4()]
        for piece in source.chunks()
    ]
    vectors = _embedded(embedder, [piece.text for piece in pieces], on_progress)
    with _collection() as collection, tempfile.TemporaryDirectory(prefix="citefirst-evaluate-") as folder:
        with transaction.atomic(), connection.cursor() as wrapped:
            _write(wrapped.cursor, collection, pieces)
            publish(
                wrapped.cursor,
                model=embedder.name,
                dimensions=embedder.dimensions,
                collection_id=collection.pk,
                chunks=[piece.id for piece in pieces],
                vectors=vectors,
            )
        index = TantivyIndex(Path(folder))
        index.append(_indexed(piece, collection.pk, tuple(languages)) for piece in pieces)
        documents = {piece.id: piece.key for piece in pieces}
        seconds = time.monotonic() - started
        try:
            yield Loaded(AccessScope(frozenset({collection.pk})), index, documents, seconds)
        finally:
            index.close()


def clear_abandoned() -> None:
    """Removes the scratch collections that no running evaluation holds."""
    for key in Collection.objects.filter(scratch=True).values_list("pk", flat=True):
        if _locked(key):
            _remove(key)
            _unlock(key)


@contextlib.contextmanager
def _collection() -> Iterator[Collection]:
    with transaction.atomic():
        collection = Collection.objects.create(slug=f"scratch-{uuid4().hex}", name="Evaluation", scratch=True)
        _locked(collection.pk)
    try:
        yield collection
    finally:
        _remove(collection.pk)
        _unlock(collection.pk)


def _remove(collection: int) -> None:
    """Plain SQL: the ORM would load every chunk to delete it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM retrieval_chunk WHERE collection_id = %s", [collection])
        cursor.execute("DELETE FROM retrieval_document WHERE collection_id = %s", [collection])
        cursor.execute("DELETE FROM retrieval_collection WHERE id = %s", [collection])


def _locked(collection: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCKS, collection])
        return bool(cursor.fetchone()[0])


def _unlock(collection: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCKS, collection])


def _embedded(embedder: Embedder, texts: Sequence[str], on_progress: OnProgress) -> Vectors:
    """The vectors of all texts. Texts of like length go together: padding is work."""
    vectors = np.empty((len(texts), embedder.dimensions), np.float32)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for at in range(0, len(order), EMBEDDED):
        batch = order[at : at + EMBEDDED]
        vectors[batch] = embedder.embed_documents([texts[place] for place in batch])
        on_progress(at + len(batch), len(order))
    return vectors


def _write(cursor: "Cursor[tuple[object, ...]]", collection: Collection, pieces: Sequence[_Piece]) -> None:
    counts: dict[UUID, tuple[str, str, int]] = {}
    for piece in pieces:
        _, _, count = counts.get(piece.document, ("", "", 0))
        counts[piece.document] = (piece.key, piece.title, count + 1)
    columns = (
        "id, collection_id, name, title, content_hash, published_hash, size, media_type, status, progress,"
        " reason, attempts, chunk_count, page_count, created_at, changed_at"
    )
    now = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
    with cursor.copy(f"COPY retrieval_document ({columns}) FROM STDIN") as copy:
        for document, (key, title, count) in counts.items():
            named = (document, collection.pk, key[-400:], title[:400], "scratch", "scratch")
            copy.write_row((*named, 0, "text/plain", "ready", 100, "", 0, count, 0, now, now))
    columns = "id, document_id, collection_id, ordinal, heading, page, text, content_hash"
    with cursor.copy(f"COPY retrieval_chunk ({columns}) FROM STDIN") as copy:
        for piece in pieces:
            place = (piece.id, piece.document, collection.pk, piece.chunk.ordinal, piece.chunk.heading)
            copy.write_row((*place, piece.chunk.page, piece.chunk.text, piece.chunk.content_hash))


def _indexed(piece: _Piece, collection: int, languages: tuple[str, ...]) -> IndexedChunk:
    heading, text = piece.chunk.heading, piece.chunk.text
    return IndexedChunk(piece.id, str(piece.document), collection, piece.title, heading, text, languages)

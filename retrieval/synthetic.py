"""A synthetic library of any size, for measuring: text resampled from the sentences of real documents, vectors
resampled from those of real passages.

A vector is one real vector plus `noise` times the direction from one random real vector to another, at unit
length: such noise is spread over the dimensions as text is, where white noise is not."""

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from retrieval import graphs, maintenance, partitions
from retrieval.embeddings import Vectors
from retrieval.errors import RetrievalError

SHARES = (
    0.5,
    0.1,
    0.1,
    0.05,
    0.05,
    0.04,
    0.03,
    0.02,
    0.02,
    0.02,
    *[0.01] * 5,
    0.005,
    0.005,
    0.006,
    0.003,
    0.001,
)
"""Of the rows, for 20 skewed collections; the first has what the others leave."""
CHUNKS_A_DOCUMENT = 20
BLOCK = 20_000
PASSAGE_CHARACTERS = 800

Connection = psycopg.Connection[Any]
Random = np.random.Generator


FULL = "The library holds documents already; use an empty data folder."


class NotEmpty(RetrievalError):
    """The library holds documents already."""


@dataclass(frozen=True, slots=True)
class Collection:
    id: int
    rows: int


def passages_of(folder: Path) -> list[str]:
    """The paragraphs of the folder's Markdown and text files, joined to passages of about 800 characters."""
    found: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".md", ".txt"} and p.is_file()):
        held = ""
        for paragraph in re.split(r"\n\s*\n", path.read_text(errors="replace")):
            if held and len(held) + len(paragraph) > PASSAGE_CHARACTERS:
                found.append(held)
                held = ""
            held += paragraph.strip() + "\n"
        if len(held) > 80:
            found.append(held)
    return found


def sentences_of(passages: Sequence[str]) -> list[str]:
    return [s for p in passages for s in re.split(r"(?<=[.!?])\s+|\n+", p) if 20 < len(s) < 400]


def sizes(chunks: int, collections: int, skew: bool) -> list[int]:
    """Rows of each collection: the skewed shares above (for 20, where there are enough chunks), else equal ones."""
    others = [max(1, int(share * chunks)) for share in SHARES[1:]]
    if skew and collections == len(SHARES) and chunks > sum(others):
        return [chunks - sum(others), *others]
    return [chunks // collections + (place < chunks % collections) for place in range(collections)]


def resampled(base: Vectors, count: int, noise: float, random: Random) -> Vectors:
    """(count, dimensions): real vectors, each moved by `noise` in a real direction, unit length."""
    one, other, origin = random.integers(0, len(base), (3, count))
    direction = base[one] - base[other]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    moved = base[origin] + noise * direction
    unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return unit


def texts(sentences: Sequence[str], count: int, random: Random) -> list[str]:
    """`count` texts of 4 to 8 sentences each."""
    picks = random.integers(0, len(sentences), (count, 8))
    lengths = random.integers(4, 9, count)
    return [
        " ".join([sentences[at] for at in row[:length]]) for row, length in zip(picks, lengths, strict=True)
    ]


@dataclass(slots=True)
class Generator:
    """Loads a library into empty tables through `connection` (autocommit)."""

    connection: Connection
    model: str
    base: Vectors
    sentences: Sequence[str]
    noise: float
    random: Random

    def load(self, rows: Sequence[int]) -> Iterator[tuple[str, int]]:
        """Loads, then builds the indexes. Yields what is being done and how many chunks are done."""
        dimensions = self.base.shape[1]
        with self.connection.cursor() as cursor:
            with self.connection.transaction():
                model = partitions.ensure_model(cursor, self.model, dimensions)
            if partitions.has_rows(cursor, model):
                raise NotEmpty(FULL)
            cursor.execute(f"DROP INDEX {model.table}_hnsw")
            made = self.collections(cursor, rows)
            # Interleaved, as uploads are: a scan of one collection must not find it all in a row.
            homes = self.random.permutation(np.repeat([c.id for c in made], [c.rows for c in made]))
            for start in range(0, len(homes), BLOCK):
                self.block(cursor, model, np.sort(homes[start : start + BLOCK]))
                yield "Loading", min(len(homes), start + BLOCK)
            cursor.execute("ANALYZE retrieval_chunk; ANALYZE retrieval_document")
            yield "Indexing vectors", len(homes)
            halved = len(homes) >= graphs.HALVED_FROM
            graphs.build(self.connection, model.table, dimensions, halved=halved)
            cursor.execute(f"VACUUM ANALYZE {model.table}")
            yield "Copying collections", len(homes)
        maintenance.tidy(self.connection)

    def collections(self, cursor: partitions.Cursor, rows: Sequence[int]) -> list[Collection]:
        made = []
        for place, count in enumerate(rows):
            slug = f"synthetic-{uuid.UUID(bytes=self.random.bytes(16)).hex[:6]}-{place}"
            cursor.execute(
                "INSERT INTO retrieval_collection (slug, name, languages, scratch, created_at)"
                " VALUES (%s, %s, '[\"en\"]', false, now()) RETURNING id",
                [slug, f"Synthetic {place}"],
            )
            made.append(Collection(partitions.value(cursor), count))
        return made

    def block(self, cursor: partitions.Cursor, model: partitions.Model, homes: npt.NDArray[np.int64]) -> None:
        """One transaction: documents of up to 20 chunks, their chunks and vectors."""
        count = len(homes)
        ids = self.random.integers(1, 2**62, count)
        starts = np.flatnonzero(np.diff(homes, prepend=-1))
        ordinal = np.arange(count) - np.repeat(starts, np.diff([*starts, count]))
        first = ordinal % CHUNKS_A_DOCUMENT == 0
        documents = [uuid.UUID(bytes=self.random.bytes(16), version=4) for _ in range(int(first.sum()))]
        owner = np.cumsum(first) - 1
        with self.connection.transaction():
            self.copy_documents(cursor, documents, homes[first], np.bincount(owner))
            columns = "id, document_id, collection_id, ordinal, heading, text, content_hash"
            with cursor.copy(f"COPY retrieval_chunk ({columns}) FROM STDIN") as copy:
                rows = zip(ids.tolist(), owner.tolist(), homes.tolist(), ordinal.tolist(), strict=True)
                for (key, at, home, place), text in zip(
                    rows, texts(self.sentences, count, self.random), strict=True
                ):
                    row = (key, documents[at], home, place % CHUNKS_A_DOCUMENT, f"Part {place % 7}", text)
                    copy.write_row((*row, f"{key:032x}"))
            vectors = resampled(self.base, count, self.noise, self.random)
            partitions.copy_in(cursor, model.table, partitions.binary_rows(model, homes, ids, vectors))

    def copy_documents(
        self,
        cursor: partitions.Cursor,
        documents: Sequence[uuid.UUID],
        homes: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        columns = (
            "id, collection_id, name, title, content_hash, published_hash, size, media_type, status, progress,"
            " reason, attempts, chunk_count, page_count, created_at, changed_at, ready_at"
        )
        with cursor.copy(f"COPY retrieval_document ({columns}) FROM STDIN") as copy:
            for place, (document, home) in enumerate(zip(documents, homes.tolist(), strict=True)):
                title = self.sentences[place % len(self.sentences)][:60]
                held = (
                    document,
                    home,
                    f"{document.hex[:8]}.md",
                    title,
                    document.hex,
                    document.hex,
                    0,
                    "text/markdown",
                )
                state = ("ready", 100, "", 0, int(counts[place]), 0, "now", "now", "now")
                copy.write_row((*held, *state))

"""The two legs over a labelled set in memory, for benchmarks that look at passages rather than at Postgres: the real
chunking, embedder and tantivy index, and an exact search of the vectors."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from retrieval.access import AccessScope
from retrieval.embeddings import Vector, Vectors
from retrieval.embeddings.minilm import Model, prepare
from retrieval.evaluation import LabelledSet, read_set
from retrieval.fusion import fuse
from retrieval.ingestion.chunking import indexed_text
from retrieval.lexical import IndexedChunk
from retrieval.lexical.tantivy import TantivyIndex
from retrieval.passages import Hit, Passage, Ranking

DEPTH = 100
SCOPE = AccessScope(frozenset({1}))


class Embeds(Protocol):
    """A model, or what remembers what a model said."""

    def embed(self, texts: Sequence[str]) -> Vectors: ...


def data_folder() -> Path:
    """CITEFIRST_DATA, else `../shared/data` beside the project."""
    return Path(os.environ.get("CITEFIRST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def model(cache: Path) -> Model:
    """The bundled embedding model on two threads; its graph is kept in `cache`."""
    return Model(prepare(cache), 2)


@dataclass(frozen=True, slots=True)
class Library:
    """A set's passages, by chunk id from 1, and what finds them."""

    labelled: LabelledSet
    passages: list[Passage]
    vectors: Vectors
    index: TantivyIndex

    def lexical(self, question: str) -> Ranking:
        return self.index.search(question, SCOPE, DEPTH)

    def vector(self, embedded: Vector) -> Ranking:
        cosines = self.vectors @ embedded
        best = np.argsort(-cosines)[:DEPTH]
        return Ranking("vector", tuple(Hit(int(at) + 1, float(cosines[at])) for at in best))

    def best(self, question: str, lexical: Ranking | None, vector: Ranking | None, k: int) -> list[Passage]:
        hits = fuse(question, lexical, vector, k=k)
        return [replace(self.passages[hit.chunk - 1], score=hit.score) for hit in hits]


def library(name: str, embedder: Model) -> Library:
    return shelved(read_set(data_folder() / "retrieval" / name), embedder)


def shelved(labelled: LabelledSet, embedder: Embeds) -> Library:
    passages: list[Passage] = []
    for source in labelled.sources:
        for piece in source.chunks():
            place = (source.title, piece.heading, piece.page, piece.ordinal, piece.text, piece.content_hash)
            passages.append(Passage(len(passages) + 1, source.key, labelled.name, 1, *place, 0.0))
    return shelved_passages(passages, embedder, labelled)


def shelved_passages(
    passages: list[Passage], embedder: Embeds, labelled: LabelledSet | None = None
) -> Library:
    """The passages, whose chunks count from 1, and what finds them."""
    index = TantivyIndex()
    index.append(
        IndexedChunk(one.chunk, one.document, 1, one.title, one.heading, one.text) for one in passages
    )
    texts = [indexed_text(one.title, one.heading, one.text) for one in passages]
    return Library(labelled or LabelledSet("", (), ()), passages, embedder.embed(texts), index)

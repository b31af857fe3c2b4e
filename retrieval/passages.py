"""The values of retrieval, frozen: a Hit is a chunk with a score, a Ranking is hits best first, a Passage is a
chunk with its text, used as evidence."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and its score; scores compare within one ranking only."""

    chunk: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits, best first. `leg` is `lexical`, `vector` or `fused`; `partial` when the index knew only some chunks."""

    leg: str
    hits: tuple[Hit, ...] = ()
    partial: bool = False

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(hit.chunk for hit in self.hits)

    def top(self, k: int) -> "Ranking":
        return Ranking(self.leg, self.hits[:k], self.partial)

    def ranks(self) -> dict[int, int]:
        """Chunk id -> rank, from 1."""
        return {hit.chunk: rank for rank, hit in enumerate(self.hits, 1)}


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as evidence. `content_hash` is of `text`; `page` counts from 1; `heading` is `A › B`."""

    chunk: int
    document: str
    collection: str
    collection_id: int
    title: str
    heading: str
    page: int | None
    ordinal: int
    text: str
    content_hash: str
    updated_at: float
    score: float = 0.0
    lexical_rank: int | None = None
    vector_rank: int | None = None

    @property
    def url(self) -> str:
        return f"/d/{self.document}/?chunk={self.chunk}"

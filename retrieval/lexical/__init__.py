"""The lexical index, behind one protocol: `tantivy` (the default) and `bm25` (rank_bm25)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from retrieval.access import AccessScope
from retrieval.passages import Ranking


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """What the index is told of a chunk. `languages` are the codes that its collection declares."""

    chunk: int
    document: str
    collection_id: int
    title: str
    heading: str
    text: str
    languages: tuple[str, ...] = ()


class LexicalIndex(Protocol):
    """BM25 over chunks. `search` is synchronous and safe to call from several threads at once."""

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        """The best `k` chunks within `scope`, best first; `partial` while a rebuild is under way.

        Raises LexicalError."""
        ...

    def replace(self, documents: Iterable[str], chunks: Iterable[IndexedChunk]) -> None:
        """Drops all chunks of `documents`, adds `chunks`, and makes both visible at once."""
        ...

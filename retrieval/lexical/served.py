"""The index that searches go to, whatever is behind it just now; and how chunks are handed to it."""

import threading
import time
from collections.abc import Iterable, Iterator

from retrieval.access import AccessScope
from retrieval.errors import IndexRebuilding, LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.bm25 import BM25Index
from retrieval.lexical.tantivy import TantivyIndex
from retrieval.passages import Ranking

POLITE = 32  # chunks between two breaths: the event loop must not wait for a bulk of them

Index = TantivyIndex | BM25Index


class ServedIndex:
    """The LexicalIndex that searches go to while the follower changes what is behind it."""

    def __init__(self) -> None:
        self.index: Index | None = None
        self.damaged = threading.Event()

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        if self.index is None:
            raise IndexRebuilding("The lexical index is not loaded yet.")
        try:
            return self.index.search(query, scope, k)
        except LexicalError:
            self.damaged.set()
            raise

    def replace(self, documents: Iterable[str], chunks: Iterable[IndexedChunk]) -> None:
        raise LexicalError("Only the follower writes the lexical index.")


def noted(chunks: Iterable[IndexedChunk], collections: set[int]) -> Iterator[IndexedChunk]:
    """Hands the chunks on, and notes where they are."""
    for chunk in chunks:
        collections.add(chunk.collection_id)
        yield chunk


def politely(chunks: Iterable[IndexedChunk]) -> Iterator[IndexedChunk]:
    """Hands the chunks on, giving way now and then: a busy thread holds the interpreter for 5 ms at a time,
    and a question has several such waits."""
    for count, chunk in enumerate(chunks):
        if count % POLITE == 0:
            time.sleep(0.0001)
        yield chunk

"""What a search of one language's chunks goes by: one state of them, and which collections they are in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from tantivy import Query, Searcher

from retrieval.lexical.weights import Counts

MOST_COLLECTIONS = 60_000  # tantivy gives up at 65,000 buckets

BEGINNINGS = 64
"""Beginnings of words whose words are remembered for one state."""

TEXT = "text"
"""The field with the words."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of one language's chunks."""

    searcher: Searcher
    collections: Mapping[int, int]
    """Collection -> chunks."""
    whole: bool
    """Whether each chunk is in one of them: a count has its limits."""
    beginning: Callable[[str], Sequence[tuple[str, int]]]
    """The words that begin so, with the chunks that have them; remembered, for to list some hundred takes 2 ms."""

    @property
    def counts(self) -> Counts:
        return Counts(self.searcher.num_docs, lambda term: self.searcher.doc_freq(TEXT, term))

    def share(self, readable: Iterable[int]) -> float:
        """Of all chunks, those of these collections."""
        return sum(self.collections.get(one, 0) for one in readable) / max(1, self.searcher.num_docs)

    def hidden(self, readable: frozenset[int]) -> frozenset[int] | None:
        """The collections beside these; None where some chunk may be in neither."""
        return frozenset(self.collections.keys() - readable) if self.whole else None


def snapshot(searcher: Searcher) -> Snapshot:
    """The state that `searcher` sees. Raises what tantivy raises."""
    counting = {"held": {"terms": {"field": "collection", "size": MOST_COLLECTIONS}}}
    found: list[dict[str, float]] = searcher.aggregate(Query.all_query(), counting)["held"]["buckets"]
    counts = {int(bucket["key"]): int(bucket["doc_count"]) for bucket in found}
    beginning = lru_cache(BEGINNINGS)(partial(searcher.terms_with_prefix, TEXT))
    return Snapshot(searcher, counts, sum(counts.values()) == searcher.num_docs, beginning)

"""What a search of the tantivy index goes by: one state of it, and what is in that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tantivy import Query, Schema, Searcher

from retrieval.lexical.stopwords import LANGUAGES

MOST_COLLECTIONS = 60_000  # tantivy gives up at 65,000 buckets


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the index, and the languages and collections that are in it."""

    searcher: Searcher
    languages: Mapping[str, frozenset[int]]
    """Language -> the collections with chunks in it."""
    collections: Mapping[int, int]
    """Collection -> chunks."""
    whole: bool
    """Whether each chunk is in one of them: a count has its limits."""

    def spoken(self, readable: frozenset[int]) -> tuple[str, ...]:
        """The languages of what is in these collections: those of others are nothing to go by."""
        return tuple(code for code, homes in self.languages.items() if not homes.isdisjoint(readable))

    def share(self, readable: Iterable[int]) -> float:
        """Of all chunks, those of these collections."""
        return sum(map(self.collections.__getitem__, readable)) / max(1, self.searcher.num_docs)

    def hidden(self, readable: frozenset[int]) -> frozenset[int] | None:
        """The collections beside these; None where some chunk may be in neither."""
        return frozenset(self.collections.keys() - readable) if self.whole else None


def snapshot(searcher: Searcher, schema: Schema) -> Snapshot:
    """The state that `searcher` sees. Raises what tantivy raises."""
    counts = _counts(searcher, Query.all_query())
    present = [code for code in LANGUAGES if searcher.doc_freq("language", code)]

    def homes(language: str) -> frozenset[int]:
        return frozenset(_counts(searcher, Query.term_query(schema, "language", language, "basic")))

    return Snapshot(
        searcher,
        # A library in one language need not be counted twice.
        {code: homes(code) if present[1:] else frozenset(counts) for code in present},
        counts,
        whole=sum(counts.values()) == searcher.num_docs,
    )


def _counts(searcher: Searcher, matching: Query) -> dict[int, int]:
    """How many of the matching chunks each collection has."""
    counting = {"held": {"terms": {"field": "collection", "size": MOST_COLLECTIONS}}}
    found: list[dict[str, float]] = searcher.aggregate(matching, counting)["held"]["buckets"]
    return {int(bucket["key"]): int(bucket["doc_count"]) for bucket in found}

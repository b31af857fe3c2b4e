"""The lexical index on rank_bm25, in memory: the second engine, and the oracle that tantivy is tested
against.

Each question is scored against every chunk, so it is for small libraries: about 2 ms for a thousand
chunks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock

import numpy as np
from rank_bm25 import BM25Okapi

from retrieval.access import AccessScope
from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import MOST_TERMS, analyzer, query_terms, weighted
from retrieval.lexical.language import asked_in, language_of
from retrieval.lexical.weights import Counts, Weights, rarity
from retrieval.passages import Hit, Ranking

K1, B = 1.2, 0.75  # tantivy's, which cannot be set there


class LuceneBM25(BM25Okapi):  # type: ignore[misc]
    """Okapi with Lucene's document frequency weight, which is never below zero: ln(1 + (N - n + 0.5) / (n +
    0.5))."""

    def __init__(self, texts: Iterable[list[str]], *, b: float = B) -> None:
        super().__init__(texts, k1=K1, b=b)

    def _calc_idf(self, nd: dict[str, int]) -> None:
        self.having = nd
        self.idf = {word: rarity(self.corpus_size, count) for word, count in nd.items()}


class _Snapshot:
    """What one search sees: the chunks of one language, scored by one BM25."""

    def __init__(self, chunks: list[tuple[int, int, list[str]]]) -> None:
        self.ids = [chunk for chunk, _, _ in chunks]
        self.collections = np.array([collection for _, collection, _ in chunks], dtype=np.int64)
        self.homes = frozenset(collection for _, collection, _ in chunks)
        self.bm25 = LuceneBM25([terms for _, _, terms in chunks])

    @property
    def counts(self) -> Counts:
        return Counts(len(self.ids), lambda term: self.bm25.having.get(term, 0))

    def best(self, terms: Mapping[str, float], scope: AccessScope, k: int) -> list[Hit]:
        """`terms`: with what the score of each is multiplied."""
        scores = np.zeros(len(self.ids))
        for weight in set(terms.values()):
            alike = [term for term in terms if terms[term] == weight]
            scores += weight * np.asarray(self.bm25.get_scores(alike), dtype=np.float64)
        scores[~np.isin(self.collections, list(scope.collection_ids))] = 0.0
        order = np.argsort(-scores, kind="stable")[:k]
        return [Hit(self.ids[at], float(scores[at])) for at in order if scores[at] > 0]


class BM25Index:
    """A LexicalIndex in memory; a change costs a new pass over all chunks' counts."""

    def __init__(self) -> None:
        self.partial = False
        self._changing = Lock()
        self._terms: dict[str, dict[int, tuple[int, str, list[str]]]] = {}
        self._snapshots: dict[str, _Snapshot] = {}

    def __len__(self) -> int:
        return sum(len(snapshot.ids) for snapshot in self._snapshots.values())

    def counts(self) -> Mapping[int, int]:
        """Collection -> chunks."""
        return Counter(home for held in self._terms.values() for home, _, _ in held.values())

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        held, partial = self._snapshots, self.partial
        snapshots = {
            language: snapshot
            for language, snapshot in held.items()
            if not snapshot.homes.isdisjoint(scope.collection_ids)
        }
        hits: list[Hit] = []
        said, foreign = asked_in(query, tuple(snapshots))
        weights = Weights(query, {language: one.counts for language, one in snapshots.items()})
        if k > 0:
            for language, snapshot in snapshots.items():
                terms = query_terms(said[language], language)
                rarest = sorted(terms, key=lambda term: -snapshot.bm25.idf.get(term, 0.0))[:MOST_TERMS]
                hits += snapshot.best({term: weights(language, term) for term in rarest}, scope, k)
        hits.sort(key=lambda hit: -hit.score)
        return Ranking("lexical", tuple(hits[:k]), partial, foreign=foreign)

    def replace(self, documents: Iterable[str], chunks: Iterable[IndexedChunk]) -> None:
        with self._changing:
            for document in documents:
                self._terms.pop(document, None)
            self._add(chunks)
            self._publish()

    def append(self, chunks: Iterable[IndexedChunk]) -> None:
        """Adds many chunks of documents that it does not hold yet: the step of a rebuild."""
        with self._changing:
            self._add(chunks)
            self._publish()

    def _add(self, chunks: Iterable[IndexedChunk]) -> None:
        for chunk in chunks:
            language = language_of(chunk.text, chunk.languages)
            terms: list[str] = analyzer(language).analyze(weighted(chunk.title, chunk.heading, chunk.text))
            self._terms.setdefault(chunk.document, {})[chunk.chunk] = (chunk.collection_id, language, terms)

    def _publish(self) -> None:
        languages = Counter(language for held in self._terms.values() for _, language, _ in held.values())
        self._snapshots = {
            language: _Snapshot(
                [
                    (chunk, collection, terms)
                    for held in self._terms.values()
                    for chunk, (collection, spoken, terms) in held.items()
                    if spoken == language
                ]
            )
            for language in sorted(languages)
        }

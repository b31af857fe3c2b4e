"""The lexical index on tantivy: BM25 in a folder on disk, searched within the asker's collections.

The folder is a copy of what Postgres holds; `follower.py` keeps it in step. One process writes, any number
read. Each language has an index of its own in it (`shard.py`)."""

import fcntl
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from tantivy import DocAddress, Occur, Query, Searcher

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import DEFAULT, MOST_TERMS, query_terms
from retrieval.lexical.language import asked_in, language_of
from retrieval.lexical.shard import Shard, schema
from retrieval.lexical.snapshot import TEXT, Snapshot
from retrieval.lexical.typos import Texts, begun, corrections, joined, parts
from retrieval.lexical.weights import Weights
from retrieval.passages import Hit, Ranking

Clause = tuple[Occur, Query]
Found = tuple[float, DocAddress]
"""A score and where in the snapshot the chunk is."""

SCHEMA_VERSION = 10
"""Raise it when the schema or the analysis changes: folders of another version are rebuilt."""

COMMITS = "commits.json"
"""Written after each commit: the languages that there are."""

FEW = 8  # collections that are filtered one by one
ENOUGH = 50  # chunks for each hit wanted, that the rarest words of a question choose from
ADDED = 8  # words beyond those that add to the score of what these have chosen, the rarest
COMMON = 0.4  # of all chunks: a word that more of them have tells none from the other
LOOKED_UP = 2.5  # chunks of a list that are read, passing over most, in the time of looking one up in it
CORRECTED = 0.7  # what a corrected word counts beside a word as it was typed

SCHEMA = schema(DEFAULT)
"""For queries, which go by the names of fields: those are the same in each language."""


class Part(NamedTuple):
    """What the asker may read of one language."""

    snapshot: Snapshot
    readable: frozenset[int]
    texts: Texts

    @property
    def searcher(self) -> Searcher:
        return self.snapshot.searcher


@contextmanager
def _translated() -> Iterator[None]:
    """tantivy raises ValueError for nearly all that can go wrong, from a damaged folder to a full disk."""
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        raise LexicalError(f"The lexical index failed: {error}") from error


class TantivyIndex:
    """A LexicalIndex in `folder`, or in memory where none is given. Raises LexicalError on a damaged folder.

    `partial` is set by whoever fills it, and is handed on with each ranking."""

    def __init__(self, folder: Path | None = None) -> None:
        self.partial = False
        self._folder = folder
        self._writing = Lock()
        self._shards: dict[str, Shard] = {}
        self._held: Mapping[str, Snapshot] = {}
        with _translated():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                if not (folder / COMMITS).exists():
                    self._note()
        self.reload()

    def __len__(self) -> int:
        return sum(int(one.searcher.num_docs) for one in self._held.values())

    def reload(self) -> None:
        """Makes what was committed visible, also by another process."""
        with _translated(), self._locked(fcntl.LOCK_SH):
            for language in self._noted():
                self._shard(language)
            seen = {language: shard.read() for language, shard in sorted(self._shards.items())}
            self._held = {language: one for language, one in seen.items() if one.searcher.num_docs}

    def counts(self) -> Mapping[int, int]:
        """Collection -> chunks."""
        total: Counter[int] = Counter()
        for one in self._held.values():
            total.update(one.collections)
        return total

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        held, partial = self._held, self.partial
        readable = {code: scope.collection_ids.intersection(one.collections) for code, one in held.items()}
        hits: list[Hit] = []
        spelt: list[tuple[str, str]] = []
        with _translated():
            # Languages of what the asker may not read are nothing to go by.
            read = {code: _part(held[code], some) for code, some in readable.items() if some}
            said, foreign = asked_in(query, tuple(read))
            weights = Weights(query, {code: part.snapshot.counts for code, part in read.items()})
            texts = {code: part.texts for code, part in read.items()}
            for code, part in read.items() if k > 0 else ():
                elsewhere = weights.elsewhere(code, lambda other, term: texts[other].have(term))
                words = _words(part.texts, code, query_terms(said[code], code), weights, elsewhere, spelt)
                found = _found(part, words, k) if words else []
                chunks = part.searcher.fast_field_values("chunk", [address for _, address in found])
                scored = zip(chunks, found, strict=True)
                hits += (Hit(int(chunk), float(hit[0])) for chunk, hit in scored if chunk is not None)
        if len(read) > 1:
            hits.sort(key=lambda hit: -hit.score)
        return Ranking("lexical", tuple(hits[:k]), partial, (), foreign, tuple(spelt))

    def replace(self, documents: Iterable[str], chunks: Iterable[IndexedChunk]) -> None:
        """Commits once, at the end: a search sees all of it or nothing."""
        gone = list(documents)
        with self._writing, _translated():
            if not any(shard.is_open for shard in self._shards.values()):
                self.reload()  # another process may have written since
            for language, shard in self._shards.items():
                if shard.pending or self._holds(language, gone):
                    self._opened(shard, threads=1).delete(gone)
            self._add(chunks, threads=1)
            self._commit()
        self.reload()

    def append(self, chunks: Iterable[IndexedChunk], *, threads: int = 2) -> None:
        """Adds many chunks of documents that it does not hold yet: the step of a rebuild."""
        with self._writing, _translated():
            self._add(chunks, threads=threads)
            self._commit()
        self.reload()

    def close(self) -> None:
        """Lets go of the folder's write locks; merges under way are given up. Reading goes on working."""
        with self._writing:
            for shard in self._shards.values():
                shard.close()

    def _shard(self, language: str) -> Shard:
        if language not in self._shards:
            self._shards[language] = Shard(language, self._folder and self._folder / language)
        return self._shards[language]

    def _opened(self, shard: Shard, threads: int) -> Shard:
        if not shard.is_open:
            shard.open(threads=threads, roomy=not any(other.is_open for other in self._shards.values()))
        return shard

    def _holds(self, language: str, documents: Sequence[str]) -> bool:
        one = self._held.get(language)
        return one is not None and any(one.searcher.doc_freq("document", document) for document in documents)

    def _add(self, chunks: Iterable[IndexedChunk], threads: int) -> None:
        for chunk in chunks:
            language = language_of(chunk.text, chunk.languages)
            self._opened(self._shard(language), threads).add(chunk)

    def _commit(self) -> None:
        """All languages, or, for who reads, none: also in another process."""
        with self._locked(fcntl.LOCK_EX):
            for shard in self._shards.values():
                if shard.pending:
                    shard.commit()
            self._note()

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        if self._folder is None:
            yield
            return
        lock = os.open(self._folder / "commits.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)

    def _note(self) -> None:
        if self._folder is not None:
            passing = self._folder / f"{COMMITS}.new"
            passing.write_text(json.dumps(sorted(self._shards)))
            passing.replace(self._folder / COMMITS)

    def _noted(self) -> list[str]:
        if self._folder is None:
            return []
        languages: list[str] = json.loads((self._folder / COMMITS).read_text())
        for language in languages:
            if not (self._folder / language / "meta.json").exists():
                raise ValueError(f"the chunks of language {language!r} are missing")
        return languages


def _part(held: Snapshot, readable: frozenset[int]) -> Part:
    """Whether a readable chunk has a word is looked up in the largest collection first, which is likely to have it."""
    places: list[Query] = []
    if held.hidden(readable) != frozenset():
        largest = max(readable, key=held.collections.__getitem__)
        places = [_allowed(each) for each in dict.fromkeys([frozenset([largest]), readable])]
    return Part(held, readable, Texts(held.searcher, SCHEMA, TEXT, places))


def _allowed(readable: frozenset[int]) -> Query:
    """The chunks of these collections, adding nothing to the score."""
    return Query.const_score_query(_members(readable), 0.0)


def _members(collections: frozenset[int]) -> Query:
    if len(collections) > FEW:
        return Query.term_set_query(SCHEMA, "collection", sorted(collections))
    # Read along with the words' own lists, instead of marking every chunk beforehand.
    each = (Query.term_query(SCHEMA, "collection", one, "basic") for one in sorted(collections))
    return Query.boolean_query([(Occur.Should, one) for one in each])


def _within(part: Part) -> list[Clause]:
    """What keeps a search of this very snapshot to these collections: the smaller of the two lists, of the chunks
    that are readable or of those that are not."""
    hidden = part.snapshot.hidden(part.readable)
    if hidden is None or part.snapshot.share(part.readable) <= 0.5:
        return [(Occur.Must, _allowed(part.readable))]
    return [(Occur.MustNot, _members(hidden))] if hidden else []


def _term(term: str, weight: float = 1.0) -> Query:
    query = Query.term_query(SCHEMA, TEXT, term, index_option="freq")
    return query if weight == 1.0 else Query.boost_query(query, weight)


def _words(
    texts: Texts,
    language: str,
    asked: Sequence[str],
    weights: Weights,
    elsewhere: frozenset[str],
    spelt: list[tuple[str, str]],
) -> dict[str, Query]:
    """The question's terms; one that no readable chunk has, in this language or `elsewhere`, is also looked for as its
    likely spellings, or as a name and a number; a letter that texts have in pairs, as those. `spelt` gets these
    spellings."""

    def of(term: str, times: float = 1.0) -> Query:
        return _term(term, times * weights(language, term))

    terms = _rarest(texts.searcher, asked)
    words = {term: of(term) for term in terms}
    strange = [term for term in terms if term not in elsewhere]
    spelt += (likely := [pair for pair in corrections(texts, strange) if pair[1] not in words])
    for _, term in likely:
        words[term] = of(term, CORRECTED)
    for term in joined(texts, terms):  # what two words ask for
        words[term] = of(term, 2 * CORRECTED)
    for pair in parts(texts, terms):
        both = [(Occur.Must, of(term)) for term in query_terms(pair, language)]
        words[pair] = Query.boost_query(Query.boolean_query(both), CORRECTED)
    for letter, pairs in begun(texts.searcher, TEXT, terms).items():
        words[letter] = Query.disjunction_max_query([of(pair) for pair in pairs])
    return words


def _found(part: Part, words: Mapping[str, Query], k: int) -> list[Found]:
    """Any of the words. To look through the lists of words that half of a large library has takes most of the time,
    and what has none of the rarer ones is not among the best: so the rarest words choose, as many as ENOUGH chunks a
    hit take, and the next rarest add to the score of what these have found."""
    within = _within(part)
    for most in (ENOUGH * k / part.snapshot.share(part.readable), math.inf):
        finding, adding = _split(part.searcher, words, most, filtered=bool(within))
        found: list[Found] = list(part.searcher.search(_query(finding, adding, within), k, count=False).hits)
        if len(found) >= k or len(finding) == len(words):
            break
    return found


def _rarest(searcher: Searcher, terms: Sequence[str]) -> list[str]:
    """At most MOST_TERMS of the terms, the rarest that are there at all: they decide."""
    if len(terms) <= MOST_TERMS:
        return list(terms)
    frequencies = {term: searcher.doc_freq(TEXT, term) for term in terms[: MOST_TERMS * 8]}
    known = [term for term in frequencies if frequencies[term]]
    return sorted(known, key=lambda term: frequencies[term])[:MOST_TERMS]


def _split(
    searcher: Searcher, words: Mapping[str, Query], enough: float, *, filtered: bool
) -> tuple[list[Query], list[Query]]:
    """The rarest of the words, as many as so many chunks take, and those of the others that add to the score: to look
    a chunk up in the list of a common word takes as long as in that of a rare one, and says less."""
    finding: list[Query] = []
    adding: list[Query] = []
    reached = found = beside = 0
    frequencies = {word: searcher.doc_freq(TEXT, word) for word in words}
    for word in sorted(words, key=frequencies.__getitem__):
        if reached < enough:
            finding.append(words[word])
            found += frequencies[word]
        elif len(adding) < ADDED and frequencies[word] <= COMMON * searcher.num_docs:
            adding.append(words[word])
            beside += frequencies[word]
        reached += frequencies[word]
    if not filtered and beside < LOOKED_UP * found * len(adding):
        return finding + adding, []  # all of them choose: see _query
    return finding, adding


def _query(finding: Sequence[Query], adding: Sequence[Query], within: Sequence[Clause]) -> Query:
    any_of = Query.boolean_query([(Occur.Should, query) for query in finding])
    if not adding and not within:
        return any_of  # nothing but words: tantivy passes over what cannot be among the best
    return Query.boolean_query([(Occur.Must, any_of), *within, *((Occur.Should, query) for query in adding)])

"""The lexical index on tantivy: BM25 in a folder on disk, searched within the asker's collections.

The folder is a copy of what Postgres holds; `follower.py` keeps it in step. One process writes, any number
read."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from tantivy import DocAddress, Document, Index, IndexWriter, Occur, Query, Schema, SchemaBuilder, Searcher

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import (
    MOST_TERMS,
    analyzer,
    asked_in,
    language_of,
    query_terms,
    weighted,
)
from retrieval.lexical.snapshot import Snapshot, snapshot
from retrieval.lexical.stopwords import LANGUAGES
from retrieval.lexical.typos import Texts, begun, corrections, joined, parts
from retrieval.passages import Hit, Ranking

Word = tuple[str, str]
"""A field and a term."""

Clause = tuple[Occur, Query]
Found = tuple[float, DocAddress]
"""A score and where in the snapshot the chunk is."""

SCHEMA_VERSION = 8
"""Raise it when the schema or the analysis changes: folders of another version are rebuilt."""

WRITER_HEAP = 64 * 1024 * 1024  # bytes, of all threads together; tantivy refuses less than 15 MB a thread
FEW = 8  # collections that are filtered one by one
ENOUGH = 50  # chunks for each hit wanted, that the rarest words of a question choose from
ADDED = 8  # words beyond those that add to the score of what these have chosen, the rarest
COMMON = 0.4  # of all chunks: a word that more of them have tells none from the other
LOOKED_UP = 2.5  # chunks of a list that are read, passing over most, in the time of looking one up in it
CORRECTED = 0.7  # what a corrected word counts beside a word as it was typed


def schema() -> Schema:
    """A text field for each language, so that document frequencies and lengths are those of its own texts."""
    builder = SchemaBuilder()
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_unsigned_field("collection", indexed=True, fast=True)
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("language", tokenizer_name="raw", index_option="basic")
    for language in LANGUAGES:
        builder.add_text_field(field(language), tokenizer_name=language, index_option="freq")
    return builder.build()


def field(language: str) -> str:
    return f"text_{language}"


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
        self._schema = schema()
        self._writing = Lock()
        self._writer: IndexWriter | None = None
        with _translated():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._index = Index(self._schema, path=None if folder is None else str(folder))
            for language in LANGUAGES:
                self._index.register_tokenizer(language, analyzer(language))
            self._index.config_reader("manual")
        self.reload()

    def __len__(self) -> int:
        return int(self._held.searcher.num_docs)

    def reload(self) -> None:
        """Makes what was committed visible, also by another process."""
        with _translated():
            self._index.reload()
            self._held = snapshot(self._index.searcher(), self._schema)

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        held, partial = self._held, self.partial
        readable = scope.collection_ids.intersection(held.collections)
        if not readable or k < 1:
            return Ranking("lexical", partial=partial)
        with _translated():
            languages = held.spoken(readable)
            said, foreign = asked_in(query, languages)
            spelt: list[tuple[str, str]] = []
            places = self._places(held, readable)
            asked = [self._words(held.searcher, said[code], code, places, spelt) for code in languages]
            asked = [words for words in asked if words]
            if not asked:
                return Ranking("lexical", partial=partial)
            within = self._within(held, readable)
            found = self._found(held.searcher, asked, within, k, ENOUGH * k / held.share(readable))
            chunks = held.searcher.fast_field_values("chunk", [address for _, address in found])
        scored = zip(chunks, found, strict=True)
        hits = (Hit(int(chunk), float(hit[0])) for chunk, hit in scored if chunk is not None)
        return Ranking("lexical", tuple(hits), partial, (), foreign, tuple(spelt))

    def replace(self, documents: Iterable[str], chunks: Iterable[IndexedChunk]) -> None:
        """Commits once, at the end: a search sees all of it or nothing."""
        with self._writing, _translated():
            writer = self._opened(threads=1)
            for document in documents:
                writer.delete_documents_by_term("document", document)
            self._add(writer, chunks)
            writer.commit()
        self.reload()

    def append(self, chunks: Iterable[IndexedChunk], *, threads: int = 2) -> None:
        """Adds many chunks of documents that it does not hold yet: the step of a rebuild."""
        with self._writing, _translated():
            writer = self._opened(threads=threads)
            self._add(writer, chunks)
            writer.commit()
        self.reload()

    def close(self) -> None:
        """Lets go of the folder's write lock; merges under way are given up. Reading goes on working."""
        with self._writing:
            self._writer = None

    def _opened(self, threads: int) -> IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(WRITER_HEAP, num_threads=threads)
        return self._writer

    @staticmethod
    def _add(writer: IndexWriter, chunks: Iterable[IndexedChunk]) -> None:
        for chunk in chunks:
            language = language_of(chunk.text, chunk.languages)
            document = Document()
            document.add_unsigned("chunk", chunk.chunk)
            document.add_unsigned("collection", chunk.collection_id)
            document.add_text("document", chunk.document)
            document.add_text("language", language)
            document.add_text(field(language), weighted(chunk.title, chunk.heading, chunk.text))
            writer.add_document(document)

    def _within(self, held: Snapshot, readable: frozenset[int]) -> list[Clause]:
        """What keeps a search of this very snapshot to these collections: the smaller of the two lists, of the chunks
        that are readable or of those that are not."""
        hidden = held.hidden(readable)
        if hidden is None or held.share(readable) <= 0.5:
            return [(Occur.Must, self._allowed(readable))]
        return [(Occur.MustNot, self._members(hidden))] if hidden else []

    def _allowed(self, readable: frozenset[int]) -> Query:
        """The chunks of these collections, adding nothing to the score."""
        return Query.const_score_query(self._members(readable), 0.0)

    def _members(self, collections: frozenset[int]) -> Query:
        if len(collections) > FEW:
            return Query.term_set_query(self._schema, "collection", sorted(collections))
        # Read along with the words' own lists, instead of marking every chunk beforehand.
        each = (Query.term_query(self._schema, "collection", one, "basic") for one in sorted(collections))
        return Query.boolean_query([(Occur.Should, one) for one in each])

    def _places(self, held: Snapshot, readable: frozenset[int]) -> list[Query]:
        """Where to look whether a readable chunk has a word: in the largest collection, which is likely to have it, and
        then in all; nowhere, where all chunks are readable."""
        if held.hidden(readable) == frozenset():
            return []
        largest = max(readable, key=held.collections.__getitem__)
        return [self._allowed(each) for each in dict.fromkeys([frozenset([largest]), readable])]

    def _words(
        self,
        searcher: Searcher,
        query: str,
        language: str,
        places: Sequence[Query],
        spelt: list[tuple[str, str]],
    ) -> dict[Word, Query]:
        """The question's words; one that no readable chunk has is also looked for as its likely spellings, or as a
        name and a number; a letter that texts have in pairs, as those. `spelt` gets these spellings."""
        name = field(language)
        terms = self._rarest(searcher, name, query_terms(query, language))
        words = {(name, term): self._term(name, term) for term in terms}
        texts = Texts(searcher, self._schema, name, places)
        spelt += (likely := corrections(texts, terms))
        for _, term in likely:
            words[name, term] = Query.boost_query(self._term(name, term), CORRECTED)
        for term in joined(texts, terms):  # what two words ask for
            words[name, term] = Query.boost_query(self._term(name, term), 2 * CORRECTED)
        for pair in parts(texts, terms):
            both = [(Occur.Must, self._term(name, term)) for term in query_terms(pair, language)]
            words[name, pair] = Query.boost_query(Query.boolean_query(both), CORRECTED)
        for letter, pairs in begun(searcher, name, terms).items():
            each = [self._term(name, pair) for pair in pairs]
            words[name, letter] = Query.disjunction_max_query(each)
        return words

    @staticmethod
    def _found(
        searcher: Searcher, asked: Sequence[Mapping[Word, Query]], within: list[Clause], k: int, enough: float
    ) -> list[Found]:
        """Any of the words of a language. To look through the lists of words that half of a large library has takes
        most of the time, and what has none of the rarer ones is not among the best: so the rarest words choose, as
        many as `enough` chunks take, and the next rarest add to the score of what these have found."""
        for most in (enough, math.inf):
            split = [_split(searcher, words, most, filtered=bool(within)) for words in asked]
            clauses = [_query(finding, adding, within) for finding, adding in split]
            matching = clauses[0] if len(clauses) == 1 else Query.disjunction_max_query(clauses)
            found: list[Found] = list(searcher.search(matching, k, count=False).hits)
            choosing = sum(len(finding) for finding, _ in split)
            if len(found) >= k or choosing == sum(map(len, asked)):
                break
        return found

    def _term(self, name: str, term: str) -> Query:
        return Query.term_query(self._schema, name, term, index_option="freq")

    @staticmethod
    def _rarest(searcher: Searcher, name: str, terms: Sequence[str]) -> list[str]:
        """At most MOST_TERMS of the terms, the rarest that are there at all: they decide."""
        if len(terms) <= MOST_TERMS:
            return list(terms)
        frequencies = {term: searcher.doc_freq(name, term) for term in terms[: MOST_TERMS * 8]}
        known = [term for term in frequencies if frequencies[term]]
        return sorted(known, key=lambda term: frequencies[term])[:MOST_TERMS]


def _split(
    searcher: Searcher, words: Mapping[Word, Query], enough: float, *, filtered: bool
) -> tuple[list[Query], list[Query]]:
    """The rarest of the words, as many as so many chunks take, and those of the others that add to the score: to look
    a chunk up in the list of a common word takes as long as in that of a rare one, and says less."""
    finding: list[Query] = []
    adding: list[Query] = []
    reached = found = beside = 0
    frequencies = {word: searcher.doc_freq(*word) for word in words}
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

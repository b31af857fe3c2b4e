"""The lexical index on tantivy: BM25 in a folder on disk, searched within the asker's collections.

The folder is a copy of what Postgres holds; `follower.py` keeps it in step. One process writes, any number
read."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tantivy import Document, Index, IndexWriter, Occur, Query, Schema, SchemaBuilder, Searcher

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import (
    MOST_TERMS,
    analyzer,
    language_of,
    query_terms,
    weighted,
)
from retrieval.lexical.stopwords import LANGUAGES
from retrieval.lexical.typos import corrections
from retrieval.passages import Hit, Ranking

SCHEMA_VERSION = 2
"""Raise it when the schema or the analysis changes: folders of another version are rebuilt."""

WRITER_HEAP = 64 * 1024 * 1024  # bytes, of all threads together; tantivy refuses less than 15 MB a thread
FEW = 8  # collections that are filtered one by one
MOST_COLLECTIONS = 60_000  # tantivy gives up at 65,000 buckets
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


@dataclass(frozen=True, slots=True)
class _Held:
    """A snapshot, and the languages and collections that are in it."""

    searcher: Searcher
    languages: tuple[str, ...]
    collections: frozenset[int]


def _collections(searcher: Searcher) -> list[dict[str, float]]:
    counting = {"held": {"terms": {"field": "collection", "size": MOST_COLLECTIONS}}}
    found: list[dict[str, float]] = searcher.aggregate(Query.all_query(), counting)["held"]["buckets"]
    return found


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
            searcher = self._index.searcher()
            self._held = _Held(
                searcher,
                tuple(code for code in LANGUAGES if searcher.doc_freq("language", code)),
                frozenset(int(bucket["key"]) for bucket in _collections(searcher)),
            )

    def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        held, partial = self._held, self.partial
        readable = held.collections & scope.collection_ids
        if not readable or k < 1:
            return Ranking("lexical", partial=partial)
        with _translated():
            allowed = self._allowed(readable)
            parts = [self._terms(held.searcher, query, language, allowed) for language in held.languages]
            clauses = [part for part in parts if part is not None]
            if not clauses:
                return Ranking("lexical", partial=partial)
            matching = clauses[0] if len(clauses) == 1 else Query.disjunction_max_query(clauses)
            # All that this very snapshot holds is readable: without a filter a search is 3 to 5 times as fast.
            within = matching if readable == held.collections else _both(matching, allowed)
            found = held.searcher.search(within, k, count=False).hits
            chunks = held.searcher.fast_field_values("chunk", [address for _, address in found])
        scored = zip(chunks, found, strict=True)
        hits = (Hit(int(chunk), float(hit[0])) for chunk, hit in scored if chunk is not None)
        return Ranking("lexical", tuple(hits), partial)

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

    def _allowed(self, readable: frozenset[int]) -> Query:
        """The chunks of these collections, adding nothing to the score."""
        if len(readable) > FEW:
            members = Query.term_set_query(self._schema, "collection", sorted(readable))
        else:  # read along with the words' own lists, instead of marking every chunk beforehand
            each = (Query.term_query(self._schema, "collection", one, "basic") for one in sorted(readable))
            members = Query.boolean_query([(Occur.Should, one) for one in each])
        return Query.const_score_query(members, 0.0)

    def _terms(self, searcher: Searcher, query: str, language: str, allowed: Query) -> Query | None:
        """Any of the question's terms; a word that no readable chunk has is also looked for as its likely
        spellings."""
        name = field(language)
        terms = self._rarest(searcher, name, query_terms(query, language))
        clauses = [self._term(name, term) for term in terms]
        for correction in corrections(searcher, self._schema, name, terms, allowed):
            clauses.append(Query.boost_query(self._term(name, correction), CORRECTED))
        return Query.boolean_query([(Occur.Should, clause) for clause in clauses]) if clauses else None

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


def _both(matching: Query, allowed: Query) -> Query:
    return Query.boolean_query([(Occur.Must, matching), (Occur.Must, allowed)])

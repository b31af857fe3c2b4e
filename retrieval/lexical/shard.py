"""The chunks of one language: a tantivy index, so that document frequencies and lengths are those of its own texts.

With a field for each language in one index, tantivy divides a field's words by the chunks of all fields: the texts of
a language that few are in seem to be far longer than the average, and their words count for little."""

from collections.abc import Iterable
from pathlib import Path

from tantivy import Document, Index, IndexWriter, Schema, SchemaBuilder

from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import analyzer, weighted
from retrieval.lexical.snapshot import TEXT, Snapshot, snapshot

WRITER_HEAP = 64 * 1024 * 1024  # bytes, of all threads together
LEAST_HEAP = 16 * 1024 * 1024  # bytes a thread: tantivy refuses less than 15 MB


def schema(language: str) -> Schema:
    builder = SchemaBuilder()
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_unsigned_field("collection", indexed=True, fast=True)
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    builder.add_text_field(TEXT, tokenizer_name=language, index_option="freq")
    return builder.build()


class Shard:
    """In `folder`, or in memory where none is given. Raises what tantivy raises, and OSError.

    One thread at a time may write; `read` is for any."""

    def __init__(self, language: str, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._index = Index(schema(language), path=None if folder is None else str(folder))
        self._index.register_tokenizer(language, analyzer(language))
        self._index.config_reader("manual")
        self._writer: IndexWriter | None = None
        self.pending = False
        """Whether something was written since the last commit, or since a commit failed."""

    def read(self) -> Snapshot:
        """What was committed, also by another process."""
        self._index.reload()
        return snapshot(self._index.searcher())

    def open(self, *, threads: int, roomy: bool) -> None:
        """Before anything is written; `roomy` where no other shard is being written."""
        heap = WRITER_HEAP if roomy else LEAST_HEAP * threads
        self._writer = self._index.writer(heap, num_threads=threads)

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    def add(self, chunk: IndexedChunk) -> None:
        assert self._writer is not None
        document = Document()
        document.add_unsigned("chunk", chunk.chunk)
        document.add_unsigned("collection", chunk.collection_id)
        document.add_text("document", chunk.document)
        document.add_text(TEXT, weighted(chunk.title, chunk.heading, chunk.text))
        self.pending = True
        self._writer.add_document(document)

    def delete(self, documents: Iterable[str]) -> None:
        assert self._writer is not None
        self.pending = True
        for document in documents:
            self._writer.delete_documents_by_term("document", document)

    def commit(self) -> None:
        assert self._writer is not None
        self._writer.commit()
        self.pending = False

    def close(self) -> None:
        """Lets go of the folder's write lock; merges under way are given up. Reading goes on working."""
        self._writer = None
        self.pending = False

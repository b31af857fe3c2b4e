"""The lexical index on tantivy: BM25 in a folder on disk, searched within the asker's collections.

The folder is a copy of what Postgres holds; `follower.py` keeps it in step. One process writes, any number
read. Each language has an index of its own in it (`shard.py`)."""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import IndexedChunk
from retrieval.lexical.analysis import query_terms
from retrieval.lexical.language import asked_in, language_of
from retrieval.lexical.queries import found_by, part_of, words_of
from retrieval.lexical.shard import Shard
from retrieval.lexical.snapshot import Snapshot
from retrieval.lexical.weights import Weights
from retrieval.passages import Hit, Ranking

SCHEMA_VERSION = 11
"""Raise it when the schema or the analysis changes: folders of another version are rebuilt."""

COMMITS = "commits.json"
"""Written after each commit: the languages that there are."""


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
            read = {code: part_of(held[code], some) for code, some in readable.items() if some}
            said, foreign = asked_in(query, tuple(read))
            weights = Weights(query, {code: held[code].counts for code in read})
            for code, part in read.items() if k > 0 else ():
                elsewhere = weights.elsewhere(code, lambda other, term: read[other].texts.have(term))
                words = words_of(part.texts, code, query_terms(said[code], code), weights, elsewhere, spelt)
                found = found_by(part, words, k) if words else []
                chunks = part.texts.searcher.fast_field_values("chunk", [address for _, address in found])
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

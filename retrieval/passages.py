"""The values of retrieval, frozen: a Hit is a chunk with a score, a Ranking is hits best first, a Passage
is a chunk with its text, used as evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import orjson

from retrieval import database
from retrieval.access import AccessScope

_COLUMNS = """c.id, c.document_id::text, l.slug, c.collection_id, coalesce(nullif(d.title, ''), d.name), c.heading,
           c.page, c.ordinal, c.text, c.content_hash,
           extract(epoch FROM coalesce(d.ready_at, d.created_at))::float8, l.languages::text"""
_TABLES = """retrieval_chunk c
    JOIN retrieval_document d ON d.id = c.document_id
    JOIN retrieval_collection l ON l.id = c.collection_id"""

# The scope is in the query: a chunk that the asker may not read never leaves the database.
LOAD_SQL = f"""
    SELECT {_COLUMNS} FROM {_TABLES} WHERE c.id = ANY ({{chunks}}) AND c.collection_id = ANY ({{collections}})
"""
PRESENT_SQL = """
    SELECT count(*) FROM retrieval_chunk WHERE id = ANY ({chunks}) AND collection_id = ANY ({collections})
"""
ALONG_SQL = f"""
    SELECT json_build_array({_COLUMNS})::text FROM {_TABLES}
    WHERE c.id = {{chunk}} AND c.collection_id = ANY ({{collections}})
"""
"""One passage as a value, for a statement that finds chunks to bring their texts along; see `of_json`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and its score; scores compare within one ranking only."""

    chunk: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits, best first. `leg` is `lexical`, `vector` or `fused`; `partial` when the index knew only some
    chunks. `passages` of the first hits, where the search read them along: true now, so no cache keeps them.
    `foreign`: whether the question and texts that its words were sought in are in another language than English;
    `spelt` are words of the question that no chunk has, as typed, with a likely spelling that some have."""

    leg: str
    hits: tuple[Hit, ...] = ()
    partial: bool = False
    passages: "tuple[Passage, ...]" = ()
    foreign: bool = False
    spelt: tuple[tuple[str, str], ...] = ()

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple([hit.chunk for hit in self.hits])

    def top(self, k: int) -> "Ranking":
        return replace(self, hits=self.hits[:k], passages=())

    def bare(self) -> "Ranking":
        """The hits alone."""
        return replace(self, passages=()) if self.passages else self

    def ranks(self) -> dict[int, int]:
        """Chunk id -> rank, from 1."""
        return dict(zip(self.chunks, range(1, len(self.hits) + 1), strict=True))


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as evidence. `content_hash` is of `text`; `page` counts from 1; `heading` is `A › B`; `languages` are
    those that its collection declares, as JSON."""

    chunk: int
    document: str
    collection: str
    collection_id: int
    title: str
    heading: str
    page: int | None
    ordinal: int
    text: str
    content_hash: str
    updated_at: float
    languages: str = "[]"
    score: float = 0.0
    lexical_rank: int | None = None
    vector_rank: int | None = None

    @property
    def url(self) -> str:
        return f"/d/{self.document}/?chunk={self.chunk}"


def ranked(
    found: Sequence[Passage], fused: Ranking, lexical: Ranking | None, vector: Ranking | None
) -> list[Passage]:
    """The passages with their fused score, 0 where the fusion left them out, and their rank in each leg."""
    scores = {hit.chunk: hit.score for hit in fused.hits}
    by_words, by_meaning = (leg.ranks() if leg else {} for leg in (lexical, vector))
    return [
        replace(
            passage,
            score=scores.get(passage.chunk, 0.0),
            lexical_rank=by_words.get(passage.chunk),
            vector_rank=by_meaning.get(passage.chunk),
        )
        for passage in found
    ]


def of_json(text: str) -> Passage:
    """What ALONG_SQL gives."""
    return Passage(*orjson.loads(text))


def chunk_of(url: str) -> int:
    """The chunk that a passage's `url` points at."""
    return int(url.rpartition("chunk=")[2])


async def load(
    pool: database.Pool, chunks: Sequence[int], scope: AccessScope, *, timeout: float
) -> dict[int, Passage]:
    """Chunk id -> Passage, of those that are there and within the scope. Raises VectorError."""
    if not chunks or not scope:
        return {}
    allowed = database.numbers(sorted(scope.collection_ids))
    sql = LOAD_SQL.format(chunks=database.numbers(chunks), collections=allowed)
    return {row[0]: Passage(*row) for row in await database.fetch(pool, sql, timeout=timeout)}


async def present(pool: database.Pool, chunks: Sequence[int], scope: AccessScope, timeout: float) -> int:
    """How many of the chunks are there and within the scope. Raises VectorError."""
    if not chunks or not scope:
        return 0
    allowed = database.numbers(sorted(scope.collection_ids))
    sql = PRESENT_SQL.format(chunks=database.numbers(chunks), collections=allowed)
    return int((await database.fetch(pool, sql, timeout=timeout))[0][0])

"""Measuring retrieval on a labelled set: reading it, and the usual figures (pure)."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.errors import RetrievalError
from retrieval.ingestion.chunking import Chunk, chunk
from retrieval.ingestion.parsing.markdown import parse_markdown
from retrieval.ingestion.parsing.text import parse_text
from retrieval.passages import Ranking

_HEADING = re.compile(r"^#{1,6} \S", re.MULTILINE)


class BadSet(RetrievalError):
    """The folder does not hold a retrieval set."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document of the set."""

    key: str
    title: str
    text: str

    def chunks(self) -> list[Chunk]:
        """Its chunks, as ingestion would make them of a Markdown or a text file. A first heading that says something
        else than the set's title, which stands in its place, stays."""
        parse = parse_markdown if _HEADING.search(self.text) else parse_text
        parsed = parse(self.text)
        return chunk(
            parsed if _words(parsed.title) == _words(self.title) else replace(parsed, title=self.title)
        )


@dataclass(frozen=True, slots=True)
class Query:
    """A question and the keys of the documents that answer it."""

    text: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    name: str
    sources: tuple[Source, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over all questions, and milliseconds a question took."""

    ndcg: float
    recall: float
    mrr: float
    p50_ms: float
    p99_ms: float


def read_set(folder: Path) -> LabelledSet:
    """corpus.jsonl {_id, title, text}, queries.jsonl {_id, text}, qrels.tsv (query, document, score; a
    header).

    Questions without a relevant document are left out. Raises BadSet."""
    try:
        sources = tuple(
            Source(str(row["_id"]), str(row.get("title") or ""), str(row["text"]))
            for row in _rows(folder / "corpus.jsonl")
        )
        relevant = _relevant(folder / "qrels.tsv", {source.key for source in sources})
        queries = tuple(
            Query(str(row["text"]), frozenset(relevant[str(row["_id"])]))
            for row in _rows(folder / "queries.jsonl")
            if str(row["_id"]) in relevant
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadSet(f"{folder} is not a retrieval set: {_reason(error)}") from error
    if not sources or not queries:
        raise BadSet(f"{folder} has no documents, or no question with a relevant one.")
    return LabelledSet(folder.name, sources, queries)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename).name} in it"
    return "it is not a folder" if isinstance(error, NotADirectoryError) else repr(error)


def _words(title: str) -> list[str]:
    return re.findall(r"[^\W_]+", title.casefold())


def _rows(path: Path) -> Iterable[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _relevant(path: Path, known: set[str]) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split("\t")
        if len(fields) >= 3 and float(fields[2]) > 0 and fields[1] in known:
            relevant.setdefault(fields[0], set()).add(fields[1])
    return relevant


def by_best_chunk(ranking: Ranking, documents: dict[int, str]) -> list[str]:
    """The documents of a ranking of chunks, each at the place of its best chunk."""
    return list(dict.fromkeys(documents[hit.chunk] for hit in ranking if hit.chunk in documents))


def ndcg(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, relevance being yes or no."""
    gain = sum(1 / math.log2(rank + 1) for rank, key in enumerate(found[:k], 1) if key in relevant)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / ideal if ideal else 0.0


def recall(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The share of the relevant documents that are among the first `k`."""
    return len(relevant.intersection(found[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """One over the rank of the first relevant document; 0 when it is not among the first `k`."""
    return next((1 / rank for rank, key in enumerate(found[:k], 1) if key in relevant), 0.0)


def figures(found: Sequence[Sequence[str]], queries: Sequence[Query], ms: Sequence[float], k: int) -> Figures:
    pairs = [(keys, query.relevant) for keys, query in zip(found, queries, strict=True)]
    count = max(1, len(pairs))
    ordered = sorted(ms) or [0.0]
    return Figures(
        ndcg=sum(ndcg(keys, relevant, k) for keys, relevant in pairs) / count,
        recall=sum(recall(keys, relevant, k) for keys, relevant in pairs) / count,
        mrr=sum(reciprocal_rank(keys, relevant, k) for keys, relevant in pairs) / count,
        p50_ms=ordered[len(ordered) // 2],
        p99_ms=ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)],
    )

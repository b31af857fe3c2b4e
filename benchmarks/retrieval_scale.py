"""Latency and recall of both legs over a large library, by the share of it that the asker may read.

    python -m benchmarks.retrieval_scale DATABASE_URL --vectors FILE.npy --lexical FOLDER [--questions FILE.jsonl]

against a library made by `manage.py generate`. Prints one table. Recall is of the vector leg's first ten against
an exact scan of the allowed rows in memory; `checked` is the same with the chunks that words found looked up
beside the graphs, as the pipeline has it. Two kinds of questions: drawn as the library's vectors were,
and, with --questions, real ones embedded by the bundled model, which lie farther off."""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg
from pgvector.psycopg import register_vector

from retrieval.access import AccessScope
from retrieval.database import make_pool
from retrieval.embeddings import Vectors
from retrieval.embeddings.minilm import MiniLMEmbedder
from retrieval.fusion import fuse
from retrieval.lexical.search import LexicalSearch
from retrieval.lexical.source import Source
from retrieval.lexical.tantivy import TantivyIndex
from retrieval.passages import Ranking
from retrieval.synthetic import resampled
from retrieval.vectors import VectorIndex

K, TOP = 50, 10
TIMEOUT = 30.0
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Library:
    """Every row of the active model: collection, chunk, and the half floats that Postgres holds."""

    collections: Ids
    chunks: Ids
    vectors: npt.NDArray[np.float16]

    def exact(self, questions: Vectors, scope: AccessScope) -> list[set[int]]:
        """The TOP nearest allowed chunks of each question."""
        rows = np.flatnonzero(np.isin(self.collections, list(scope.collection_ids)))
        best = np.full((len(questions), TOP), -9, np.float32)
        where = np.zeros((len(questions), TOP), np.int64)
        for start in range(0, len(rows), 50_000):
            part = rows[start : start + 50_000]
            scores = np.concatenate([best, questions @ self.vectors[part].astype(np.float32).T], axis=1)
            places = np.concatenate([where, np.broadcast_to(part, (len(questions), len(part)))], axis=1)
            order = np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP]
            best, where = np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)
        return [set(self.chunks[row].tolist()) for row in where]


def read_library(connection: psycopg.Connection) -> tuple[Library, str, int]:
    name, dimensions, table = connection.execute(
        "SELECT name, dimensions, 'retrieval_embedding_' || id FROM retrieval_embeddingmodel WHERE state = 'active'"
    ).fetchone() or ("", 0, "")
    (count,) = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() or (0,)
    homes, chunks = np.zeros(count, np.int64), np.zeros(count, np.int64)
    vectors = np.zeros((count, dimensions), np.float16)
    with connection.transaction(), connection.cursor("rows", binary=True) as cursor:
        cursor.itersize = 5000
        cursor.execute(f"SELECT collection_id, chunk_id, embedding FROM {table}".encode())
        for at, (home, chunk, vector) in enumerate(cursor):
            homes[at], chunks[at], vectors[at] = home, chunk, vector.to_numpy()
    return Library(homes, chunks, vectors), name, dimensions


def scopes_of(library: Library) -> list[tuple[str, AccessScope]]:
    """The scopes of the table: by share where the collections are skewed, by number where they are many."""
    ids, counts = np.unique(library.collections, return_counts=True)
    total = counts.sum()

    def near(share: float, count: int = 1) -> AccessScope:
        order = np.argsort(np.abs(counts / total - share))[:count]
        return AccessScope(frozenset(ids[order].tolist()))

    def some(share: float) -> AccessScope:
        order = np.random.default_rng(4).permutation(len(ids))
        return AccessScope(frozenset(ids[order[: max(1, round(share * len(ids)))]].tolist()))

    everything = AccessScope(frozenset(ids.tolist()))
    if len(ids) > 50:
        shares = (0.002, 0.01, 0.02, 0.05, 0.1, 0.5)
        return [(f"{100 * share:g} % of {len(ids)}", some(share)) for share in shares] + [("all", everything)]
    named = [("0.1 %", near(0.001)), ("1 %", near(0.01)), ("3 x 1 %", near(0.01, 3)), ("10 %", near(0.1))]
    return [*named, ("50 %", near(0.5)), (f"all {len(ids)}", everything)]


async def timed(calls: Sequence[Callable[[], Awaitable[Ranking]]]) -> tuple[list[Ranking], float, float]:
    """The results and p50 and p99 in milliseconds, one call after another, each kind warmed by five calls."""
    for call in calls[:5]:
        await call()
    found, spent = [], []
    for call in calls:
        started = time.perf_counter()
        found.append(await call())
        spent.append(1000 * (time.perf_counter() - started))
    return found, float(np.median(spent)), float(np.quantile(spent, 0.99))


@dataclass(frozen=True)
class Bench:
    library: Library
    vectors: VectorIndex
    lexical: LexicalSearch

    async def row(self, name: str, scope: AccessScope, questions: Vectors, words: Sequence[str]) -> str:
        def by_vector(question: int) -> Callable[[], Awaitable[Ranking]]:
            return lambda: self.vectors.search(questions[question], scope, K, timeout=TIMEOUT)

        def by_words(question: int) -> Callable[[], Awaitable[Ranking]]:
            return lambda: self.lexical.search(words[question], scope, K)

        async def both(question: int) -> Ranking:
            pair = await asyncio.gather(by_words(question)(), by_vector(question)())
            return fuse(words[question], *pair, k=K)

        def by_both(question: int) -> Callable[[], Awaitable[Ranking]]:
            return lambda: both(question)

        def by_check(question: int) -> Callable[[], Awaitable[Ranking]]:
            near = worded[question].chunks
            return lambda: self.vectors.search(questions[question], scope, K, timeout=TIMEOUT, near=near)

        places = range(len(questions))
        worded, *lexical = await timed([by_words(place) for place in places])
        found, *vector = await timed([by_vector(place) for place in places])
        checked, *check = await timed([by_check(place) for place in places])
        _, *fused = await timed([by_both(place) for place in places])
        exact = self.library.exact(questions, scope)
        short = sum(len(r) < K for r in found)
        figures = " | ".join(f"{p50:5.1f} / {p99:5.1f}" for p50, p99 in (lexical, vector, fused, check))
        return (
            f"| {name:12} | {figures} | {recall(found, exact):.3f} | {recall(checked, exact):.3f} | {short} |"
        )


def recall(found: Sequence[Ranking], exact: Sequence[set[int]]) -> float:
    """The mean share of the TOP nearest that are among the TOP found."""
    return float(np.mean([len(set(r.chunks[:TOP]) & e) / TOP for r, e in zip(found, exact, strict=True)]))


def lexical_index(url: str, folder: Path) -> TantivyIndex:
    """The lexical index of the library, built where `folder` has none; prints its rate."""
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    index = TantivyIndex(folder)
    if fresh:
        started = time.perf_counter()
        with Source(url) as source:
            index.append(source.everything()[1])
        index.reload()
        print(f"lexical index: {len(index) / (time.perf_counter() - started):,.0f} chunks/s", flush=True)
    return index


def words_of(connection: psycopg.Connection, count: int) -> list[str]:
    """Six words in a row from random chunks; addresses, of which each is a dozen terms, are none."""
    rows = connection.execute("SELECT text FROM retrieval_chunk ORDER BY id LIMIT %s", [count]).fetchall()
    return [" ".join(re.findall(r"(?<!\S)[\w'’-]+(?=[.,;:?!]?(?:\s|$))", text)[7:13]) for (text,) in rows]


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database")
    parser.add_argument("--vectors", type=Path, required=True, help="what `generate --vectors` wrote")
    parser.add_argument("--noise", type=float, default=0.6, help="as for `generate`")
    parser.add_argument("--questions", type=Path, help='lines of {"text": …}')
    parser.add_argument("--lexical", type=Path, required=True, help="a folder for the lexical index")
    parser.add_argument("--models", type=Path, default=Path("/tmp/citefirst-models"))
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with psycopg.connect(options.database) as connection:
        register_vector(connection)
        library, model, dimensions = read_library(connection)
        words = words_of(connection, options.count)
    drawn = resampled(np.load(options.vectors), options.count, options.noise, np.random.default_rng(11))
    kinds = [("resampled", drawn, words)]
    if options.questions:
        real = [json.loads(line)["text"] for line in options.questions.read_text().splitlines()][
            : options.count
        ]
        kinds.append(("real questions", MiniLMEmbedder(options.models).embed_documents(real), real))
    lexical = LexicalSearch(lexical_index(options.database, options.lexical))
    async with make_pool(options.database, min_size=4, max_size=8) as pool:
        bench = Bench(library, VectorIndex(pool, model=model, dimensions=dimensions), lexical)
        for name, questions, asked in kinds:
            print(
                f"\n{len(library.chunks):,} chunks, {len(questions)} {name}; p50 / p99 in ms, one at a time"
            )
            print("| allowed | lexical | vector | fused | vector, checked | recall@10 | checked | short |")
            print("|---|---|---|---|---|---|---|---|")
            for label, scope in scopes_of(library):
                print(await bench.row(label, scope, questions, asked), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

"""`manage.py evaluate DIR`: how well the two legs and their fusion find what a labelled set wants."""

import asyncio
import json
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import aclosing, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from retrieval import reranking
from retrieval.database import make_pool
from retrieval.embeddings import Embedder, factory
from retrieval.embeddings.factory import configured
from retrieval.errors import RetrievalError
from retrieval.evaluation import Figures, LabelledSet, by_best_chunk, figures, read_set
from retrieval.fusion import fuse
from retrieval.lexical.search import LexicalSearch
from retrieval.lexical.stopwords import LANGUAGES
from retrieval.passages import Ranking
from retrieval.reranking import Reranker
from retrieval.scratch import Loaded, loaded
from retrieval.vectors import VectorIndex

DEPTH = 100  # hits of each leg, as a question asks for
SECONDS = 30.0  # what a leg may take; a busy machine must not change the figures
LEGS = ("lexical", "vector", "fused")
RERANKED = "reranked"


class Command(BaseCommand):
    help = (
        "Measure how well both searches and the fused ranking find what a labelled set wants. DIR has corpus.jsonl,"
        " queries.jsonl and qrels.tsv; it is loaded into a scratch collection, and nothing of it remains."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", type=Path, metavar="DIR", help="folder of the labelled set")
        parser.add_argument(
            "--k", type=int, default=10, metavar="N", help="measure the first N documents (default: 10)"
        )
        parser.add_argument(
            "--rerank",
            action="store_true",
            help="also measure the reranker of RERANK_BASE_URL, and say whether it is a gain",
        )
        parser.add_argument(
            "--language",
            action="append",
            choices=sorted(LANGUAGES),
            metavar="CODE",
            help="as in a collection that declares this language; may be repeated (default: each passage in its own)",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["k"] < 1:
            raise CommandError("--k must be 1 or more.")
        if options["rerank"] and not settings.RERANK_BASE_URL:
            raise CommandError("Set RERANK_BASE_URL to the reranker that is to be measured.")
        before = signal.signal(signal.SIGTERM, _end)
        console = Console(stderr=True)
        try:
            labelled = read_set(options["dir"])
            with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
                bar = progress.add_task("Embedding")

                def tell(done: int, of: int) -> None:
                    progress.update(bar, completed=done, total=of)

                languages = options["language"] or []
                with loaded(labelled, configured(), tell, languages=languages) as scratch:
                    progress.remove_task(bar)
                    measure = _measure(labelled, scratch, configured(), options["k"], options["rerank"])
                    result = asyncio.run(measure)
        except RetrievalError as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)
        if options["json"]:
            self.stdout.write(json.dumps({leg: asdict(row) for leg, row in result.items()}))
        else:
            self._table(labelled, scratch, result, options["k"])

    def _table(self, labelled: LabelledSet, scratch: Loaded, result: Mapping[str, Figures], k: int) -> None:
        documents, chunks, queries = len(labelled.sources), len(scratch.documents), len(labelled.queries)
        self.stdout.write(
            f"{labelled.name}: {documents:,} documents, {chunks:,} chunks, {queries:,} questions,"
            f" loaded in {scratch.seconds:.0f} s"
        )
        heads = ("", f"nDCG@{k}", f"Recall@{k}", "MRR", "p50 ms", "p99 ms")
        self.stdout.write(" ".join(f"{head:>10}" for head in heads))
        for leg, row in result.items():
            values = (f"{row.ndcg:.4f}", f"{row.recall:.4f}", f"{row.mrr:.4f}", f"{row.p50_ms:.2f}")
            self.stdout.write(" ".join(f"{value:>10}" for value in (leg, *values, f"{row.p99_ms:.2f}")))
        if RERANKED in result:
            self.stdout.write(verdict(result["fused"], result[RERANKED], k))


def verdict(fused: Figures, reranked: Figures, k: int) -> str:
    """Whether the reranker is worth its time, in a sentence."""
    points, ms = 100 * (reranked.ndcg - fused.ndcg), reranked.p50_ms - fused.p50_ms
    if points > 0:
        said = f"gains {points:.1f} points of nDCG@{k} here, for {ms:.0f} ms a question: set RERANK_BASE_URL"
        return f"The reranker {said} if that is worth it to you."
    said = "changes nothing" if points == 0 else f"loses {-points:.1f} points of nDCG@{k}"
    return f"The reranker {said} here and takes {ms:.0f} ms a question: leave RERANK_BASE_URL unset."


def _end(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends like Ctrl-C, so that the scratch collection goes."""
    raise KeyboardInterrupt


async def _measure(
    labelled: LabelledSet, scratch: Loaded, embedder: Embedder, k: int, rerank: bool
) -> Mapping[str, Figures]:
    """Each question goes its usual way: the lexical leg beside embedding and the vector leg, then fusion."""
    pool = make_pool(settings.DATABASE_URL, min_size=2, max_size=4)
    lexical = LexicalSearch(scratch.index)
    try:
        async with pool:
            vectors = VectorIndex(pool, model=embedder.name, dimensions=embedder.dimensions)
            nearest = _nearest(embedder, vectors, scratch)
            reranker = reranking.configured(pool) if rerank else None
            async with aclosing(reranker) if reranker else nullcontext():
                return await _ask_all(labelled, scratch, lexical, nearest, reranker, k)
    finally:
        await lexical.aclose()
        await factory.close()


def _nearest(embedder: Embedder, vectors: VectorIndex, scratch: Loaded) -> Callable[[str], Any]:
    async def nearest(question: str) -> Ranking:
        vector = await embedder.embed_query(question, timeout=SECONDS)
        return await vectors.search(vector, scratch.scope, DEPTH, timeout=SECONDS)

    return nearest


async def _ask_all(
    labelled: LabelledSet,
    scratch: Loaded,
    lexical: LexicalSearch,
    nearest: Callable[[str], Any],
    reranker: Reranker | None,
    k: int,
) -> Mapping[str, Figures]:
    found: dict[str, list[list[str]]] = {}
    ms: dict[str, list[float]] = {}
    for query in labelled.queries:
        started = time.perf_counter()

        async def timed(work: Any, started: float = started) -> Ranking:
            ranking: Ranking = await work
            ms.setdefault(ranking.leg, []).append((time.perf_counter() - started) * 1000)
            found.setdefault(ranking.leg, []).append(by_best_chunk(ranking, scratch.documents))
            return ranking

        words, meaning = await asyncio.gather(
            timed(lexical.search(query.text, scratch.scope, DEPTH)), timed(nearest(query.text))
        )
        fused = await timed(_fused(query.text, words, meaning))
        if reranker is not None:
            await timed(_reranked(reranker, query.text, fused, scratch))
    return {
        leg: figures(found[leg], labelled.queries, ms[leg], k) for leg in (*LEGS, RERANKED) if leg in found
    }


async def _fused(question: str, words: Ranking, meaning: Ranking) -> Ranking:
    return fuse(question, words, meaning, k=DEPTH, cosines=not settings.HAS_REMOTE_EMBEDDER)


async def _reranked(reranker: Reranker, question: str, fused: Ranking, scratch: Loaded) -> Ranking:
    """As for an answer: the first chunks in the reranker's order, the others behind them."""
    best = await reranker.rerank(question, fused, scratch.scope, timeout=SECONDS)
    first = frozenset(best.chunks)
    return Ranking(RERANKED, (*best, *(hit for hit in fused if hit.chunk not in first)))

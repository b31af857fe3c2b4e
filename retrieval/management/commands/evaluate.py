"""`manage.py evaluate DIR`: how well the two legs and their fusion find what a labelled set wants."""

import asyncio
import json
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from retrieval.database import make_pool
from retrieval.embeddings import Embedder
from retrieval.embeddings.factory import configured
from retrieval.errors import RetrievalError
from retrieval.evaluation import Figures, LabelledSet, by_best_chunk, figures, read_set
from retrieval.fusion import fuse
from retrieval.lexical.search import LexicalSearch
from retrieval.passages import Ranking
from retrieval.scratch import Loaded, loaded
from retrieval.vectors import VectorIndex

DEPTH = 100  # hits of each leg, as a question asks for
SECONDS = 30.0  # what a leg may take; a busy machine must not change the figures
LEGS = ("lexical", "vector", "fused")


class Command(BaseCommand):
    help = "Measures retrieval on a labelled set (corpus.jsonl, queries.jsonl, qrels.tsv)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", type=Path, metavar="DIR")
        parser.add_argument("--k", type=int, default=10, help="How many documents count (10).")
        parser.add_argument("--json", action="store_true", help="Print JSON alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["k"] < 1:
            raise CommandError("--k must be 1 or more.")
        before = signal.signal(signal.SIGTERM, _end)
        console = Console(stderr=True)
        try:
            labelled = read_set(options["dir"])
            with Progress(console=console, disable=not sys.stderr.isatty()) as progress:
                bar = progress.add_task("Embedding")

                def tell(done: int, of: int) -> None:
                    progress.update(bar, completed=done, total=of)

                with loaded(labelled, configured(), tell) as scratch:
                    progress.remove_task(bar)
                    result = asyncio.run(_measure(labelled, scratch, configured(), options["k"]))
        except RetrievalError as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)
        if options["json"]:
            self.stdout.write(json.dumps({leg: asdict(result[leg]) for leg in LEGS}))
        else:
            self._table(labelled, scratch, result, options["k"])

    def _table(self, labelled: LabelledSet, scratch: Loaded, result: dict[str, Figures], k: int) -> None:
        documents, chunks, queries = len(labelled.sources), len(scratch.documents), len(labelled.queries)
        self.stdout.write(
            f"{labelled.name}: {documents:,} documents, {chunks:,} chunks, {queries:,} questions,"
            f" loaded in {scratch.seconds:.0f} s"
        )
        heads = ("", f"nDCG@{k}", f"Recall@{k}", "MRR", "p50 ms", "p99 ms")
        self.stdout.write(" ".join(f"{head:>10}" for head in heads))
        for leg in LEGS:
            row = result[leg]
            values = (f"{row.ndcg:.4f}", f"{row.recall:.4f}", f"{row.mrr:.4f}", f"{row.p50_ms:.2f}")
            self.stdout.write(" ".join(f"{value:>10}" for value in (leg, *values, f"{row.p99_ms:.2f}")))


def _end(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends like Ctrl-C, so that the scratch collection goes."""
    raise KeyboardInterrupt


async def _measure(labelled: LabelledSet, scratch: Loaded, embedder: Embedder, k: int) -> dict[str, Figures]:
    """Each question goes its usual way: the lexical leg beside embedding and the vector leg, then fusion."""
    pool = make_pool(settings.DATABASE_URL, min_size=2, max_size=4)
    lexical = LexicalSearch(scratch.index)
    try:
        async with pool:
            vectors = VectorIndex(pool, model=embedder.name, dimensions=embedder.dimensions)
            return await _ask_all(labelled, scratch, lexical, _nearest(embedder, vectors, scratch), k)
    finally:
        await lexical.aclose()


def _nearest(embedder: Embedder, vectors: VectorIndex, scratch: Loaded) -> Callable[[str], Any]:
    async def nearest(question: str) -> Ranking:
        vector = await embedder.embed_query(question, timeout=SECONDS)
        return await vectors.search(vector, scratch.scope, DEPTH, timeout=SECONDS)

    return nearest


async def _ask_all(
    labelled: LabelledSet, scratch: Loaded, lexical: LexicalSearch, nearest: Callable[[str], Any], k: int
) -> dict[str, Figures]:
    found: dict[str, list[list[str]]] = {leg: [] for leg in LEGS}
    ms: dict[str, list[float]] = {leg: [] for leg in LEGS}
    for query in labelled.queries:
        started = time.perf_counter()

        async def timed(leg: str, work: Any, started: float = started) -> Ranking:
            ranking: Ranking = await work
            ms[leg].append((time.perf_counter() - started) * 1000)
            return ranking

        words, meaning = await asyncio.gather(
            timed("lexical", lexical.search(query.text, scratch.scope, DEPTH)),
            timed("vector", nearest(query.text)),
        )
        fused = fuse(query.text, words, meaning, k=DEPTH)
        ms["fused"].append((time.perf_counter() - started) * 1000)
        for ranking in (words, meaning, fused):
            found[ranking.leg].append(by_best_chunk(ranking, scratch.documents))
    return {leg: figures(found[leg], labelled.queries, ms[leg], k) for leg in LEGS}

"""`manage.py generate --chunks N --from FOLDER`: a synthetic library, for measuring."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from retrieval import synthetic
from retrieval.embeddings import Vectors
from retrieval.embeddings.factory import configured
from retrieval.errors import RetrievalError
from retrieval.models import Document

EMBEDDED_AT_ONCE = 64


class Command(BaseCommand):
    help = (
        "Fill an empty library with synthetic documents, for measuring. Their text is made of the sentences of the"
        " Markdown and text files in a folder."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chunks", type=int, required=True, metavar="N", help="chunks to make")
        parser.add_argument(
            "--from",
            dest="folder",
            type=Path,
            required=True,
            metavar="FOLDER",
            help="where the sentences come from",
        )
        parser.add_argument(
            "--collections", type=int, default=20, metavar="N", help="to divide them among (default: 20)"
        )
        parser.add_argument(
            "--equal",
            action="store_true",
            help="make collections of equal size (default: a few large, many small)",
        )
        parser.add_argument(
            "--noise",
            type=float,
            default=0.6,
            help="noise added to each vector, relative to its length (default: 0.6)",
        )
        parser.add_argument(
            "--passages",
            type=int,
            default=6000,
            metavar="N",
            help="real passages that are embedded (default: 6000)",
        )
        parser.add_argument(
            "--vectors",
            type=Path,
            metavar="FILE",
            help=".npy file of their vectors, made if it does not exist",
        )
        parser.add_argument("--seed", type=int, default=1, help="of the random choices (default: 1)")

    def handle(self, *, chunks: int, folder: Path, collections: int, **options: Any) -> None:
        if min(chunks, collections, options["passages"]) < 1:
            raise CommandError("--chunks, --collections and --passages must be 1 or more.")
        random = np.random.default_rng(options["seed"])
        passages = synthetic.passages_of(folder)
        if not passages:
            raise CommandError(f"{folder}: there are no .md or .txt files with text in it.")
        some = [passages[place] for place in random.permutation(len(passages))[: options["passages"]]]
        rows = synthetic.sizes(chunks, collections, skew=not options["equal"])
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        quiet = options["verbosity"] == 0
        try:
            with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
                base = self.vectors(some, options["vectors"], bar)
                task = bar.add_task("Loading", total=chunks)
                with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
                    sentences = synthetic.sentences_of(passages)
                    made = synthetic.Generator(
                        connection, configured().name, base, sentences, options["noise"], random
                    )
                    for step, done in made.load(rows):
                        bar.update(task, description=step, completed=done)
        except RetrievalError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{chunks} chunks in {len(rows)} collections of {min(rows)} to {max(rows)}.")

    def vectors(self, passages: list[str], path: Path | None, bar: Progress) -> Vectors:
        if path and path.exists():
            return read_vectors(path)
        if path and not path.parent.is_dir():
            raise CommandError(f"{path}: there is no such folder.")
        if Document.objects.exists():  # before minutes of embedding, and not after them
            raise synthetic.NotEmpty(synthetic.FULL)
        embedder = configured()
        parts = []
        for start in bar.track(range(0, len(passages), EMBEDDED_AT_ONCE), description="Embedding"):
            parts.append(embedder.embed_documents(passages[start : start + EMBEDDED_AT_ONCE]))
        made = np.concatenate(parts)
        if path:
            np.save(path, made)
        return made


def read_vectors(path: Path) -> Vectors:
    try:
        loaded: Vectors = np.load(path)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: this is no file of vectors. Remove it to have it made.") from error
    return loaded

"""`manage.py reindex [--embeddings]`: the lexical index anew, or every vector that the embedding model lacks."""

import shutil
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from retrieval import reembedding
from retrieval.embeddings.factory import configured
from retrieval.errors import RetrievalError


class Command(BaseCommand):
    help = (
        "Rebuild the lexical index; with --embeddings, make the vectors of the embedding model that the settings"
        " name, beside those in use, and switch to it when all are made. Questions go on meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--embeddings", action="store_true", help="the vectors instead of the lexical index"
        )

    def handle(self, *, embeddings: bool, **options: Any) -> None:
        if embeddings:
            self.embed(quiet=options["verbosity"] == 0)
            return
        # The folder is a disposable copy: whoever follows the changes notices and builds it anew.
        shutil.rmtree(settings.LEXICAL_DIR, ignore_errors=True)
        self.stdout.write("The lexical index is being rebuilt; questions go on by what is loaded.")

    def embed(self, quiet: bool) -> None:
        with Progress(
            TextColumn("Embedding"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet,
        ) as bar:
            task = bar.add_task("", total=None)
            try:
                embedder = configured()
                with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
                    made = reembedding.complete(
                        connection, embedder, lambda done, of: bar.update(task, completed=done, total=of)
                    )
            except RetrievalError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"{made} vectors made; {embedder.name} is in use.")

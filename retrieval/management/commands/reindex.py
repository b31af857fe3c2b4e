"""`manage.py reindex [--embeddings | --documents]`: the lexical index anew, every vector that the embedding model
lacks, or every document."""

import os
import shutil
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from retrieval import library, reembedding
from retrieval.embeddings.factory import configured
from retrieval.errors import RetrievalError
from retrieval.management.following import NICE, failed, index_here, wait_for, worker_runs
from retrieval.models import Collection, Document

AT_ONCE = 20
"""Documents that are read anew at a time."""


def progress(what: str, quiet: bool) -> Progress:
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


class Command(BaseCommand):
    help = (
        "Rebuild the lexical index, or the vectors, or the text of every document. Questions go on meanwhile."
        " --embeddings: after a change of EMBEDDING_MODEL, makes the vectors of the new model beside those in use and"
        " switches when all are there. --documents: reads every file again, as after an upgrade that reads files"
        " better."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--embeddings", action="store_true", help="make the vectors that the embedding model lacks"
        )
        what.add_argument("--documents", action="store_true", help="read every document again from its file")
        parser.add_argument(
            "--collection", metavar="SLUG", help="with --documents: only those of this collection"
        )

    def run_from_argv(self, argv: list[str]) -> None:
        os.nice(NICE)
        super().run_from_argv(argv)

    def handle(self, *, embeddings: bool, documents: bool, collection: str | None, **options: Any) -> None:
        quiet = options["verbosity"] == 0
        if collection is not None and not documents:
            raise CommandError("--collection goes with --documents.")
        if embeddings:
            self.embed(quiet)
            return
        if documents:
            self.read(collection, quiet)
            return
        # The folder is a disposable copy: whoever follows the changes notices and builds it anew.
        shutil.rmtree(settings.LEXICAL_DIR, ignore_errors=True)
        self.stdout.write(
            "The lexical index was removed. A running stack rebuilds it at once and answers meanwhile from what is"
            " loaded; otherwise the next start rebuilds it."
        )

    def read(self, slug: str | None, quiet: bool) -> None:
        """A few at a time, so that what people add meanwhile does not wait for all of them."""
        wanted = Document.objects.filter(status__in=[Document.Status.READY, Document.Status.FAILED])
        if slug is not None:
            collection = library.named(Collection.objects.all(), slug)
            if collection is None:
                raise CommandError(f"There is no collection {slug!r}.")
            wanted = wanted.filter(collection=collection)
        documents = list(wanted.only("pk").order_by("created_at", "pk"))
        keys = [document.pk for document in documents]
        follow = wait_for if worker_runs() else index_here
        with progress("Reading", quiet) as bar:
            task = bar.add_task("", total=len(documents))
            for at in range(0, len(documents), AT_ONCE):
                for document in documents[at : at + AT_ONCE]:
                    with suppress(Document.DoesNotExist):  # deleted meanwhile
                        library.retry(document)
                follow(keys[at : at + AT_ONCE], lambda more: bar.advance(task, more))
        failures = failed(keys)
        for name, reason in failures:
            self.stderr.write(f"{name}: {reason}")
        self.stdout.write(f"{len(keys) - len(failures)} of {len(keys)} documents were read again.")
        if failures:
            raise SystemExit(1)

    def embed(self, quiet: bool) -> None:
        with progress("Embedding", quiet) as bar:
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

"""`manage.py ingest PATH… --collection SLUG`: adds files and folders."""

import hashlib
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import current_app
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from retrieval import library
from retrieval.errors import DocumentError, EmbeddingError
from retrieval.ingestion import indexing
from retrieval.models import Collection, Document

_PIECE = 1 << 20
_POLL_SECONDS = 0.3
_ASKED = 20  # documents whose state is asked for at a time
_NICE = 10
_DONE = (Document.Status.READY, Document.Status.FAILED)


class Command(BaseCommand):
    help = "Add files and folders to a collection, which is created when it does not exist."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--collection", required=True, metavar="SLUG")
        parser.add_argument(
            "--wait", action="store_true", help="until everything is searchable or has failed"
        )

    def handle(self, *, paths: Sequence[Path], collection: str, wait: bool, **options: Any) -> None:
        for path in paths:
            if not path.exists():
                raise CommandError(f"{path}: there is no such file or folder.")
        if collection != library.slug_of(collection):
            raise CommandError(f"{collection!r} cannot be a collection's name: use a-z, 0-9, - and _.")
        target = library.create_collection(None, collection)
        failures: list[tuple[str, str]] = []
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=options["verbosity"] == 0,
        ) as bar:
            files = list(files_of(paths))
            adding = bar.add_task("Adding", total=len(files))
            documents = []
            for name, path in files:
                try:
                    documents.append(put(target, name, path))
                except (DocumentError, OSError) as error:
                    failures.append((name, str(error)))
                bar.advance(adding)
            alone = not worker_runs()
            if alone:
                self._work(documents, bar)
            elif wait:
                self._wait(documents, bar)
        failures += failed(documents)
        for name, reason in failures:
            self.stderr.write(f"{name}: {reason}")
        done = len(files) - len(failures)
        state = "are searchable in" if wait or alone else "were added to"
        self.stdout.write(f"{done} of {len(files)} files {state} {collection}.")
        if failures:
            raise SystemExit(1)

    def run_from_argv(self, argv: list[str]) -> None:
        os.nice(_NICE)  # to add files must not hold up who asks meanwhile
        super().run_from_argv(argv)

    def _work(self, documents: Sequence[UUID], bar: Progress) -> None:
        """With no worker to do it."""
        indexed = bar.add_task("Indexing", total=len(documents))
        for document_id in documents:
            while True:
                try:
                    indexing.index_document(document_id)
                except indexing.DocumentBusy:
                    time.sleep(_POLL_SECONDS)
                    continue
                except EmbeddingError as error:
                    document = Document.objects.filter(pk=document_id).first()
                    if document is not None:
                        indexing.fail(document.pk, document.content_hash, str(error))
                break
            bar.advance(indexed)

    def _wait(self, documents: Sequence[UUID], bar: Progress) -> None:
        indexed = bar.add_task("Indexing", total=len(documents))
        left = list(documents)
        while left:
            # About as they are taken in: to ask after all of a large library would cost what a question takes.
            asked, later = left[:_ASKED], left[_ASKED:]
            under_way = set(
                Document.objects.filter(pk__in=asked).exclude(status__in=_DONE).values_list("pk", flat=True)
            )
            bar.advance(indexed, len(asked) - len(under_way))
            left = [document_id for document_id in asked if document_id in under_way] + later
            if under_way:
                time.sleep(_POLL_SECONDS)


def files_of(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The files and their names: relative to the folder that was named. Hidden ones are left out."""
    for path in paths:
        if path.is_file():
            yield path.name, path
            continue
        for each in sorted(path.rglob("*")):
            name = each.relative_to(path)
            if each.is_file() and not any(part.startswith(".") for part in name.parts):
                yield name.as_posix(), each


def put(collection: Collection, name: str, path: Path) -> UUID:
    """Adds a file, or replaces the document of this name when the content differs."""
    old = (
        Document.objects.filter(collection=collection, name=library.file_name(name))
        .order_by("-created_at")
        .first()
    )
    if old is not None and old.content_hash != digest(path):
        library.replace(old, name, pieces(path))
        return old.pk
    return library.add(None, collection, name, pieces(path)).pk


def pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def failed(documents: Sequence[UUID]) -> list[tuple[str, str]]:
    """Names and reasons of those that have failed by now."""
    found = Document.objects.filter(pk__in=documents, status=Document.Status.FAILED).order_by("name")
    return list(found.values_list("name", "reason"))


def worker_runs() -> bool:
    try:
        return bool(current_app.control.ping(timeout=1.0, limit=1))
    except (OperationalError, RedisError, OSError):
        return False

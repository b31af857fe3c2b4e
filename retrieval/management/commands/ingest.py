"""`manage.py ingest PATH… --collection SLUG`: adds files and folders."""

import hashlib
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from retrieval import library
from retrieval.errors import DocumentError
from retrieval.management.following import NICE, failed, index_here, wait_for, worker_runs
from retrieval.models import Collection, Document

_PIECE = 1 << 20


class Command(BaseCommand):
    help = "Add files and folders to a collection, which is created if need be. Exit status 1 when a file failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder with all below it")
        parser.add_argument("--collection", required=True, metavar="SLUG", help=f"its name: {library.NAMED}")
        parser.add_argument(
            "--wait", action="store_true", help="wait until every file is searchable or has failed"
        )

    def handle(self, *, paths: Sequence[str], collection: str, wait: bool, **options: Any) -> None:
        for text in paths:
            if not text or not Path(text).exists():  # as a path, an empty one is the folder one stands in
                raise CommandError(f"{text or repr(text)}: there is no such file or folder.")
        target = library.named(Collection.objects.all(), collection)
        if target is None:
            if not library.is_slug(collection.lower()):
                raise CommandError(f"{collection!r} cannot be a collection's name: {library.NAMED}.")
            target = library.create_collection(None, collection.lower())
        closed: list[str] = []
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=options["verbosity"] == 0,
        ) as bar:
            found = files_of(map(Path, paths), lambda error: closed.append(reason_of(error)))
            files, failures = apart(found)
            named = len(files) + len(failures)
            adding = bar.add_task("Adding", total=len(files))
            documents = []
            for name, path in files:
                try:
                    documents.append(put(target, name, path))
                except DocumentError as error:
                    failures.append((name, str(error)))
                except OSError as error:
                    failures.append((name, error.strerror or str(error)))
                bar.advance(adding)
            alone = not worker_runs()
            if alone or wait:
                indexed = bar.add_task("Indexing", total=len(documents))
                follow = index_here if alone else wait_for
                follow(documents, lambda more: bar.advance(indexed, more))
        failures += failed(documents)
        for line in [*closed, *(f"{name}: {reason}" for name, reason in failures)]:
            self.stderr.write(line)
        state = "are searchable in" if wait or alone else "were added to"
        self.stdout.write(f"{named - len(failures)} of {named} files {state} {target.slug}.")
        if failures or closed:
            raise SystemExit(1)

    def run_from_argv(self, argv: list[str]) -> None:
        os.nice(NICE)
        super().run_from_argv(argv)


def files_of(
    paths: Iterable[Path], on_closed: Callable[[OSError], None] = lambda error: None
) -> Iterator[tuple[str, Path]]:
    """The files and their names: relative to the folder that was named. Hidden ones are left out. `on_closed` hears of
    folders that cannot be read."""
    for path in paths:
        if path.is_file():
            yield library.file_name(path.name), path
            continue
        found = (
            Path(folder, name) for folder, _, names in os.walk(path, onerror=on_closed) for name in names
        )
        for each in sorted(found):
            name = each.relative_to(path)
            if each.is_file() and not any(part.startswith(".") for part in name.parts):
                yield library.file_name(name.as_posix()), each


def apart(files: Iterable[tuple[str, Path]]) -> tuple[list[tuple[str, Path]], list[tuple[str, str]]]:
    """The files, each once, and those of a name that another has: it would replace that one's document."""
    first: dict[str, Path] = {}
    twice: list[tuple[str, str]] = []
    for name, path in files:
        other = first.setdefault(name, path)
        if not other.samefile(path):
            twice.append(
                (str(path), f"{other} has this name, too. Name the folder above both, or another collection.")
            )
    return list(first.items()), twice


def reason_of(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}. Nothing in it was added."


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

"""`manage.py maintain`: the vectors' tables in shape, while questions go on."""

from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from retrieval import graphs, maintenance
from retrieval.errors import RetrievalError


class Command(BaseCommand):
    help = (
        "Vacuum the tables, give collections that have grown a vector index of their own, drop what is not used,"
        " delete questions older than KEEP_QUESTIONS_DAYS. A running stack does this by itself every 15 to 60 minutes,"
        " all but the vacuum and --rebuild."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild", action="store_true", help="also build every vector index anew, beside the old one"
        )

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        try:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
                self.maintain(connection, rebuild)
        except RetrievalError as error:
            raise CommandError(str(error)) from error

    def maintain(self, connection: maintenance.Connection, rebuild: bool) -> None:
        done = maintenance.tidy(connection)
        self.stdout.write(
            f"Indexes of single collections: {done.made} made, {done.dropped} dropped."
            f" Vectors of old models: {done.models} dropped."
        )
        for table in maintenance.tables(connection):
            if rebuild:
                graphs.rebuild(connection, table)
            maintenance.vacuum(connection, table)
        for table in ("retrieval_chunk", "retrieval_document", "retrieval_change"):
            maintenance.vacuum(connection, table)
        for chore in maintenance.chores:
            self.stdout.write(chore(connection))

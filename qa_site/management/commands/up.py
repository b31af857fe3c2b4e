from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from qa_site.up import Options, Up


class Command(BaseCommand):
    help = "Run everything: Postgres, Redis, web server, worker and scheduler, in the foreground. Ctrl-C stops it all."
    requires_system_checks = []  # the web processes check; a start should not wait for it twice

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=_port, default=8000, help="port to listen on; 0 takes any free one (default: 8000)"
        )
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="address to listen on; 0.0.0.0 for other machines to reach it (default: 127.0.0.1)",
        )
        parser.add_argument(
            "--data",
            metavar="DIR",
            help="folder for all data; another folder is another library (default: DATA_DIR)",
        )
        parser.add_argument(
            "--web",
            type=_count,
            default=settings.WEB,
            metavar="N",
            help="number of web processes (default: WEB, else 1)",
        )
        parser.add_argument(
            "--no-sample", action="store_true", help="do not add the sample handbook to an empty library"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        chosen = Options(options["host"], options["port"], options["web"], sample=not options["no_sample"])
        Up(chosen, self._say).run()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise ArgumentTypeError(f"{text!r} is no number of processes from 1 to 64")
    return int(text)

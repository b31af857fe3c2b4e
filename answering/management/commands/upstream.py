"""`manage.py upstream`: the simulated OpenAI-compatible server, in the foreground."""

import asyncio
import os
import signal
from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from answering.upstream import Behaviour, SimulatedUpstream
from retrieval.embeddings import Embedder, factory


class Command(BaseCommand):
    help = (
        "Run a simulated OpenAI-compatible model server, for tests and measurements. It has chat completions,"
        " embeddings, models and /rerank. LATENCY is in milliseconds: fixed:200, uniform:100-300,"
        " lognormal:p50=200,p99=8000, jagged or mixture:0.9@fixed:200|0.1@jagged. SHARE is of the requests, 0 to 1."
        " POST JSON to /control to change any of it while it runs; /control/stats has the counts."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument(
            "--port", type=int, default=9100, help="port to listen on; 0 takes any free one (default: 9100)"
        )
        parser.add_argument(
            "--control-port",
            type=int,
            metavar="PORT",
            help="another port for /control, which --refuse leaves open",
        )
        parser.add_argument("--minilm", action="store_true", help="embed with the bundled model")
        for field in fields(Behaviour):
            option = "--" + field.name.replace("_", "-")
            if isinstance(field.default, bool):
                parser.add_argument(option, action="store_true", dest=field.name, help=field.metadata["help"])
            else:
                parser.add_argument(
                    option,
                    type=type(field.default),
                    default=field.default,
                    dest=field.name,
                    metavar=field.metadata["metavar"],
                    help=f"{field.metadata['help']} (default: {field.default})",
                )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            behaviour = Behaviour(**{field.name: options[field.name] for field in fields(Behaviour)})
        except ValueError as error:
            raise CommandError(str(error)) from error
        bundled = self._bundled() if options["minilm"] else None
        upstream = SimulatedUpstream(
            behaviour,
            host=options["host"],
            port=options["port"],
            control_port=options["control_port"],
            vectoriser=bundled.embed_documents if bundled else None,
        )
        try:
            asyncio.run(self._run(upstream))
        except (OSError, OverflowError) as error:
            place = f"{options['host']}:{options['port']}"
            raise CommandError(f"Cannot listen on {place}: {_reason(error)}.") from None

    def _bundled(self) -> Embedder:
        return factory.build(base_url="", api_key="", model="", dimensions=0, data_dir=settings.DATA_DIR)

    async def _run(self, upstream: SimulatedUpstream) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with upstream:
            self.stdout.write(f"Simulated upstream: {upstream.base_url} (control: {upstream.control_url})")
            self.stdout.flush()
            await stopped.wait()


def _reason(error: OSError | OverflowError) -> str:
    """asyncio puts the address before the system's own words."""
    if isinstance(error, OverflowError):
        return "a port is a number from 0 to 65535"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)

"""`manage.py upstream`: the simulated OpenAI-compatible server, in the foreground."""

import asyncio
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
        "Runs a simulated OpenAI-compatible upstream: chat completions, embeddings, models, rerank. "
        "Latencies are fixed:200, uniform:100-300, lognormal:p50=200,p99=8000, jagged or "
        "mixture:0.9@fixed:200|0.1@jagged (milliseconds); faults are shares of requests, 0 to 1. "
        "POST JSON to /control to change any of it while it runs; /control/stats has the counts."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=9100)
        parser.add_argument("--control-port", type=int, help="A port for /control that --refuse leaves open.")
        parser.add_argument("--minilm", action="store_true", help="Embed with the bundled MiniLM.")
        for field in fields(Behaviour):
            option = "--" + field.name.replace("_", "-")
            if isinstance(field.default, bool):
                parser.add_argument(option, action="store_true", dest=field.name)
            else:
                parser.add_argument(option, type=type(field.default), default=field.default, dest=field.name)

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
            reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
            raise CommandError(f"Cannot listen on {options['host']}: {reason}.") from None

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

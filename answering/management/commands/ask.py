import asyncio
import json
import math
import sys
import uuid
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from answering.asking import read_ask
from answering.errors import AnsweringError
from answering.events import Frame
from answering.reporting import error_event
from answering.wiring import Wiring, build
from retrieval.embeddings import factory


class Command(BaseCommand):
    help = "Ask one question and print its sources, the answer and what was given up. Each stage's time comes last."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question", nargs="+", metavar="QUESTION", help="in quotation marks, or as words")
        parser.add_argument(
            "--user", help="ask as this user, who sees only what they may read (default: the first superuser)"
        )
        parser.add_argument("--json", action="store_true", help="print the frames as JSON, one per line")

    def handle(self, *args: Any, question: list[str], user: str | None, json: bool, **options: Any) -> None:
        asker = self._asker(user)
        if not asyncio.run(self._ask(" ".join(question), asker.pk, json)):
            sys.exit(1)

    @staticmethod
    def _asker(name: str | None) -> User:
        users = User.objects.filter(is_active=True)
        # Not for an empty name: it is a slip, and superusers read everything.
        anyone = users.filter(is_superuser=True).order_by("pk")
        asker = (anyone if name is None else users.filter(username=name)).first()
        if asker is None:
            raise CommandError(
                "There is no superuser to ask as." if name is None else f"There is no active user {name!r}."
            )
        return asker

    async def _ask(self, question: str, user: int, as_json: bool) -> bool:
        """Whether the question came to an answer."""
        built = await build()
        try:
            ask = read_ask({"id": str(uuid.uuid4()), "question": question}, user, "interactive")
            return await self._show(built, ask, as_json)
        except AnsweringError as error:
            self._line(error_event(error).frame("", 1), as_json)
            return False
        finally:
            await built.aclose()
            await factory.close()

    async def _show(self, built: Wiring, ask: Any, as_json: bool) -> bool:
        kind = ""
        async for frame in await built.ask(ask):
            kind = frame["type"]
            self._line(frame, as_json)
        await built.runs.settled(ask.run)
        return kind == "done"

    def _line(self, frame: Frame, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(frame))
        else:
            show = getattr(self, f"_on_{frame['type']}", None)
            if show is not None:
                show(frame)
        self.stdout.flush()

    def _on_citations(self, frame: Frame) -> None:
        if not frame["passages"]:
            return
        self.stdout.write("Sources" if frame["final"] else "Sources so far")
        for passage in frame["passages"]:
            place = " › ".join(part for part in (passage["title"], passage["heading"]) if part)
            page = f", page {passage['page']}" if passage["page"] else ""
            self.stdout.write(f"  [{passage['n']}] {place}{page} ({passage['collection']})")
        self.stdout.write("")

    def _on_delta(self, frame: Frame) -> None:
        self.stdout.write(frame["text"], ending="")

    def _on_replace(self, frame: Frame) -> None:
        self.stdout.write(f"\n\n{frame['text']}", ending="")

    def _on_notice(self, frame: Frame) -> None:
        self.stderr.write(f"({frame['message']})")

    def _on_error(self, frame: Frame) -> None:
        wait = f" Try again in {math.ceil(frame['retry_after'])} s." if frame["retry_after"] else ""
        self.stderr.write(f"{frame['message']}{wait}")

    def _on_done(self, frame: Frame) -> None:
        self.stdout.write(f"\n\nFinish: {frame['finish']}. Route: {frame['route']}.")
        if frame["degraded"]:
            self.stdout.write(f"Given up: {', '.join(frame['degraded'])}.")
        if frame["stages"]:
            self.stdout.write(f"  {'Stage':<14}{'from ms':>9}{'took ms':>9}")
        for stage in frame["stages"]:
            outcome = "" if stage["outcome"] == "ok" else f"  {stage['outcome']}"
            self.stdout.write(f"  {stage['stage']:<14}{stage['start_ms']:>9.1f}{stage['ms']:>9.1f}{outcome}")

"""A whole asking process inside a test: the real Postgres, Redis, index and embedder, a simulated model."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.utils import timezone

from answering import wiring
from answering.events import text_of as text_of
from answering.store import Ask
from answering.upstream import SimulatedUpstream
from answering.wiring import Wiring
from retrieval import library
from retrieval.ingestion.indexing import index_document
from retrieval.models import Collection, Document

LEAVE = """# Annual leave

## Entitlement

Every full-time employee gets 25 days of annual leave a year, plus public holidays.

## Carrying over

Up to five unused days may be carried over until 31 March.
"""
SECRET = "# Merger\n\nProject Nightjar: we buy Acme on 3 May for 40 million euros of annual leave reserves.\n"
QUESTION = "How many days of annual leave do I get?"


class Cast:
    """A member of staff reads the handbook; the board's document is the board's alone; a stranger reads nothing."""

    def __init__(self) -> None:
        staff, board = (Group.objects.get_or_create(name=name)[0] for name in ("staff", "board"))
        self.member = User.objects.create_user("member", password="pw")
        self.director = User.objects.create_user("director", password="pw")
        self.stranger = User.objects.create_user("stranger", password="pw")
        for user in (self.member, self.director, self.stranger):
            user.groups.clear()
        self.member.groups.add(staff)
        self.director.groups.add(staff, board)
        self.handbook = Collection.objects.create(slug="handbook", name="Handbook")
        self.handbook.groups.add(staff)
        self.papers = Collection.objects.create(slug="papers", name="Board papers")
        self.papers.groups.add(board)

    def add(self, collection: Collection, name: str, text: str, *, aged: bool = False) -> Any:
        document = library.add(None, collection, name, [text.encode()])
        index_document(document.pk)
        document.refresh_from_db()
        assert document.status == "ready", document.reason
        # An answer is not cached on top of a document that is a few seconds old.
        if aged:
            Document.objects.filter(pk=document.pk).update(changed_at=timezone.now() - timedelta(minutes=1))
        return document


def make_cast() -> Cast:
    cast = Cast()
    cast.add(cast.handbook, "leave.md", LEAVE, aged=True)
    cast.add(cast.papers, "merger.md", SECRET, aged=True)
    return cast


def a_model() -> SimulatedUpstream:
    """One that does not keep its readers waiting."""
    return SimulatedUpstream(first_token="fixed:5", token_gap="fixed:1")


@asynccontextmanager
async def process(settings: Any, folder: Path, *upstreams: SimulatedUpstream) -> AsyncIterator[Wiring]:
    """One process' wiring, with these upstreams as its models; the index has caught up."""
    settings.LEXICAL_DIR = folder / "lexical"
    settings.HAS_MODEL = bool(upstreams)
    names = ["OPENAI_BASE_URL", "FALLBACK_BASE_URL"]
    for name, upstream in zip(names, upstreams, strict=False):
        setattr(settings, name, upstream.base_url)
    settings.OPENAI_API_KEY = settings.FALLBACK_API_KEY = ""
    settings.ANSWER_MODEL = settings.FALLBACK_MODEL = "simulated"
    built = await wiring.build()
    wiring._Process.built = asyncio.get_running_loop(), _done(built)
    try:
        await sync_to_async(caught_up)(built)
        yield built
    finally:
        wiring._Process.built = None
        await built.aclose()


def _done(built: Wiring) -> "asyncio.Task[Wiring]":
    async def give() -> Wiring:
        return built

    return asyncio.get_running_loop().create_task(give())


def caught_up(built: Wiring) -> None:
    follower = built.follower
    assert follower.wait_for(lambda: not follower.rebuilding and follower.lag_seconds == 0.0, 20)


def an_ask(user: User, text: str = QUESTION, **fields: Any) -> Ask:
    return Ask(**{"run": str(uuid.uuid4()), "user": user.pk, "text": text, **fields})


async def frames_of(built: Wiring, ask: Ask) -> list[dict[str, Any]]:
    """All frames of a question, once it is stored."""
    frames = [frame async for frame in await built.ask(ask)]
    await built.runs.settled(ask.run)
    return frames


def of(frames: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["type"] == kind]

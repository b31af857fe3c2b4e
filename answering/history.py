"""What a page shows of earlier runs. What a reader may see is decided anew each time: a passage of a
collection they have lost, or of a document that is gone, is left out, and so is the answer made from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.lookups import IContains
from django.utils import timezone

from answering.models import Conversation, Run
from retrieval.access import AccessScope
from retrieval.finding import Unaccented, words_of
from retrieval.models import Chunk, Collection, Document

RUNS_SHOWN = 30
CONVERSATIONS_SHOWN = 60
CONVERSATIONS_A_PAGE = 200
"""Where all are listed."""

Passage = dict[str, Any]
"""A passage as its citations frame had it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left, for one reader, of the documents that old answers cite.

    `readable` and `existing` are document ids, `collections` the slugs in scope, `chunks` those published."""

    readable: frozenset[str]
    existing: frozenset[str]
    collections: frozenset[str]
    chunks: frozenset[int]

    def shows(self, passage: Passage) -> bool:
        return passage["document"] in self.readable

    def forbids(self, passage: Passage) -> bool:
        """Whether it is kept from the reader, and not merely deleted by somebody who may."""
        if self.shows(passage):
            return False
        return passage["document"] in self.existing or passage["collection"] not in self.collections

    def passage(self, passage: Passage) -> Passage:
        if not self.shows(passage):
            return {"n": passage["n"], "gone": True}
        return {**passage, "changed": chunk_of(passage) not in self.chunks}


def chunk_of(passage: Passage) -> int | None:
    """The chunk's id, which the frame carries in its address only."""
    values = parse_qs(urlsplit(str(passage.get("url", ""))).query).get("chunk", [""])
    return int(values[0]) if values[0].isdigit() else None


def standing(passages: Iterable[Passage], scope: AccessScope) -> Standing:
    passages = list(passages)
    documents = {passage["document"] for passage in passages if _is_uuid(passage["document"])}
    found = list(Document.objects.filter(id__in=documents).values_list("id", "collection_id"))
    chunks = [chunk for passage in passages if (chunk := chunk_of(passage)) is not None]
    published = Chunk.objects.filter(id__in=chunks, collection_id__in=scope.collection_ids)
    slugs = Collection.objects.filter(id__in=scope.collection_ids).values_list("slug", flat=True)
    return Standing(
        readable=frozenset(str(pk) for pk, collection in found if collection in scope),
        existing=frozenset(str(pk) for pk, _ in found),
        collections=frozenset(slugs),
        chunks=frozenset(published.values_list("id", flat=True)),
    )


def _is_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def withheld(run: Run, state: Standing) -> bool:
    """Whether the answer of `run` must not be shown: the model read a passage now kept from the reader,
    or the answer rests on one that was deleted."""
    gone = {passage["n"] for passage in run.citations if not state.shows(passage)}
    return any(state.forbids(passage) for passage in run.citations) or not gone.isdisjoint(rests_on(run))


def rests_on(run: Run) -> set[int]:
    """The numbers that the answer cites. One that was stopped before its first citation may rest on any of them."""
    if run.cited or run.finish == "refused":
        return set(run.cited)
    return {passage["n"] for passage in run.citations}


def shown(run: Run, state: Standing) -> dict[str, Any]:
    """A run as the page gets it. One that is still running brings no passages: they come over the socket."""
    hidden = withheld(run, state)
    ended = run.status != Run.Status.RUNNING
    return {
        "id": str(run.id),
        "question": run.question,
        "collections": run.collections,
        "status": run.status,
        "finish": run.finish,
        "route": run.route,
        "hidden": hidden,
        "html": "" if hidden else run.html,
        "answer": "" if hidden else run.answer,
        "passages": [state.passage(passage) for passage in run.citations] if ended else [],
        "cited": run.cited,
        "degraded": run.degraded,
        "stages": run.stages,
        "error": run.error,
    }


def runs_of(
    conversation: Conversation, scope: AccessScope, *, before: UUID | None = None
) -> tuple[list[dict[str, Any]], str]:
    """The newest runs (before run `before`, if given), oldest first; the id to go on from for older."""
    runs: QuerySet[Run] = conversation.runs.order_by("-created_at")
    if before is not None:
        runs = runs.filter(created_at__lt=conversation.runs.filter(id=before).values("created_at"))
    page = list(runs.defer("events")[: RUNS_SHOWN + 1])
    older = len(page) > RUNS_SHOWN
    page = page[:RUNS_SHOWN][::-1]
    state = standing((passage for run in page for passage in run.citations), scope)
    return [shown(run, state) for run in page], str(page[0].id) if older else ""


def asked_by(user: int) -> tuple[list[Conversation], bool]:
    """The newest conversations that the user has asked in, and whether there are others. Thousands of a program's would
    bury them."""
    every = _newest_first(user)
    found = list(every.filter(by_program=False)[: CONVERSATIONS_SHOWN + 1])
    more = len(found) > CONVERSATIONS_SHOWN or every.filter(by_program=True).exists()
    return found[:CONVERSATIONS_SHOWN], more


def all_of(user: int, *, after: UUID | None = None, text: str = "") -> tuple[list[Conversation], str]:
    """A page of all conversations, also those of programs: the newest, or those that follow `after`; the id to go on
    from, where there are more. With `text` those that have each of its words in their name or in a question. Answers
    are not looked at: they may rest on what the user may no longer read."""
    found = _newest_first(user)
    for word in words_of(text):
        asked = Run.objects.filter(IContains(Unaccented("question"), word), conversation=OuterRef("pk"))
        found = found.filter(Q(IContains(Unaccented("title"), word)) | Exists(asked))
    last = found.filter(pk=after).first() if after else None
    if last is not None:
        at = last.updated_at
        found = found.filter(updated_at__lte=at).exclude(updated_at=at, pk__gte=last.pk)
    page = list(found[: CONVERSATIONS_A_PAGE + 1])
    is_last = len(page) <= CONVERSATIONS_A_PAGE
    page = page[:CONVERSATIONS_A_PAGE]
    return page, "" if is_last else str(page[-1].pk)


def _newest_first(user: int) -> QuerySet[Conversation]:
    return (
        Conversation.objects.filter(user=user)
        .only("id", "title", "updated_at")
        .order_by("-updated_at", "-pk")
    )


def by_day(conversations: Sequence[Conversation], today: date) -> list[tuple[str, list[Conversation]]]:
    """Conversations, newest first, under Today, Yesterday, This week and Earlier."""

    def label(conversation: Conversation) -> str:
        day = timezone.localtime(conversation.updated_at).date()
        if day >= today:
            return "Today"
        if day == today - timedelta(days=1):
            return "Yesterday"
        return "This week" if day > today - timedelta(days=7) else "Earlier"

    return [(name, list(group)) for name, group in groupby(conversations, key=label)]

"""What a question of its kind is likely to need beyond the search, fetched beside the search.

Each source gives a few chunks: the newest documents, the side of a comparison that the search left out,
places that read like definitions, contacts, figures, steps or rules, what the last turn cited, what a similar
question was answered from, what fits the asker's profile. None scans: they are index look-ups and lexical
searches of a millisecond. They never hold a question up, never show what its scope does not, and at most two
of them get a seat among the passages (`seated`)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from answering.caches.answer import CachedAnswer
from answering.intent import IntentClassifier
from answering.legs import LexicalAhead
from answering.resilience.deadline import Deadline
from answering.stages import Question, Run
from answering.store import History
from retrieval import database
from retrieval.access import AccessScope
from retrieval.errors import RetrievalError
from retrieval.passages import Passage, Ranking

CANDIDATES = 40
TOP = 8
"""A chunk of the search's own first places needs no help."""

LIKELY = 0.2
"""Probability from which an intent's source is fetched."""

BUDGET = 0.15
"""Seconds for all sources together; what comes later is not waited for."""

AT_ONCE = 8
"""Questions whose sources are fetched at one time. Beyond that the process is busy and goes without."""

SEATS = 2
EACH = 4

CUES: Mapping[str, str] = {
    "definition": "definition means glossary terms is defined as refers to stands for",
    "people": "contact email phone responsible owner team lead manager reach",
    "figures": "maximum minimum limit amount rate days hours percent per deadline",
    "procedure": "how to steps process request submit form first then",
    "policy": "policy allowed permitted eligible must not required exceptions approval",
}

_SIDES = (
    re.compile(r"\bbetween (.+?) and (.+)", re.IGNORECASE),
    re.compile(r"\bcompare (.+?) (?:and|with|to) (.+)", re.IGNORECASE),
    # From the beginning of a line alone: from each of its letters a long text takes half a second.
    re.compile(r"^(.+?) (?:vs\.?|versus|(?:as )?compared (?:with|to)|or) (.+)", re.IGNORECASE | re.MULTILINE),
)
_NEWEST = """SELECT c.id FROM unnest({scope}) AS s(id) CROSS JOIN LATERAL (
        SELECT id, ready_at FROM retrieval_document
        WHERE collection_id = s.id AND ready_at IS NOT NULL ORDER BY ready_at DESC LIMIT {each}) d
    JOIN retrieval_chunk c ON c.document_id = d.id AND c.ordinal = 0
    ORDER BY d.ready_at DESC LIMIT {each}"""
_NEWEST_OF = """SELECT c.id FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id
    WHERE c.id = ANY({chunks}) AND c.collection_id = ANY({scope}) AND d.ready_at IS NOT NULL
    ORDER BY d.ready_at DESC LIMIT {each}"""

Outcome = Callable[[str, str], None]
"""Told (kind, result) of each source: `used`, `unused`, `late`, `error` or `shed`."""


class Extras(Sequence[int]):
    """Chunks as they come in, and of which kind of source each is. In order: the first of each kind, then the second
    of each. Whoever needs them takes what is there and never waits."""

    def __init__(self, kinds: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.kinds = dict(kinds or {})
        self.awaited: set[str] = set()

    def __getitem__(self, index: Any) -> Any:
        return self._chunks()[index]

    def __len__(self) -> int:
        return len(self._chunks())

    def _chunks(self) -> tuple[int, ...]:
        rounds = zip_longest(*self.kinds.values())
        return tuple(dict.fromkeys(chunk for row in rounds for chunk in row if chunk is not None))


class Prefetch:
    """Fetches the extra sources of questions. One a process."""

    def __init__(
        self,
        lexical: LexicalAhead,
        pool: database.Pool,
        classifier: IntentClassifier,
        *,
        on_result: Outcome,
        similar: Callable[[Question], Awaitable[CachedAnswer | None]] | None = None,
        resting: Callable[[], bool] = lambda: False,
    ) -> None:
        """`resting`: whether what answers do not need is to keep away from Postgres now."""
        self._lexical = lexical
        self._pool = pool
        self._classifier = classifier
        self._on_result = on_result
        self._answered = similar
        self._resting = resting
        self._under_way = 0

    async def gather(self, run: Run, history: "asyncio.Task[History]", extras: Extras) -> None:
        """Fetches into `extras` what the likely intents of `run` need. Never raises, and ends within its budget."""
        if self._under_way >= AT_ONCE or self._resting():
            self._on_result("all", "shed")
            return
        self._under_way += 1
        try:
            await run.stage(
                "intent",
                lambda: self._gather(run, history, extras),
                budget=2 * BUDGET,
                fallback=None,
                quiet=True,
            )
        finally:
            self._under_way -= 1

    def settle(self, extras: Extras, shown: Iterable[int]) -> None:
        """Counts what came of the sources: `shown` are the chunks that the answer rests on."""
        chunks = frozenset(shown)
        for kind, given in extras.kinds.items():
            self._on_result(kind, "unused" if chunks.isdisjoint(given) else "used")
        for kind in extras.awaited:
            self._on_result(kind, "late")

    async def _gather(self, run: Run, history: "asyncio.Task[History]", extras: Extras) -> None:
        deadline = run.deadline.capped(BUDGET)
        base = asyncio.create_task(
            self._lexical.search(run.question.text, run.question.scope, CANDIDATES, asked=False)
        )
        works = self._works(run.question, history, base, deadline)
        extras.awaited = set(works)
        tasks = [asyncio.create_task(self._into(extras, kind, work)) for kind, work in works.items()]
        try:
            await asyncio.wait(tasks, timeout=deadline.remaining())
        finally:
            for task in (base, *tasks):
                task.cancel()
            ended = await asyncio.gather(*tasks, base, return_exceptions=True)
        for failure in ended[:-1]:
            if isinstance(failure, Exception):
                raise failure  # a bug: the stage logs it

    def _works(
        self,
        question: Question,
        history: "asyncio.Task[History]",
        base: "asyncio.Task[Ranking]",
        deadline: Deadline,
    ) -> dict[str, Awaitable[tuple[int, ...]]]:
        """Kind -> the work of its source, for the sources that this question may need."""
        text, scope = question.text, question.scope
        works: dict[str, Awaitable[tuple[int, ...]]] = {}
        for intent in self._classifier.likely(text, least=LIKELY):
            if intent in CUES:
                works[intent] = self._cued(text, scope, CUES[intent], base)
            elif intent == "recent":
                works[intent] = self._recent(scope, base, deadline)
            elif intent == "comparison":
                works[intent] = self._sides(text, scope)
            elif intent == "follow_up":
                works["previous"] = self._previous(history)
        works["profile"] = self._profile(text, scope, history, base)
        if self._answered is not None:
            works["similar"] = self._similar(self._answered, question)
        return works

    async def _into(self, extras: Extras, kind: str, work: Awaitable[tuple[int, ...]]) -> None:
        try:
            chunks = await work
        except RetrievalError:
            self._on_result(kind, "error")
            chunks = ()
        extras.awaited.discard(kind)
        if chunks:
            extras.kinds[kind] = chunks

    async def _cued(
        self, text: str, scope: AccessScope, cue: str, base: "asyncio.Task[Ranking]"
    ) -> tuple[int, ...]:
        """Of what the search finds at all, what reads most like the kind of answer that is wanted."""
        found = await self._lexical.search(f"{text} {cue}", scope, CANDIDATES, asked=False)
        return _lifted(found, await asyncio.shield(base))

    async def _sides(self, text: str, scope: AccessScope) -> tuple[int, ...]:
        """The best chunks of each side of a comparison, so that one does not drive the other out."""
        found = [await self._lexical.search(side, scope, EACH, asked=False) for side in sides(text)]
        return tuple(chunk for pair in zip_longest(*(f.chunks for f in found)) for chunk in pair if chunk)

    async def _recent(
        self, scope: AccessScope, base: "asyncio.Task[Ranking]", deadline: Deadline
    ) -> tuple[int, ...]:
        """The newest documents about it; of all documents, where the question names no subject."""
        ranking = await asyncio.shield(base)
        template = _NEWEST_OF if ranking else _NEWEST
        sql = template.format(
            chunks=database.numbers(ranking.chunks),
            scope=database.numbers(sorted(scope.collection_ids)),
            each=EACH,
        )
        rows = await database.fetch(self._pool, sql, timeout=max(deadline.remaining(), 0.001))
        return tuple(row[0] for row in rows)

    async def _previous(self, history: "asyncio.Task[History]") -> tuple[int, ...]:
        """What the last answer was given from, where this question may follow it up."""
        return (await asyncio.shield(history)).chunks[:EACH]

    @staticmethod
    async def _similar(
        answered: Callable[[Question], Awaitable[CachedAnswer | None]], question: Question
    ) -> tuple[int, ...]:
        """What the answer to a similar question was given from."""
        near = await answered(question)
        return tuple(p.chunk for n, p in near.passages if n in near.cited)[:EACH] if near else ()

    async def _profile(
        self, text: str, scope: AccessScope, history: "asyncio.Task[History]", base: "asyncio.Task[Ranking]"
    ) -> tuple[int, ...]:
        """Of what the search finds, what names the asker's role or place."""
        profile = (await asyncio.shield(history)).profile
        return await self._cued(text, scope, profile, base) if profile else ()


def sides(text: str) -> tuple[str, ...]:
    """The two things that a question compares; none where it does not tell them."""
    for pattern in _SIDES:
        if compared := pattern.search(text):
            return compared.groups()
    return ()


def _lifted(found: Ranking, base: Ranking) -> tuple[int, ...]:
    """The first chunks of `found` that `base` has, too, but further down than its first places."""
    lower = frozenset(base.chunks[TOP:])
    return tuple(chunk for chunk in found.chunks[:TOP] if chunk in lower)[:EACH]


def seated(ranked: Sequence[Passage], extra: Sequence[int], most: int) -> tuple[Passage, ...]:
    """The first `most` of `ranked`, the last seats of which go to passages of `extra` that would have got none. Nobody
    among the better half loses a seat, and nothing changes its order."""
    first, rest = ranked[:most], ranked[most:]
    wanted = {chunk: place for place, chunk in enumerate(extra)}
    helpers = sorted((p for p in rest if p.chunk in wanted), key=lambda p: wanted[p.chunk])
    helpers = helpers[: min(SEATS, most // 2)]
    return (*first[: most - len(helpers)], *helpers) if len(first) == most else tuple(first)

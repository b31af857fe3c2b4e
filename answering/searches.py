"""The two searches of a question under way, and which text they are for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from answering.followups import Link, read
from answering.stages import Run, cancel
from answering.store import History
from retrieval.passages import Ranking

Leg = asyncio.Task[Ranking | None]


@dataclass(frozen=True, slots=True)
class Legs:
    """The searches of one text. `instead` begins those of a question together with what it may follow, for where it is
    not answered by itself."""

    text: str
    words: Leg
    meaning: Leg
    instead: "Callable[[], Legs] | None" = None


def in_context(run: Run, alone: Legs, history: History, search: Callable[[str], Legs]) -> Legs:
    """The searches of a question that is not the first of its conversation: together with what it follows where that is
    plain, by itself first where it is not."""
    reading = read(alone.text, [turn.question for turn in history.turns])
    if reading.link is Link.NONE:
        return alone
    if reading.link is Link.MAYBE:
        return replace(alone, instead=lambda: search(reading.text))
    cancel(alone.words, alone.meaning)
    run.sought = reading.text
    return search(reading.text)

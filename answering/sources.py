"""What a question is likely to need beyond the search: its intent, and the search text of a follow-up."""

import asyncio
from collections.abc import Iterable

from answering.intent import IntentClassifier
from answering.prefetch import Extras, Prefetch
from answering.stages import Run
from answering.store import History

FOLLOW_UP = 0.5
"""Probability from which a question is searched together with the one before it."""


class Sources:
    def __init__(self, classifier: IntentClassifier, prefetch: Prefetch) -> None:
        self.classifier = classifier
        self.prefetch = prefetch

    async def gather(self, run: Run, history: "asyncio.Task[History]", extras: Extras) -> None:
        """Fetches the extra sources of the likely intents into `extras`, one by one."""
        await self.prefetch.gather(run, history, extras)

    def settle(self, extras: Extras, shown: Iterable[int]) -> None:
        """Counts which of the sources are among the chunks `shown`."""
        self.prefetch.settle(extras, shown)

    def standalone(self, text: str, history: History) -> str:
        """The text to search for: a follow-up is joined with the question that it follows."""
        if not history.turns or self.classifier.probabilities(text)["follow_up"] < FOLLOW_UP:
            return text
        return f"{history.turns[-1].question} {text}"

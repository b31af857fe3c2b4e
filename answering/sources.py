"""What a question is likely to need beyond the search."""

import asyncio
from collections.abc import Iterable

from answering.intent import IntentClassifier
from answering.prefetch import Extras, Prefetch
from answering.stages import Run
from answering.store import History


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

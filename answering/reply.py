"""What a reader has been shown of an answer, and the rules it keeps: citations come before text, a number never
changes its meaning, a provisional extract gives way to a better answer as a whole, and there is one end."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from answering import events
from answering.budgets import Budgets
from answering.caches.answer import CachedAnswer
from answering.citations import CitationFilter, renumber
from answering.errors import EmptyAnswer
from answering.events import Frame
from answering.evidence import Found
from answering.extractive import extract
from answering.markup import to_html
from answering.stages import Run
from retrieval import sentences
from retrieval.passages import Passage, chunk_of

REFUSAL = "The documents you can read do not say."

NEAREST = "What comes nearest in them:"

BESIDE = "The sources say:"

CITATION = re.compile(r"\[(\d+)\]")

Numbered = tuple[tuple[int, Passage], ...]
"""Passages with the numbers that they are cited by."""


def passage_frame(n: int, passage: Passage, marks: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "n": n,
        "document": passage.document,
        "title": passage.title,
        "collection": passage.collection,
        "heading": passage.heading,
        "page": passage.page,
        "text": passage.text,
        "marks": [list(span) for span in marks],
        "url": passage.url,
    }


class Reply:
    """The answer as far as it has been sent."""

    def __init__(
        self, run: Run, marker: Callable[..., list[list[tuple[int, int]]]] = sentences.marks
    ) -> None:
        self.run = run
        self.route = "hybrid"
        self.found: Found | None = None
        self.passages: Numbered = ()
        self.frames: list[dict[str, Any]] = []
        self.shown: list[tuple[int, int]] = []
        """(number, chunk) of the final sources, where an earlier process has sent them."""
        self.text = ""
        self.provisional = False
        self.cited: list[int] = []
        self.citable = asyncio.Event()
        self._marker = marker
        self._filter = CitationFilter(())
        self._begun = False
        self._known: list[tuple[int, int]] = []

    def patience(self, budgets: Budgets) -> float:
        """Seconds that sources are still worth waiting for."""
        return budgets.reading(self.run.elapsed(), first=self.found is None, behind=self.run.behind())

    def cite(self, found: Found, *, final: bool) -> None:
        """Sends the sources, provisional or final; what a reader saw under a number keeps it."""
        self.found = found
        self._cite(found.route, found.passages, final=final)

    def _cite(self, route: str, passages: Sequence[Passage], *, final: bool) -> None:
        by_chunk = {passage.chunk: passage for passage in passages}
        numbers = renumber(self._known, list(by_chunk))
        self._known = sorted({*self._known, *numbers})
        self.passages = tuple((n, by_chunk[chunk]) for n, chunk in numbers)
        self.route = route
        cited = [passage for _, passage in self.passages]
        texts, context = [passage.text for passage in cited], sentences.Context.of(cited)
        marks = self._marker(self.run.sought, texts, context)
        self.frames = [
            passage_frame(n, passage, spans) for (n, passage), spans in zip(self.passages, marks, strict=True)
        ]
        self.run.send(events.citations(route, self.frames, final=final))
        self.run.mark("citations")
        if passages:
            self.citable.set()

    def keep(self, passages: Sequence[Passage]) -> None:
        """Goes on with the sources that an earlier process has sent: a reader gets them once."""
        by_chunk = {passage.chunk: passage for passage in passages}
        self.passages = tuple((n, by_chunk[chunk]) for n, chunk in self.shown if chunk in by_chunk)
        self.citable.set()

    def recall(self, cached: CachedAnswer) -> str:
        """Gives an answer of the cache, with the sources that it cites under their own numbers."""
        self._known = [(n, passage.chunk) for n, passage in cached.passages]
        self._cite("cached", [passage for _, passage in cached.passages], final=True)
        self.whole(cached.text)
        return "cached"

    def recall_similar(self, cached: CachedAnswer) -> bool:
        """Gives the answer to a similar question, under the numbers of the sources that were sent; False where it
        rests on others."""
        sent = {passage.chunk: n for n, passage in self.passages}
        numbers = {n: sent.get(passage.chunk) for n, passage in cached.passages}
        if any(numbers.get(n) is None for n in cached.cited):
            return False
        self.whole(CITATION.sub(lambda found: f"[{numbers.get(int(found[1]))}]", cached.text))
        return True

    def quote(self) -> str:
        """Answers with the sentences of the sources that answer best, where there are any."""
        text = extract(self.run.sought, self.passages)
        if not text:
            return self.refuse()
        self.whole(text)
        return "extractive"

    def refuse(self) -> str:
        """Says that the documents do not say, and what in them comes nearest where that is not far off."""
        near = self.found is not None and self.found.near
        nearest = extract(self.run.sought, self.passages, most=1, lead_in=NEAREST) if near else ""
        self.whole(f"{REFUSAL}\n\n{nearest}".rstrip())
        return "refused"

    def restore(self, frames: Sequence[Frame]) -> None:
        """Takes over what an earlier process has shown of this run: numbers keep their meaning, text is replaced."""
        for frame in frames:
            if frame["type"] == "citations":
                shown = [(p["n"], chunk_of(p["url"])) for p in frame["passages"]]
                self._known = sorted({*self._known, *shown})
                if frame["final"]:
                    self.shown, self.frames, self.route = shown, frame["passages"], frame["route"]
        self.text = events.text_of(frames)
        self.provisional = bool(self.text)

    def offer(self, text: str) -> None:
        """Shows a whole provisional answer, which the first words of a better one replace."""
        self.whole(text)
        self.provisional, self._begun = True, False

    def whole(self, text: str) -> None:
        """Shows a whole answer at once, in place of whatever was shown."""
        self._begin()
        self.provisional = False
        self._replace(self._filter.feed(text) + self._filter.flush())
        self.run.mark("usable")

    def token(self, text: str, *, restart: bool = False) -> None:
        """Adds words of the model; `restart` when they are the whole text so far, told anew."""
        self.run.mark("token")
        if restart or not self._begun:
            self._begin()
        self.provisional = self.provisional or restart
        self._tell(self._filter.feed(text))

    def flush(self) -> None:
        """Shows what the filter held back, at the end of a stream."""
        self._tell(self._filter.flush())

    @property
    def told(self) -> bool:
        """Words are shown that nothing is to take the place of."""
        return bool(self.text) and not self.provisional

    def finish(self) -> str:
        """Ends a stream that came to its end; how: `refused` where the model said that the passages do not answer, and
        cited none. Raises EmptyAnswer where it has said nothing."""
        self.flush()
        if self._filter.unanswered and not self._filter.cited:
            return "refused" if self.told else self.refuse()
        if not self.told:
            raise EmptyAnswer
        return "complete"

    def end(self, finish: str) -> events.Event:
        """The `done` of this answer. To a part that broke off before it named a source it adds what these say: no
        answer is without one."""
        if finish == "partial" and not self._filter.cited:
            self._add(extract(self.run.sought, self.passages, lead_in=BESIDE))
        self.cited = self._filter.cited
        return events.done(
            finish,
            self.route,
            cited=self.cited,
            html=to_html(self.text, self.cited),
            stages=[timing.as_dict() for timing in self.run.stages],
            degraded=self.run.degraded,
        )

    def _add(self, text: str) -> None:
        """A paragraph at the end."""
        if text:
            self._tell(self._filter.feed(f"{self._filter.ending}\n\n{text}") + self._filter.flush())

    def _begin(self) -> None:
        self._filter = CitationFilter(n for n, _ in self.passages)
        self._begun = True

    def _tell(self, text: str) -> None:
        """What stands gives way to the first words of its replacement, and not before there are any."""
        text = text if self.told else text.lstrip()
        if text:
            self.run.mark("usable")
        if self.provisional and text:
            self.provisional = False
            self._replace(text)
        elif not self.provisional:
            self._show(text)

    def _show(self, text: str) -> None:
        if text:
            self.text += text
            self.run.send(events.delta(text))

    def _replace(self, text: str) -> None:
        if self.text:
            self.text = text
            self.run.send(events.replace(text))
        else:
            self._show(text)

"""Searching while the question is typed, so that Enter finds vectors and rankings waiting.

A pause in typing starts a lexical search; when two pauses in a row find the same top eight, the question is as good as
known and is embedded and searched by meaning, too. All this does is to warm caches whose keys hold the text and the
asker's scope: nothing is shown, kept elsewhere or logged, and a hint of one reader helps nobody with other rights."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from answering.caches.normalise import normal
from answering.errors import AnsweringError
from answering.followups import Link, read
from answering.legs import LexicalAhead, VectorsAhead
from answering.resilience.shedding import Overloaded
from retrieval.access import AccessScope
from retrieval.embeddings import Vector
from retrieval.errors import RetrievalError

PAUSE = 0.15
"""Seconds without a key that count as a pause."""

SETTLED = 8
"""Chunks at the top that must be the same after two pauses."""

SHORTEST = 8
"""Characters below which a text finds anything and nothing."""

LONGEST = 1_000
PATIENCE = 1.5
"""Seconds for the work of one pause."""

MOST = 40
"""Pauses worked on for one question; whoever types on after that is served when they press Enter."""

SCOPE_KEPT = 30.0
"""Seconds that a scope is remembered for. An old one does no harm: the question computes its own, and a ranking of
another scope has another key."""


class Embeds(Protocol):
    async def embed_query(self, text: str, *, timeout: float, asked: bool = True) -> Vector: ...


class Anticipation:
    """What all connections of a process share: the caches to warm and the say of whether there is time for it."""

    def __init__(
        self,
        lexical: LexicalAhead,
        embedder: Embeds,
        vectors: VectorsAhead,
        *,
        candidates: int,
        busy: Callable[[], bool],
        on_result: Callable[[str, str], None],
        at_once: int = 4,
    ) -> None:
        self.lexical = lexical
        self.embedder = embedder
        self.vectors = vectors
        self.candidates = candidates
        self.on_result = on_result
        self._busy = busy
        self._at_once = at_once
        self._under_way = 0

    async def warm(
        self, text: str, scope: AccessScope, settled: tuple[int, ...] | None
    ) -> tuple[int, ...] | None:
        """Searches for `text`, and embeds it if its top is `settled`, that of the pause before. Returns its top, or
        None where there was no time for it."""
        if self._busy() or self._under_way >= self._at_once:
            self.on_result("typing", "shed")
            return None
        self._under_way += 1
        try:
            async with asyncio.timeout(PATIENCE):
                words = await self.lexical.search(text, scope, self.candidates, asked=False)
                top = words.chunks[:SETTLED]
                if top and top == settled:
                    vector = await self.embedder.embed_query(text, timeout=PATIENCE, asked=False)
                    await self.vectors.search(
                        vector, scope, self.candidates, timeout=PATIENCE, near=words.chunks, asked=False
                    )
                return top
        except (RetrievalError, Overloaded, TimeoutError):
            self.on_result("typing", "error")
            return None
        finally:
            self._under_way -= 1


class Typist:
    """One connection's typing. At most one piece of work at a time; a new key puts an end to it."""

    def __init__(
        self,
        anticipation: Anticipation,
        scope: Callable[[], Awaitable[AccessScope]],
        before: Callable[[str], Awaitable[Sequence[str]]],
        *,
        pause: float = PAUSE,
    ) -> None:
        """`before`: what was asked in a conversation, oldest first."""
        self._anticipation = anticipation
        self._scope, self._before = scope, before
        self._pause = pause
        self._work: asyncio.Task[None] | None = None
        self._known: tuple[float, AccessScope] | None = None
        self._told: tuple[str, Sequence[str]] = ("", ())
        self._text = ""
        self._warmed = ""
        self._top: tuple[int, ...] | None = None
        self._pauses = 0

    def typed(self, text: str, conversation: str = "") -> None:
        """Hears of the text as it now is, in a conversation or as the first of one."""
        wanted = normal(text[: LONGEST + 1])
        if wanted == self._text:
            return
        self._text = wanted
        self._stop()
        if SHORTEST <= len(wanted) <= LONGEST and self._pauses < MOST:
            self._work = asyncio.create_task(self._after_pause(wanted, conversation))

    def asked(self, text: str) -> None:
        """Hears that the question was asked, and counts whether its being typed has helped."""
        wanted = normal(text)
        if self._warmed:
            self._anticipation.on_result("typing", "used" if wanted == self._warmed else "unused")
        elif self._work is not None and not self._work.done():
            self._anticipation.on_result("typing", "late")
        if wanted != self._text:
            self._stop()
        self._text, self._warmed, self._top, self._pauses = "", "", None, 0
        self._told = ("", ())

    async def aclose(self) -> None:
        self._stop()
        if self._work is not None:
            await asyncio.wait({self._work})

    def _stop(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _after_pause(self, text: str, conversation: str) -> None:
        await asyncio.sleep(self._pause)
        self._pauses += 1
        await self._warm(text, conversation)
        if self._top is not None and self._warmed == text:
            # Nothing typed for long: that is a second pause, with the same top.
            await asyncio.sleep(self._pause)
            await self._warm(text, conversation)

    async def _warm(self, text: str, conversation: str) -> None:
        try:
            scope, sought = await self._readable(), await self._sought(text, conversation)
        except AnsweringError:
            self._anticipation.on_result("typing", "error")
            return
        top = await self._anticipation.warm(sought, scope, self._top)
        if text == self._text and top is not None:
            self._warmed, self._top = text, top

    async def _sought(self, text: str, conversation: str) -> str:
        """What will be searched for: a question that goes on, together with what it follows."""
        if conversation and self._told[0] != conversation:
            self._told = conversation, await self._before(conversation)
        reading = read(text, self._told[1] if conversation else ())
        return reading.text if reading.link is Link.CLEAR else text

    async def _readable(self) -> AccessScope:
        now = asyncio.get_running_loop().time()
        if self._known is None or now - self._known[0] > SCOPE_KEPT:
            self._known = now, await self._scope()
        return self._known[1]

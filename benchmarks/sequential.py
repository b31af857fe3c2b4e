"""The baseline: the same parts in the order of the textbook, one after another, under one timeout.

embed -> vector search -> word search -> prompt -> model. No hedge, no second upstream, no fallback: what
fails is an error to the reader, and what is slow is waited for, up to five seconds to the first token and
as long again for each token after it."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

from answering.errors import AnsweringError
from answering.parts import Parts
from answering.resilience.deadline import Deadline
from answering.store import History
from answering.streams import Chat, Upstream
from benchmarks.figures import Asked
from retrieval.access import AccessScope
from retrieval.embeddings.openai import OpenAIEmbedder
from retrieval.errors import RetrievalError

TIMEOUT = 5.0
CANDIDATES = 40


class Sequential:
    """Asks a model and an embedder of its own; all else are the product's parts."""

    def __init__(self, parts: Parts, scope: AccessScope, model: Upstream, embedder: OpenAIEmbedder) -> None:
        self._parts, self._scope = parts, scope
        self._chat, self._embedder = Chat(model), embedder

    async def aclose(self) -> None:
        await self._chat.aclose()
        await self._embedder.aclose()

    async def ask(self, asked: Asked, text: str) -> None:
        """Answers one question and notes when what came."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT) as limit:
                async for _ in self._tokens(asked, text):
                    asked.first_token = min(asked.first_token, time.monotonic())
                    limit.reschedule(loop.time() + TIMEOUT)
            asked.finish = "complete"
        except (TimeoutError, AnsweringError, RetrievalError, OSError) as error:
            asked.finish = "error" if math.isinf(asked.first_token) else "partial"
            asked.degraded.append(type(error).__name__)
        asked.usable = asked.first_token
        asked.ended = time.monotonic()
        asked.terminals += 1

    async def _tokens(self, asked: Asked, text: str) -> AsyncIterator[str]:
        parts = self._parts
        vector = await self._embedder.embed_query(text, timeout=TIMEOUT)
        meaning = await parts.vectors.search(vector, self._scope, CANDIDATES, timeout=TIMEOUT)
        words = await parts.lexical.search(text, self._scope, CANDIDATES)
        found = await parts.chooser.choose(text, self._scope, words, meaning, (), timeout=TIMEOUT)
        asked.first_citation = time.monotonic()
        messages = await parts.prompts.trimmed(text, tuple(enumerate(found.passages, 1)), History())
        stream = await self._chat.open(
            messages, max_tokens=512, deadline=Deadline.after(TIMEOUT), request_id=asked.id
        )
        try:
            async for token in stream:
                yield token
        finally:
            await stream.aclose()

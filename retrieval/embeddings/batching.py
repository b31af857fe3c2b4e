"""Concurrent calls joined into batches: whoever asks while a batch is on its way rides in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from retrieval.embeddings import Vector
from retrieval.errors import EmbeddingError, EmbeddingThrottled

Work = Callable[[Sequence[str], float], Awaitable[Sequence[Vector]]]
"""Texts and the seconds left for them -> their vectors, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A text, its future, and the loop time by which its vector is of use."""

    text: str
    vector: asyncio.Future[Vector]
    until: float


class Batcher:
    """Batches of up to `most` texts, at most `lanes` on their way at once, each gathered for `window` s.

    A local model has one lane and no window: the batch before is the window. A remote one has many lanes, so
    that nobody waits for another's round trip. Over `waiting` texts the next is refused at once."""

    def __init__(self, work: Work, *, most: int, lanes: int, window: float = 0.0, waiting: int = 256) -> None:
        self.work, self.most, self.lanes, self.window, self.waiting = work, most, lanes, window, waiting
        self.queue: list[Waiting] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.busy = 0

    async def submit(self, text: str, *, timeout: float) -> Vector:
        """The vector of `text` within `timeout` seconds. Raises EmbeddingError."""
        if len(self.queue) >= self.waiting:
            raise EmbeddingThrottled("Too many questions are waiting for the embedder.")
        loop = asyncio.get_running_loop()
        item = Waiting(text, loop.create_future(), loop.time() + timeout)
        self.queue.append(item)
        if self.busy < self.lanes:
            self.start(loop)
        try:
            async with asyncio.timeout_at(item.until):
                return await item.vector
        except TimeoutError:
            raise EmbeddingError(f"The embedder did not answer within {timeout:.3f} s.") from None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.busy += 1
        task = loop.create_task(self.drain(loop))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """One lane: batch after batch until nobody waits."""
        try:
            while self.queue:
                await asyncio.sleep(self.window)
                batch = [item for item in self.queue[: self.most] if not item.vector.done()]
                del self.queue[: self.most]
                if self.queue and self.busy < self.lanes:
                    self.start(loop)
                if batch:
                    await self.run(batch, loop)
        finally:
            self.busy -= 1  # here, not when the task is seen to be done: a text may come in between

    async def run(self, batch: list[Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """Works on one batch, and gives it up once nobody waits for it any more."""
        left = max(item.until for item in batch) - loop.time()
        work = loop.create_task(self.call([item.text for item in batch], left))

        def abandon(_: asyncio.Future[Vector]) -> None:
            if all(item.vector.done() for item in batch):
                work.cancel()

        for item in batch:
            item.vector.add_done_callback(abandon)
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            await asyncio.wait({work})
            deliver(batch, work)

    async def call(self, texts: Sequence[str], left: float) -> Sequence[Vector]:
        return await self.work(texts, left)

    async def aclose(self) -> None:
        """Stops; whoever still waits gets an EmbeddingError."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for item in self.queue:
            if not item.vector.done():
                item.vector.set_exception(EmbeddingError("The embedder was closed."))
        self.queue.clear()


def deliver(batch: Sequence[Waiting], work: asyncio.Task[Sequence[Vector]]) -> None:
    """Hands what became of `work` to those of `batch` who still wait."""
    error = EmbeddingError("The embedder was closed.") if work.cancelled() else work.exception()
    vectors = () if error else work.result()
    for place, item in enumerate(batch):
        if item.vector.done():
            continue
        if error:
            item.vector.set_exception(error)
        else:
            item.vector.set_result(vectors[place])

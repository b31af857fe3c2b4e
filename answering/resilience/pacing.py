"""Tokens to frames: the first token at once and alone, then what has come in one frame every 20 to 40 ms."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TokenPacer(Generic[T]):
    """`pacer(tokens)` is an async generator of frames; close it (`aclosing`) and `tokens` is closed too.

    `merge(earlier, later)` makes one token of two. What waits is always one merged token, so a slow reader
    gets fewer, longer frames and never a queue. An error of `tokens` follows the frames that came before
    it."""

    def __init__(self, merge: Callable[[T, T], T], *, frame: float = 0.036) -> None:
        self._merge, self._frame = merge, frame

    async def __call__(self, tokens: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        waiting: list[T] = []
        arrived = asyncio.Event()
        pump = asyncio.create_task(self._pump(tokens, waiting, arrived))
        pump.add_done_callback(lambda done: arrived.set())
        clock = asyncio.get_running_loop().time
        try:
            while True:
                await arrived.wait()
                arrived.clear()
                due = clock() + self._frame
                if waiting:
                    yield waiting.pop()
                if pump.done() and not waiting:
                    pump.result()  # raises what `tokens` raised
                    return
                # Ends early when the stream does: its last frame need not wait.
                await asyncio.wait({pump}, timeout=max(0.0, due - clock()))
        finally:
            pump.cancel()
            await asyncio.wait({pump})
            _ = pump.cancelled() or pump.exception()

    async def _pump(self, tokens: AsyncIterator[T], waiting: list[T], arrived: asyncio.Event) -> None:
        try:
            async for token in tokens:
                waiting[:] = [self._merge(waiting[0], token)] if waiting else [token]
                arrived.set()
        finally:
            if isinstance(tokens, AsyncGenerator):
                await tokens.aclose()

"""Places for requests at once, first come first served; the number can change while requests wait."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Capacity:
    """`size` places; 0 is no limit."""

    def __init__(self, size: int = 0) -> None:
        self._size = size
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def resize(self, size: int) -> None:
        self._size = size
        self._admit()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Waits for a place and holds it."""
        await self._take()
        try:
            yield
        finally:
            self._taken -= 1
            self._admit()

    async def _take(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._admit()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # admitted in the same moment: hand the place on
                self._taken -= 1
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and (not self._size or self._taken < self._size):
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._taken += 1
                waiter.set_result(None)

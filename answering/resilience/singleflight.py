"""One call for many who ask the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """The work belongs to none of its askers: one who is cancelled only leaves, and the last to leave ends
    it."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[T]] = {}
        self._askers: dict[asyncio.Task[T], int] = {}

    async def do(self, key: K, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the call of the same key that is already under way. Raises what it
        raises."""
        flight = self._flights.get(key) or self._begin(key, work)
        self._askers[flight] += 1
        try:
            return await asyncio.shield(flight)
        finally:
            self._askers[flight] -= 1
            if not self._askers[flight]:
                del self._askers[flight]
                if not flight.done():
                    self._forget(key, flight)
                    flight.cancel()
                    await asyncio.wait({flight})

    def _begin(self, key: K, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        async def call() -> T:
            return await work()

        flight = self._flights[key] = asyncio.create_task(call())
        self._askers[flight] = 0
        flight.add_done_callback(lambda done: self._forget(key, done))
        return flight

    def _forget(self, key: K, flight: asyncio.Task[T]) -> None:
        if flight.done() and not flight.cancelled():
            flight.exception()  # nobody may be left to be told
        # Not another's: after the last asker left, somebody may have begun anew under the same key.
        if self._flights.get(key) is flight:
            del self._flights[key]

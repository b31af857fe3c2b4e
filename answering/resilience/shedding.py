"""Who waits for a dependency that is full, who goes first, and who is turned away at once.

Strict priority, and first come first served within one. A wait that cannot end in time is refused at its
beginning: the asker gets the cheap answer now instead of the same one later. Prefetch and batch work never
takes the last tenth of the places, so that a question finds one free."""

import asyncio
import math
import time
from collections import deque
from enum import IntEnum
from typing import Generic, TypeVar

from .deadline import Clock, Deadline
from .observing import Observer, Silent

T = TypeVar("T")

HEADROOM = 0.1
"""Share of the places that deferrable work leaves free."""


class Priority(IntEnum):
    INTERACTIVE = 0
    API = 1
    FOLLOW_UP = 2
    PREFETCH = 3
    BATCH = 4

    @classmethod
    def named(cls, name: str) -> "Priority":
        """Raises KeyError."""
        return cls[name.upper()]

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def deferrable(self) -> bool:
        return self >= Priority.PREFETCH


def places_for(priority: Priority, limit: int) -> int:
    """How many of `limit` places work of this priority may fill."""
    return limit - math.ceil(HEADROOM * limit) if priority.deferrable else limit


class Overloaded(Exception):
    """It cannot start in time; `retry_after` in seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is at capacity, try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class WaitingRoom(Generic[T]):
    """Futures of those who wait, by priority. `rate` (places freed a second) is kept up to date by its
    owner."""

    def __init__(
        self, name: str, *, most: int = 1000, observer: Observer | None = None, clock: Clock = time.monotonic
    ) -> None:
        self.name, self.rate = name, math.inf
        self._most, self._clock = most, clock
        self._observer = observer or Silent()
        self._queues: dict[Priority, deque[asyncio.Future[T]]] = {priority: deque() for priority in Priority}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def expected(self, priority: Priority) -> float:
        """Seconds until one who came now would be called in, were nobody of higher priority to come."""
        ahead = sum(len(queue) for other, queue in self._queues.items() if other <= priority)
        return (ahead + 1) / self.rate

    def enter(self, priority: Priority, start_by: Deadline) -> asyncio.Future[T]:
        """A place in the queue; leave it in any case. Raises Overloaded."""
        if self.expected(priority) > start_by.remaining():
            raise self.shed(priority)
        if len(self) >= self._most:
            self._make_room(priority)
        place: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queues[priority].append(place)
        return place

    def leave(self, priority: Priority, place: asyncio.Future[T]) -> None:
        if place in self._queues[priority]:
            self._queues[priority].remove(place)

    def first(self) -> Priority | None:
        """The priority of whoever is next. Who has given up, and has not left yet, is nobody."""
        for queue in self._queues.values():
            while queue and queue[0].done():
                queue.popleft()
        return next((priority for priority, queue in self._queues.items() if queue), None)

    def call_in(self, priority: Priority, what: T) -> None:
        self._queues[priority].popleft().set_result(what)

    def shed(self, priority: Priority) -> Overloaded:
        """Counts it; raise what this returns."""
        self._observer.shed(priority.label)
        return Overloaded(self.name, min(max(self.expected(priority), 1.0), 30.0))

    def _make_room(self, priority: Priority) -> None:
        """The newest of the lowest priority goes, if that is lower than `priority`; else the newcomer."""
        last = max(other for other, queue in self._queues.items() if queue)
        if last <= priority:
            raise self.shed(priority)
        self._queues[last].pop().set_exception(self.shed(last))

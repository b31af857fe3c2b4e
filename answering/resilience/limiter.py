"""Places at an upstream: as many at once as `adaptive` finds that it takes, and a waiting room in front of them."""

import asyncio
import math
import time

from .adaptive import AdaptiveLimit, LimitSettings
from .deadline import Clock, Deadline
from .observing import Observer, Silent
from .shedding import Priority, WaitingRoom, places_for


class Slot:
    """A place among the calls under way; release it in any case."""

    __slots__ = ("_level", "_limiter", "_released", "_since")

    def __init__(self, limiter: "AdaptiveLimiter", since: float) -> None:
        self._limiter, self._since, self._released = limiter, since, False
        self._level = limiter.in_flight

    def first_token(self, seconds: float, size: int) -> None:
        self._limiter.adaptive.first_token(seconds, size, self._limiter.in_flight, self._level)
        self._limiter._call_in()  # it may have grown

    def gave_up(self, seconds: float, size: int) -> None:
        self._limiter.adaptive.gave_up(seconds, size)

    def throttled(self, retry_after: float) -> None:
        self._limiter.adaptive.throttled(retry_after, self._level, self._since)

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._limiter._free(self._since)


class AdaptiveLimiter:
    """Places for calls of one dependency, and the waiting room in front of them."""

    def __init__(
        self,
        name: str,
        settings: LimitSettings | None = None,
        *,
        most_waiting: int = 1000,
        observer: Observer | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.adaptive = AdaptiveLimit(settings, clock=clock)
        self.in_flight = 0
        self._clock = clock
        self._observer = observer or Silent()
        self._held = 0.0
        self._room: WaitingRoom[Slot] = WaitingRoom(name, most=most_waiting, observer=observer, clock=clock)

    @property
    def limit(self) -> int:
        return self.adaptive.value

    @property
    def waiting(self) -> int:
        return len(self._room)

    def expected_wait(self, priority: Priority) -> float:
        """Seconds until a call that came now would start; 0 when it would at once."""
        return 0.0 if self._fits(priority) else self._room.expected(priority)

    def try_acquire(self, priority: Priority) -> Slot | None:
        """A place that is free now and that nobody of the same or a higher priority waits for."""
        first = self._room.first()
        if (first is not None and first <= priority) or not self._fits(priority):
            return None
        return self._take()

    async def acquire(self, priority: Priority, start_by: Deadline) -> Slot:
        """Raises Overloaded, at once where the wait is hopeless."""
        if slot := self.try_acquire(priority):
            return slot
        place, slot = self._room.enter(priority, start_by), None
        try:
            async with asyncio.timeout_at(start_by.at):
                slot = await place
                return slot
        except TimeoutError:
            raise self._room.shed(priority) from None
        finally:
            self._room.leave(priority, place)
            if slot is None and place.done() and not place.cancelled() and not place.exception():
                place.result().release()  # called in and cancelled in the same moment

    def _fits(self, priority: Priority) -> bool:
        return self.in_flight < places_for(priority, self.limit)

    def _take(self) -> Slot:
        self.in_flight += 1
        self._report()
        return Slot(self, self._clock())

    def _free(self, since: float) -> None:
        self.in_flight -= 1
        held = self._clock() - since
        self._held += (held - self._held) * (0.1 if self._held else 1.0)
        self._room.rate = self.limit / self._held if self._held else math.inf
        self._call_in()
        self._report()

    def _call_in(self) -> None:
        while (priority := self._room.first()) is not None and self._fits(priority):
            self._room.call_in(priority, self._take())

    def _report(self) -> None:
        self._observer.limit(self.name, self.limit, self.in_flight)

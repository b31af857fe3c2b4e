"""How late this process' event loop is: whether a wait was long because of what was waited for, or because of us.

Where the machine has too little processor time, every answer seems to come late: it lies there and nobody looks. A
dependency whose calls time out meanwhile is no worse than before, and to leave it alone helps nobody. A timer that
is due fifty times a second tells how late it comes. On a machine that answers 24 questions a second it was late for
up to a quarter of any second; with twelve other processes that compute all the time, for more than half of it, and
for 45 % and more of nine in ten waits that ended in a time-out."""

import asyncio
import time
from collections import deque

from .deadline import Clock

TICK = 0.02
"""Seconds between two looks; shorter delays matter to no budget."""

KEPT = 30.0
"""Seconds that are remembered."""

OURS = 0.3
"""Share of a wait for which the loop was late, from which on the wait says nothing of what was waited for."""


class Lateness:
    """On time until `begin`, which starts to look on the running loop."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._late: deque[tuple[float, float]] = deque(maxlen=round(KEPT / TICK))
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._due = self._clock() + TICK
        self._timer = asyncio.get_running_loop().call_later(TICK, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = None

    def since(self, at: float) -> float:
        """Seconds since `at` for which the loop was late."""
        if self._due is None:
            return 0.0
        late = max(0.0, self._clock() - max(at, self._due))  # the next look may be overdue itself
        for then, seconds in reversed(self._late):
            if then <= at:
                break
            late += min(seconds, then - at)
        return late

    def share(self, seconds: float) -> float:
        """Of the last `seconds`, how much the loop was late."""
        return self.since(self._clock() - seconds) / seconds

    def explains(self, began: float) -> bool:
        """Whether a wait that began then, and has just failed, says nothing of what was waited for."""
        return self.since(began) >= max(OURS * (self._clock() - began), TICK)

    def _look(self) -> None:
        now, due = self._clock(), self._due
        if due is not None:
            self._late.append((now, now - due))
            self.begin()

"""Notices within a second that a dependency says nothing any more.

A breaker counts results, and a call that hangs has none until its timeout: with a budget of 3 s, three
seconds of questions are lost before it trips. But when several calls have waited longer than is usual and
not one of any has brought a first token meanwhile, that is no accident: four calls each beyond the 75th
percentile happen once in 256, and a pause six times as long as those between first tokens once in 400."""

import time
from itertools import count, islice

from .deadline import Clock

PAUSES = 6.0
"""Times the mean pause between two first tokens that a silence is longer."""

LONGEST = 2.0
"""Seconds. A longer pause was for want of questions."""

LEARNING = 0.1


class Pulse:
    """`waiting` calls older than `quiet` seconds and no beat since: silent."""

    def __init__(self, *, waiting: int = 4, quiet: float = 0.6, clock: Clock = time.monotonic) -> None:
        self._needed, self._quiet, self._clock = waiting, quiet, clock
        self._keys = count()
        self._waiting: dict[int, float] = {}  # in order of their start
        self._beat = self._heard = clock()
        self._pause = 0.0

    def start(self) -> int:
        """A call begins to wait; its key."""
        key = next(self._keys)
        self._waiting[key] = self._clock()
        return key

    def beat(self, key: int) -> None:
        """The call's first token is here."""
        now = self._clock()
        self._pause += LEARNING * (min(now - self._beat, LONGEST) - self._pause)
        self._beat = now
        self.stop(key)

    def sign_of_life(self) -> None:
        """A call that has its first token has another one: who speaks to some is full, rather than dead."""
        self._heard = self._clock()

    def stop(self, key: int) -> None:
        """The call waits no longer, for whatever reason."""
        self._waiting.pop(key, None)

    def silent(self, usual: float = 0.0) -> bool:
        """`usual`: seconds that most calls take, where that is longer than `quiet`."""
        before = self._clock() - max(self._quiet, usual, PAUSES * self._pause)
        late = next(islice(self._waiting.values(), self._needed - 1, None), None)
        return max(self._beat, self._heard) <= before and late is not None and late <= before

    def unproven(self, late: float) -> bool:
        """So many wait already and none has been answered for `late` seconds: it may be silent, and more should not
        be sent its way before that is known."""
        return len(self._waiting) >= self._needed and self._beat <= self._clock() - late

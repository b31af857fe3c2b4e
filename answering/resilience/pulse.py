"""Notices within a second that a dependency says nothing any more.

A breaker counts results, and a call that hangs has none until its timeout: with a budget of 3 s, three
seconds of questions are lost before it trips. But when several calls have waited longer than is usual and
not one of any has brought a first token meanwhile, that is no accident: four calls each beyond the 75th
percentile happen once in 256."""

import time
from itertools import count, islice

from .deadline import Clock


class Pulse:
    """`waiting` calls older than `quiet` seconds and no beat since: silent."""

    def __init__(self, *, waiting: int = 4, quiet: float = 0.8, clock: Clock = time.monotonic) -> None:
        self._needed, self._quiet, self._clock = waiting, quiet, clock
        self._keys = count()
        self._waiting: dict[int, float] = {}  # in order of their start
        self._beat = clock()

    def start(self) -> int:
        """A call begins to wait; its key."""
        key = next(self._keys)
        self._waiting[key] = self._clock()
        return key

    def beat(self, key: int) -> None:
        """The call's first token is here."""
        self._beat = self._clock()
        self.stop(key)

    def stop(self, key: int) -> None:
        """The call waits no longer, for whatever reason."""
        self._waiting.pop(key, None)

    def silent(self, usual: float = 0.0) -> bool:
        """`usual`: seconds that most calls take, where that is longer than `quiet`."""
        before = self._clock() - max(self._quiet, usual)
        late = next(islice(self._waiting.values(), self._needed - 1, None), None)
        return self._beat <= before and late is not None and late <= before

"""How many calls an upstream takes at once, found out while it works.

Too few waste it, too many only lengthen its queue. Two signs say that it is full: 429, and first tokens that
take longer than usual. "Usual" is learnt per size of prompt, for a long prompt takes longer on an idle
server, and only while less than half of the limit is in use: what is slow then is not slow because of us.
The median of a window is compared, not the mean, and the more the latencies scatter the longer the window: a
heavy tail is not congestion.

The limit doubles until the first sign, then grows by its square root a window and, beyond where it last met a
sign (the wall), by one at a time. Congestion takes a part of it away; a 429 makes it what was taken at once lately,
the known-good: 429s that come by chance, or for the minute's quota, say nothing of how many at once."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .deadline import Clock

ALONE = 2
"""Calls at once that no upstream is slow because of."""

FIRST = 6
"""Samples of a size from which its usual latency is known well enough to begin with."""

SCATTERED = 0.7

LEARNING = 0.05
FORGETTING = 0.01 / 60
"""A share per sample, and per second."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`tolerance`: how many times the usual first-token latency means congestion. Times in seconds."""

    initial: int = 12
    floor: int = 2
    ceiling: int = 1000
    tolerance: float = 1.5
    backoff: float = 0.9
    cooldown: float = 0.5
    wall_step: float = 2.0
    wall_memory: float = 60.0
    known_for: float = 10.0
    exhausted_after: int = 6


class AdaptiveLimit:
    """The number itself: fed with first-token latencies and 429s."""

    def __init__(self, settings: LimitSettings | None = None, *, clock: Clock = time.monotonic) -> None:
        self._is = settings or LimitSettings()
        self._clock = clock
        self._limit = float(max(self._is.initial, self._is.floor))
        self._usual: dict[int, float] = {}
        self._first: dict[int, list[float]] = {}
        self._scatter = 0.1  # mean absolute log ratio of uncongested latencies
        self._ratios: list[float] = []
        self._limited = False
        self._starting = True
        self._window_at = clock()
        self._wall, self._wall_at, self._refused = math.inf, clock(), False
        self._cut_at = self._stepped_at = clock() - self._is.wall_memory
        self._still_until = clock()
        self._throttled_in_a_row = 0
        self._throttled_at = -math.inf
        self._taken: deque[tuple[float, int]] = deque(maxlen=200)
        self._good: deque[tuple[float, int]] = deque(maxlen=200)

    @property
    def value(self) -> int:
        return int(self._limit)

    @property
    def exhausted(self) -> bool:
        """Nothing but 429s, one after the other: this is not a matter of how many at once."""
        return self._throttled_in_a_row >= self._is.exhausted_after

    def first_token(self, seconds: float, size: int, in_flight: int, level: int | None = None) -> None:
        """A first token after `seconds`, for a prompt of class `size`, with `in_flight` calls under way; when it
        was asked for there were `level`."""
        self._throttled_in_a_row = 0
        level = in_flight if level is None else level
        self._taken.append((self._clock(), level))
        if self._refused and level > self._wall:
            self._wall = math.inf  # that more were refused was chance
        unhurried = level <= max(self._limit / 2, ALONE)
        usual = self._usual.get(size)
        if usual is None:
            if level <= max(self._limit, self._is.initial) / 2:
                self._begin(size, seconds)
            return
        ratio = max(seconds, 1e-6) / usual
        if ratio <= self._is.tolerance:
            self._good.append((self._clock(), level))
        if unhurried:
            self._learn(size, ratio)
        self._limited = self._limited or in_flight >= self.value
        if self._starting and ratio <= self._tolerated and in_flight >= self.value:
            self._grow(1)
        self._note(ratio)

    def gave_up(self, seconds: float, size: int) -> None:
        """No first token came within `seconds`, which is a sign of congestion like one that took as long."""
        if usual := self._usual.get(size):
            self._note(max(seconds, 1e-6) / usual)

    def throttled(self, retry_after: float, level: int, since: float | None = None) -> None:
        """A 429 to a call that came, at `since`, as the `level`th at once. It does not grow again before
        `retry_after`.

        All but this one were taken, or as many as were taken lately, so that is the limit now. What was under way
        already when another one came back with 429 tells nothing new."""
        now = self._clock()
        if since is not None and since < self._throttled_at:
            return
        self._throttled_in_a_row += 1
        self._throttled_at = now
        self._still_until = max(self._still_until, now + min(retry_after, self._is.wall_memory))
        # Not the most: a place may have been free again, and its 429 not yet here.
        known = self._lately(self._taken, 0.75)
        self._limit = max(float(self._is.floor), min(self._limit, max(level - 1.0, known)))
        self._starting = False
        self._stepped_at = self._wall_at = now
        self._wall, self._refused = self._limit, True

    def _note(self, ratio: float) -> None:
        self._ratios.append(ratio)
        if len(self._ratios) >= self._enough():
            self._end_window()

    def _begin(self, size: int, seconds: float) -> None:
        """The first few of a size: one alone may be ten times too quick or too slow. The quick ones are back first, so
        what is usual is nearer to the slowest of them."""
        first = self._first.setdefault(size, [])
        first.append(max(seconds, 1e-6))
        if len(first) == FIRST:
            usual = self._usual[size] = sorted(first)[-2]
            self._scatter = max(self._scatter, sum(abs(math.log(one / usual)) for one in first) / FIRST)
            first.clear()

    def _learn(self, size: int, ratio: float) -> None:
        """Moves the usual latency towards the median: each sample a step up or down, whatever its size."""
        step = LEARNING if ratio > 1 else -LEARNING if ratio < 1 else 0.0
        self._usual[size] *= math.exp(step)
        self._scatter += LEARNING * (abs(math.log(ratio)) - self._scatter)

    def _relearn(self, typical: float) -> None:
        """Under load what is quicker than usual was no usual; and what is slower may be so for good, but
        that is believed only over hours, or congestion would become usual."""
        factor = typical**0.3 if typical < self._tolerated**-0.7 else 1.0
        factor *= math.exp(FORGETTING * (self._clock() - self._window_at))
        self._usual = {size: usual * factor for size, usual in self._usual.items()}

    def _enough(self) -> int:
        """Samples whose median strays to the tolerance by chance once in about a hundred windows."""
        return min(max(10, math.ceil((5 * self._scatter / math.log(self._tolerated)) ** 2)), 100)

    @property
    def _tolerated(self) -> float:
        """The more the latencies scatter, the less is known of what is usual."""
        return self._is.tolerance * math.exp(SCATTERED * self._scatter)

    def _end_window(self) -> None:
        typical, limited = median(self._ratios), self._limited
        self._relearn(typical)
        self._ratios.clear()
        self._limited, self._window_at = False, self._clock()
        if typical > self._tolerated:
            self._cut(max(0.7, min(self._is.backoff, self._tolerated / typical)))
        elif limited and typical < (1 + self._tolerated) / 2:
            self._grow(math.sqrt(self._limit))

    def _grow(self, by: float) -> None:
        now = self._clock()
        if now < self._still_until:
            return
        if now - self._wall_at > self._is.wall_memory:
            self._wall = math.inf
        if self._limit + by > self._wall:
            if now - self._stepped_at < self._is.wall_step:
                return
            by, self._stepped_at = 1.0, now
        self._limit = min(self._limit + by, self._is.ceiling)

    def _cut(self, factor: float) -> None:
        self._starting = False
        now = self._clock()
        # One congestion shows in many calls; they cost one cut.
        if now - self._cut_at < self._is.cooldown:
            return
        self._cut_at = self._stepped_at = self._wall_at = now
        self._ratios.clear()
        # Never below the known-good: so many at once were answered as quickly as usual a moment ago.
        known = min(self._limit, self._lately(self._good, 0.9))
        self._limit = max(float(self._is.floor), known, self._limit * factor)
        self._wall, self._refused = self._limit, False

    def _lately(self, levels: Sequence[tuple[float, int]], share: float) -> int:
        """The quantile of the levels that were noted in the last seconds; 0 where there were none."""
        now = self._clock()
        found = sorted(level for at, level in levels if now - at < self._is.known_for)
        return found[int(share * (len(found) - 1))] if found else 0

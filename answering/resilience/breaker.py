"""A circuit breaker: stop calling a dependency that is down, and notice when it is back.

closed     calls pass; so many failures in a row, or such a share of the window's calls, open it
open       nothing passes until the open time is over; it doubles with each trip, up to a cap, with jitter
half_open  exactly one call passes, the probe: its success closes, its failure opens again

Each admitted call holds a `Call`, so that the result of one that began before a trip cannot decide the
probe's question, and a cancelled probe frees its place. A probe that never reports loses its place after
`probe_seconds`: the breaker cannot wedge open.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .deadline import Clock
from .observing import State


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Times in seconds. With `slow_after`, a success that took longer counts as a failure."""

    consecutive: int = 5
    failure_rate: float = 0.5
    minimum_calls: int = 10
    window: float = 30.0
    window_calls: int = 200
    open_seconds: float = 1.0
    open_cap: float = 30.0
    jitter: float = 0.2
    probe_seconds: float = 30.0
    slow_after: float | None = None


class Call:
    """One admitted call. The first report counts, later ones do nothing."""

    __slots__ = ("_breaker", "_epoch", "_reported", "started")

    def __init__(self, breaker: "Breaker", epoch: int, started: float) -> None:
        self._breaker, self._epoch, self.started, self._reported = breaker, epoch, started, False

    def succeed(self) -> None:
        if self._first_report():
            self._breaker._settle(self, 0.0)

    def fail(self, retry_after: float = 0.0, *, weight: float = 1.0) -> None:
        """`retry_after`: the dependency asked to be left alone for so many seconds. `weight`: what it counts in a row
        of failures; infinite where no second opinion is needed, less than 1 where it may be chance."""
        if self._first_report():
            self._breaker._settle(self, weight, retry_after)

    def abandon(self) -> None:
        """The call was cancelled or says nothing of the dependency."""
        if self._first_report():
            self._breaker._leave(self)

    def _first_report(self) -> bool:
        first, self._reported = not self._reported, True
        return first


class Breaker:
    def __init__(
        self,
        name: str,
        thresholds: Thresholds | None = None,
        *,
        clock: Clock = time.monotonic,
        rand: Callable[[], float] = random.random,
        on_change: Callable[[str, State], None] = lambda name, state: None,
    ) -> None:
        self.name = name
        self._is = thresholds or Thresholds()
        self._clock, self._rand, self._on_change = clock, rand, on_change
        self._state: State = "closed"
        self._epoch = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=self._is.window_calls)
        self._in_a_row = 0.0
        self._trips = 0
        self._closed_at = clock()
        self._opened_at = self._open_until = self._asked_until = 0.0
        self._probe: Call | None = None

    @property
    def state(self) -> State:
        return self._state

    @property
    def retry_after(self) -> float:
        """Seconds until a probe may pass; 0 when calls pass or may be tried."""
        return max(0.0, self._open_until - self._clock()) if self._state == "open" else 0.0

    @property
    def probe_due(self) -> bool:
        """Not closed, and `start` would hand out the probe's place now."""
        if self._state == "open":
            return self.retry_after == 0.0
        return self._state == "half_open" and not self._probing()

    def start(self) -> Call | None:
        """A call that must report, or None: do not call."""
        now = self._clock()
        if self._state == "closed":
            return Call(self, self._epoch, now)
        if not self.probe_due:
            return None
        if self._state == "open":
            self._become("half_open")
        self._epoch += 1  # a lost probe's late report must not count
        self._probe = Call(self, self._epoch, now)
        return self._probe

    def trip(self) -> None:
        """Open a closed breaker on evidence other than a call's result."""
        if self._state == "closed":
            self._open()

    def hasten(self, seconds: float) -> None:
        """Where nothing takes its place: be open for so long at most, if not asked for more."""
        if self._state == "open":
            self._open_until = min(self._open_until, max(self._opened_at + seconds, self._asked_until))

    def _probing(self) -> bool:
        return self._probe is not None and self._clock() - self._probe.started < self._is.probe_seconds

    def _leave(self, call: Call) -> None:
        if call is self._probe:
            self._probe = None

    def _settle(self, call: Call, weight: float, retry_after: float = 0.0) -> None:
        """`weight` of the failure, 0 of a success."""
        if call._epoch != self._epoch:
            return
        self._leave(call)
        if self._is.slow_after is not None and self._clock() - call.started > self._is.slow_after:
            weight = max(weight, 1.0)
        if self._state == "half_open" and not weight:
            self._close()
        elif self._state == "half_open" or (self._state == "closed" and self._too_many(weight)):
            self._open(retry_after)

    def _too_many(self, weight: float) -> bool:
        """Records a result; whether it is time to open."""
        now, failed = self._clock(), weight > 0
        self._recent.append((now, failed))
        while self._recent[0][0] < now - self._is.window:
            self._recent.popleft()
        self._in_a_row = self._in_a_row + weight if failed else 0.0
        if not failed:
            if now - self._closed_at > self._is.window:
                self._trips = 0
            return False
        calls, failures = len(self._recent), sum(failed for _, failed in self._recent)
        return self._in_a_row >= self._is.consecutive or (
            calls >= self._is.minimum_calls and failures >= self._is.failure_rate * calls
        )

    def _open(self, at_least: float = 0.0) -> None:
        self._trips += 1
        # The exponent is bounded only so that a year of outage does not overflow.
        seconds = self._is.open_seconds * 2.0 ** min(self._trips - 1, 30)
        seconds *= 1 + self._is.jitter * (2 * self._rand() - 1)
        self._opened_at = self._clock()
        self._asked_until = self._opened_at + min(at_least, self._is.open_cap)
        self._open_until = max(self._opened_at + min(seconds, self._is.open_cap), self._asked_until)
        self._become("open")

    def _close(self) -> None:
        self._closed_at = self._clock()
        self._become("closed")

    def _become(self, state: State) -> None:
        self._state = state
        self._epoch += 1
        self._probe = None
        self._recent.clear()
        self._in_a_row = 0.0
        self._on_change(self.name, state)

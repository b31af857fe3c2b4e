"""One absolute point in time by which a run ends. Budgets are caps inside it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """`at` is in seconds of `clock`: monotonic and, by default, the event loop's, for
    `asyncio.timeout_at`."""

    at: float
    clock: Clock = field(default=time.monotonic, repr=False, compare=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.clock())

    @property
    def expired(self) -> bool:
        return self.clock() >= self.at

    def capped(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and `seconds` from now: a stage's budget inside the run's deadline."""
        return Deadline(min(self.at, self.clock() + seconds), self.clock)

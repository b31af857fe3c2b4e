"""What a simulated upstream counts: calls by kind and fate, how many at once, and each request's times."""

import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

MOST_REMEMBERED = 50_000


@dataclass(slots=True)
class Call:
    """One request. Times are of the monotonic clock, which all processes of a machine share on Linux."""

    kind: str
    arrived: float
    fate: str = "ok"
    first_byte: float | None = None
    ended: float | None = None
    cancelled: bool = False
    tokens: int = 0

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Call.__slots__}


@dataclass(slots=True)
class Tally:
    """Counts by kind of request; `cancelled` are calls whose client left before the end."""

    calls: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    max_in_flight: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    requests: OrderedDict[str, list[Call]] = field(default_factory=OrderedDict)

    def attempts(self, kind: str, key: str) -> int:
        """How many requests of this kind bore this id."""
        return sum(call.kind == kind for call in self.requests.get(key, ()))

    @contextmanager
    def call(self, kind: str, key: str) -> Iterator[Call]:
        """Counts one request while it is under way."""
        call = Call(kind, time.monotonic())
        self.requests.setdefault(key, []).append(call)
        while len(self.requests) > MOST_REMEMBERED:
            self.requests.popitem(last=False)
        self.calls[kind] += 1
        self.in_flight[kind] += 1
        self.max_in_flight[kind] = max(self.max_in_flight[kind], self.in_flight[kind])
        call.cancelled = True
        try:
            yield call
            call.cancelled = False
        finally:
            call.ended = time.monotonic()
            self.in_flight[kind] -= 1
            self.fates[call.fate] += 1
            self.cancelled[kind] += call.cancelled

    def reset(self) -> None:
        """Forgets everything but what is in flight."""
        for counts in (self.calls, self.fates, self.cancelled, self.max_in_flight):
            counts.clear()
        self.max_in_flight.update(self.in_flight)
        self.requests.clear()
        self.texts = 0

    def as_json(self, *, requests: bool = True) -> dict[str, Any]:
        result: dict[str, Any] = {
            name: dict(getattr(self, name))
            for name in ("calls", "fates", "cancelled", "in_flight", "max_in_flight")
        }
        result["texts"] = self.texts
        if requests:
            result["requests"] = {
                key: [call.as_json() for call in calls] for key, calls in self.requests.items()
            }
        return result

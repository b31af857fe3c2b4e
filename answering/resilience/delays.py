"""When a call is late: quantiles of what first tokens took lately."""

import math
from bisect import bisect_left, insort
from collections import deque

MARGIN = 1.25
"""How many times the median latency is late at the earliest."""

MOST, STUCK = 0.85, 2.0
"""What takes so many times as long as so many of all calls is late at the latest: where one in ten never says anything,
the slowest twentieth tells nothing of those that do."""


class Window:
    """Quantiles of the last `size` samples."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, value: float) -> None:
        self._order.append(value)
        insort(self._sorted, value)
        if len(self._order) > self._size:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]

    def __len__(self) -> int:
        return len(self._sorted)

    def quantile(self, share: float) -> float:
        return self._sorted[min(len(self._sorted) - 1, math.ceil(share * len(self._sorted)))]


class HedgeDelay:
    """How long to wait for a dependency's first token before asking elsewhere, by size of the prompt. In
    seconds.

    `floor` until there are `enough` samples, and never less; `ceiling` should leave the hedge half of the
    budget. A size with few samples of its own borrows from all."""

    def __init__(
        self,
        quantile: float = 0.95,
        *,
        floor: float = 0.150,
        ceiling: float = 1.5,
        window: int = 300,
        enough: int = 8,
    ) -> None:
        self._quantile, self._floor, self._ceiling = quantile, floor, ceiling
        self._size, self._enough = window, enough
        self._windows: dict[tuple[str, int | None], Window] = {}

    def observe(self, dependency: str, size: int, seconds: float) -> None:
        """`seconds` to the first token, or so far where the call was cancelled because its hedge was
        faster."""
        for key in ((dependency, size), (dependency, None)):
            self._windows.setdefault(key, Window(self._size)).add(seconds)

    def quantile(self, dependency: str, size: int, share: float) -> float | None:
        """None: too little is known."""
        for key in ((dependency, size), (dependency, None)):
            window = self._windows.get(key)
            if window and len(window) >= self._enough:
                return window.quantile(share)
        return None

    def delay(self, dependency: str, size: int = 0) -> float:
        shares = (self._quantile, MOST, 0.5)
        late, most, usual = (self.quantile(dependency, size, share) for share in shares)
        if late is None or most is None or usual is None:
            return self._floor
        # Where all calls take about as long, the slowest twentieth is not late.
        return min(max(min(late, STUCK * most), MARGIN * usual, self._floor), self._ceiling)

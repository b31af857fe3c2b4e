"""A least-recently-used cache in the process, bounded in bytes and in age."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """For one event loop: no locks. `size_of` gives a value's bytes; a value over the whole bound is not
    kept."""

    def __init__(
        self,
        *,
        most_bytes: int,
        ttl: float,
        size_of: Callable[[V], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._ttl = ttl
        self._size_of = size_of
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, int, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= self._clock():
            self.drop(key)
            return None
        self._kept.move_to_end(key)
        return found[2]

    def put(self, key: K, value: V) -> None:
        self.drop(key)
        size = self._size_of(value)
        if size > self.most_bytes:
            return
        self._kept[key] = (self._clock() + self._ttl, size, value)
        self.bytes += size
        while self.bytes > self.most_bytes:
            self.drop(next(iter(self._kept)))

    def drop(self, key: K) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self.bytes -= dropped[1]

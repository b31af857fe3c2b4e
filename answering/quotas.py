"""How many questions a user may ask a minute: counted in Redis for all processes together, in a moving
window.

Without Redis each process counts for itself: a reader is not turned away because a counter is."""

import asyncio
import logging
import time
from collections import deque

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from answering.errors import QuotaExceeded
from answering.resilience.deadline import Clock

logger = logging.getLogger("answering")

PATIENCE = 0.1
"""Seconds that Redis has for an answer: the count stands in every question's way."""
MINUTE = 60.0


class Quotas:
    """`per_minute` questions for each user; 0 is no limit. `redis` is the process's own client."""

    def __init__(self, redis: Redis, per_minute: int, *, patience: float = PATIENCE) -> None:
        self._per_minute, self._patience = per_minute, patience
        self._item = RateLimitItemPerMinute(per_minute or 1)
        # The pool is what counts; the address is only there because the library parses one.
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="quota",
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]
        )
        self._shared = MovingWindowRateLimiter(storage)
        self._own = OwnCount(per_minute)
        self._lost = False

    async def spend(self, user: int) -> None:
        """Counts a question. Raises QuotaExceeded."""
        if not self._per_minute:
            return
        try:
            async with asyncio.timeout(self._patience):
                wait = await self._wait(str(user))
            self._lost = False
        except (RedisError, OSError, TimeoutError) as error:
            if not self._lost:
                self._lost = True
                logger.warning("quotas are counted in this process alone", extra={"cause": repr(error)})
            wait = self._own.spend(user)
        if wait > 0:
            raise QuotaExceeded(wait)

    async def _wait(self, user: str) -> float:
        if await self._shared.hit(self._item, user):
            return 0.0
        stats = await self._shared.get_window_stats(self._item, user)
        wait = stats.reset_time - time.time()
        if wait > MINUTE:  # the clock was set back: what was counted is of the future
            await self._shared.clear(self._item, user)
            return 0.0 if await self._shared.hit(self._item, user) else 1.0
        return max(1.0, wait)


class OwnCount:
    """The moving window of one process, for the `most_users` that asked last."""

    def __init__(self, per_minute: int, *, most_users: int = 10_000, clock: Clock = time.monotonic) -> None:
        self._per_minute, self._most_users, self._clock = per_minute, most_users, clock
        self._asked: dict[int, deque[float]] = {}

    def spend(self, user: int) -> float:
        """Seconds to wait; 0: counted."""
        now = self._clock()
        asked = self._asked.pop(user, deque())
        self._asked[user] = asked  # the last to ask is the last to be forgotten
        while asked and asked[0] <= now - MINUTE:
            asked.popleft()
        if len(asked) >= self._per_minute:
            return asked[0] + MINUTE - now
        asked.append(now)
        if len(self._asked) > self._most_users:
            del self._asked[next(iter(self._asked))]
        return 0.0

"""Bytes in Redis that nothing depends on: a look-up that fails or takes long is a miss, never an error."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PATIENCE = 0.05
"""Seconds. What is cached here takes less time to make than a longer wait would."""

REST = 5.0
"""Seconds without a try after a failure, so that an outage costs one wait and not one a question."""


class RemoteBytes:
    """A bounded-age store of bytes over a shared Redis client. Says once when Redis goes, and once when it is
    back."""

    def __init__(
        self, redis: Redis | None, *, prefix: str, ttl: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._ttl = ttl
        self._clock = clock
        self._resting_until = 0.0
        self._gone = False

    async def get(self, key: bytes) -> tuple[bytes | None, bool]:
        """(value, whether Redis answered)."""
        value: bytes | None = None
        answered = False
        if self._redis is not None and self._awake():
            async with self._guarded():
                found = await self._redis.get(self._name(key))
                value = found if isinstance(found, bytes) else None
                answered = True
                self._back()
        return value, answered

    async def put(self, key: bytes, value: bytes) -> None:
        if self._redis is not None and self._awake():
            async with self._guarded():
                await self._redis.set(self._name(key), value, ex=self._ttl)
                self._back()

    def _name(self, key: bytes) -> str:
        return f"{self._prefix}:{key.hex()}"

    def _awake(self) -> bool:
        return self._clock() >= self._resting_until

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            self._resting_until = self._clock() + REST
            if not self._gone:
                logger.warning("Redis does not answer (%s); going on without its cache", type(error).__name__)
            self._gone = True

    def _back(self) -> None:
        if self._gone:
            logger.warning("Redis is back")
        self._gone = False

"""The client of Redis, and how long an answer of it is waited for."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from redis.asyncio import Redis

T = TypeVar("T")

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0


def make_redis(url: str) -> Redis:
    """Every call needs a timeout around it: this client has none of its own. With one it sends through
    `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that comes as the sending ends, as may be where
    the event loop is busy; then the caller's timeout passes unheard, and a Redis that hangs holds the question up."""
    return Redis.from_url(url, protocol=2, socket_timeout=None, socket_connect_timeout=CONNECT_SECONDS)


async def answered(call: Awaitable[T]) -> T:
    """The answer of a call that no question waits for. Raises TimeoutError, which is an OSError."""
    async with asyncio.timeout(ANSWER_SECONDS):
        return await call

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


async def answered(call: Awaitable[T], seconds: float = ANSWER_SECONDS) -> T:
    """The answer of a call that nobody waits for. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        return await call

"""Open-loop arrivals: questions come when they come, whether or not the last one was answered."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def poisson(rate: float, count: int, *, seed: int) -> Iterator[float]:
    """The times, in seconds from the start, of `count` arrivals at `rate` a second."""
    chance = random.Random(seed)
    at = 0.0
    for _ in range(count):
        at += chance.expovariate(rate)
        yield at


async def drive(
    items: Sequence[Item], times: Sequence[float], ask: Callable[[Item], Awaitable[None]]
) -> None:
    """Calls `ask` with each item at its time, and returns when all calls have ended."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for item, at in zip(items, times, strict=True):
            await asyncio.sleep(start + at - loop.time())
            group.create_task(_one(ask, item))


async def _one(ask: Callable[[Item], Awaitable[None]], item: Item) -> None:
    await ask(item)

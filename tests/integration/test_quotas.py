"""Questions a minute and user, counted by a real Redis; without one, by the process."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from answering.api import error_response
from answering.errors import QuotaExceeded
from answering.quotas import MINUTE, OwnCount, Quotas
from answering.redis_client import make_redis
from tests.servers import listening

OWNER, STRANGER = 1, 2
PATIENT = 10.0
"""Seconds: a busy machine must not look like a Redis that is gone."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def no_redis() -> AsyncIterator[Redis]:
    with closing(socket.socket()) as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        client = Redis.from_url(f"redis://127.0.0.1:{taken.getsockname()[1]}")
        yield client
        await client.aclose()


def somebody() -> int:
    return uuid4().int >> 80


async def refused(quotas: Quotas, user: int) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as error:
        await quotas.spend(user)
    return error.value


async def test_who_asks_too_often_is_told_when_to_come_back(redis: Redis) -> None:
    quotas, user = Quotas(redis, 3, patience=PATIENT), somebody()
    for _ in range(3):
        await quotas.spend(user)
    assert 1 <= (await refused(quotas, user)).retry_after <= 60


async def test_a_clock_that_was_set_back_turns_nobody_away(redis: Redis) -> None:
    quotas, user = Quotas(redis, 1, patience=PATIENT), somebody()
    await quotas.spend(user)
    (counted,) = await redis.keys(f"quota*{user}*")
    await redis.lset(counted, 0, str(float(await redis.lindex(counted, 0)) + 86_400))
    await quotas.spend(user)
    await refused(quotas, user)


async def test_users_do_not_pay_for_each_other(redis: Redis) -> None:
    quotas, user = Quotas(redis, 1, patience=PATIENT), somebody()
    await quotas.spend(user)
    await quotas.spend(somebody())
    await refused(quotas, user)


async def test_all_processes_count_together(redis: Redis, redis_url: str) -> None:
    other, user = Redis.from_url(redis_url), somebody()
    await Quotas(redis, 2, patience=PATIENT).spend(user)
    await Quotas(other, 2, patience=PATIENT).spend(user)
    await refused(Quotas(redis, 2, patience=PATIENT), user)
    await other.aclose()


async def test_questions_at_the_same_moment_are_all_counted(redis: Redis) -> None:
    quotas, user = Quotas(redis, 5, patience=PATIENT), somebody()
    results = await asyncio.gather(*(quotas.spend(user) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(result, QuotaExceeded) for result in results) == 7


async def test_no_quota_is_no_limit(no_redis: Redis) -> None:
    for _ in range(100):
        await Quotas(no_redis, 0).spend(OWNER)


async def test_without_redis_the_process_counts_and_says_so_once(
    no_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    quotas = Quotas(no_redis, 3)
    with caplog.at_level(logging.WARNING, logger="answering"):
        for _ in range(3):
            await quotas.spend(OWNER)
        await refused(quotas, OWNER)
        await quotas.spend(STRANGER)
    assert [record.message for record in caplog.records] == ["quotas are counted in this process alone"]


async def test_a_redis_that_hangs_does_not_hold_the_question_up(redis: Redis) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def keep_busy() -> None:
        for _ in range(12):
            turn = loop.time() + 0.02
            while loop.time() < turn:
                pass
            await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    async with listening(hang) as (host, port):
        client = make_redis(f"redis://{host}:{port}")
        for patience in (0.02, 0.05, 0.08):  # it may be over while the event loop is at something else
            busy = asyncio.create_task(keep_busy())
            async with asyncio.timeout(5):
                await Quotas(client, 1, patience=patience).spend(OWNER)
            await busy
        await client.aclose()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_own_window_moves() -> None:
    clock = Clock()
    count = OwnCount(2, clock=clock)
    assert count.spend(OWNER) == 0
    clock.now = 30
    assert count.spend(OWNER) == 0
    assert count.spend(OWNER) == pytest.approx(30)
    clock.now = MINUTE
    assert count.spend(OWNER) == 0
    assert count.spend(OWNER) == pytest.approx(30)


def test_the_own_count_remembers_a_bounded_number_of_users() -> None:
    count = OwnCount(1, most_users=10)
    for user in range(100):
        count.spend(user)
    assert len(count._asked) == 10
    assert count.spend(99) > 0


def test_who_waits_as_long_as_was_said_may_ask_again() -> None:
    told = error_response(429, "quota_exceeded", str(QuotaExceeded(58.2)), 58.2)
    assert told["Retry-After"] == "59"
    assert b"in 59 s" in told.content

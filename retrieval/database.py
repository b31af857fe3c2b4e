"""The question path's way to Postgres: a pool of psycopg connections, one round trip a question, no ORM."""

import asyncio
import select
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from retrieval.errors import VectorError
from retrieval.postgres.connections import Asynchronous

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]
Row = tuple[Any, ...]
T = TypeVar("T")

LINGER = 1.0
"""Seconds."""

RECONNECT = 5.0
"""Seconds for which the pool tries by itself to replace a lost connection, at growing intervals. After that whoever
wants one tries at once, so that nobody waits out a pause when the outage is over."""

# Work that was given up and is being cancelled; the loop itself keeps only weak references to tasks.
abandoned: set[asyncio.Task[Any]] = set()


def make_pool(conninfo: str, *, min_size: int, max_size: int) -> Pool:
    """A pool of autocommit connections. It is not opened yet."""

    async def check(connection: AsyncConnection[Any]) -> None:
        """A restart of Postgres closes every connection that waits here, and who is given one only learns it from an
        error: the first that is found closed goes with all the others. It costs microseconds and no round trip."""
        if left(connection):
            await pool.drain()
            raise psycopg.OperationalError("Postgres has closed the connection")

    pool: Pool = AsyncConnectionPool(
        conninfo,
        connection_class=Asynchronous,
        min_size=min_size,
        max_size=max_size,
        open=False,
        kwargs={"autocommit": True, "application_name": "citefirst"},
        configure=configure,
        check=check,
        reconnect_timeout=RECONNECT,
        max_waiting=max_size * 32,
    )
    return pool


def left(connection: AsyncConnection[Any]) -> bool:
    """Whether the server has closed a connection that nobody uses: there is nothing else that it could say on one."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


async def configure(connection: AsyncConnection[Any]) -> None:
    """Once a connection: planning each statement for its own values. A generic plan would keep the first question's
    choice of index. pgvector's types are not registered: vectors go out as text and never come back, and to ask for
    them takes five round trips, 1.5 s more for each connection where Postgres is slow."""
    await connection.execute("SET plan_cache_mode = force_custom_plan")


async def fetch(pool: Pool, sql: str, *, timeout: float) -> list[Row]:
    """The rows of the last statement of `sql`, within `timeout` seconds.

    `sql` may be several statements; they go in one message and share a transaction, so that `SET LOCAL` costs
    no round trip. It takes no parameters: callers write in numbers alone. The timeout goes with it as
    `statement_timeout`; when Postgres does not keep to it the work is abandoned rather than awaited, since to
    cancel it in order can take seconds. Raises VectorError."""
    try:
        return await within(run(pool, sql, timeout), timeout)
    except TimeoutError as error:
        raise VectorError(f"Postgres did not answer within {timeout:.3f} s.") from error


async def within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """What `work` on Postgres gives, within `seconds`; raises TimeoutError. What takes longer, or is no longer
    wanted, is not awaited. It has a moment to come to its end, since its `statement_timeout` is over, too, and to
    cancel it costs the connection; then it is cancelled, for a server that hangs lets psycopg wait for up to 10 s."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[T] = loop.create_future()
    task = loop.create_task(_tell(work, told))
    timer = loop.call_later(seconds, _expire, told)
    try:
        return await told
    finally:
        timer.cancel()
        if not task.done():
            abandoned.add(task)
            task.add_done_callback(forget)
            loop.call_later(LINGER, task.cancel)


async def _tell(work: Coroutine[Any, Any, T], told: asyncio.Future[T]) -> None:
    """Does the work and tells whoever waits, who then wakes a turn of the loop earlier than by the task's end."""
    try:
        result = await work
    except asyncio.CancelledError:
        told.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - for whoever waits; where nobody does any more it is nobody's
        if not told.done():
            told.set_exception(error)
    else:
        if not told.done():
            told.set_result(result)


def _expire(told: asyncio.Future[Any]) -> None:
    if not told.done():
        told.set_exception(TimeoutError())


def forget(task: asyncio.Task[Any]) -> None:
    abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # seen: nobody waits for it


async def run(pool: Pool, sql: str, timeout: float) -> list[Row]:
    limit = max(1, round(timeout * 1000))
    try:
        async with pool.connection(timeout=timeout) as connection:
            # Never prepared: one message may hold several statements only in the simple protocol.
            cursor = await connection.execute(
                f"SET LOCAL statement_timeout = {limit}; {sql}".encode(), prepare=False
            )
            while cursor.nextset():
                pass
            return await cursor.fetchall()
    except (PoolTimeout, TooManyRequests) as error:
        raise VectorError("Every connection to Postgres is busy.") from error
    except PoolClosed as error:
        raise VectorError("The pool of connections to Postgres is closed.") from error
    except psycopg.errors.QueryCanceled as error:
        raise VectorError(f"Postgres did not answer within {timeout:.3f} s.") from error
    except psycopg.errors.UndefinedTable as error:
        raise MissingTable(str(error)) from error
    except psycopg.Error as error:
        raise VectorError(f"Postgres cannot answer: {str(error).splitlines()[0]}") from error


class MissingTable(VectorError):
    """A table of the statement is not there (any more)."""


def numbers(values: Sequence[int]) -> str:
    """A literal of an array of bigints."""
    return "'{" + ",".join(map(str, map(int, values))) + "}'::bigint[]"

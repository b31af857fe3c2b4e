"""psycopg's connections, with two things that it leaves out: which of several servers to try first, and an end to the
waiting for one that keeps a connection open and says nothing on it, as while its machine hangs.

`statement_timeout` is for the server to keep, and the system's timeouts ask whether the other machine is there. So
where somebody waits (`impatient`) and nothing has come for a while, another connection asks whether Postgres answers
anybody. If it does, this statement is slow, or waits for a lock, and is waited for; if not, it is an outage."""

import time
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo

from retrieval.postgres.hosts import in_order, remember

T = TypeVar("T")

impatient: ContextVar[bool] = ContextVar("impatient", default=False)
"""Whether somebody waits: for a page, not for a command or a task, which may as well wait until Postgres goes on."""

SILENCE = 3.0
PATIENCE = 3
"""Seconds until it is asked for, and for its answer."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    silence = SILENCE

    @classmethod
    def connect(cls, conninfo: str = "", **given: Any) -> Self:
        made = super().connect(conninfo, **{**given, **in_order(conninfo, given)})
        remember(conninfo, given, made)
        return made

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        work = watched(gen, self.silence, self._ask) if impatient.get() else gen
        return super().wait(work, *args, **kwargs)

    def _ask(self) -> None:
        """Raises OperationalError where Postgres answers nobody."""
        info = self.info
        there: dict[str, Any] = {"host": info.host, "port": info.port, "password": info.password}
        try:
            place = make_conninfo(**{**info.get_parameters(), **there, "connect_timeout": PATIENCE})
            with Probe.connect(place, autocommit=True) as other:
                other.execute("SELECT 1")
        except OperationalError as error:
            self.close()
            raise OperationalError("Postgres keeps the connection open and does not answer") from error


class Probe(psycopg.Connection[tuple[Any, ...]]):
    """Is answered soon or not at all."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        return super().wait(watched(gen, PATIENCE, _give_up), *args, **kwargs)


class Asynchronous(AsyncConnection[tuple[Any, ...]]):
    @classmethod
    async def connect(cls, conninfo: str = "", **given: Any) -> Self:
        made = await super().connect(conninfo, **{**given, **in_order(conninfo, given)})
        remember(conninfo, given, made)
        return made


def watched(gen: Generator[Any, Any, T], silence: float, ask: Callable[[], None]) -> Generator[Any, Any, T]:
    """One of psycopg's dialogues with the server, which calls `ask` after each `silence` in seconds; psycopg looks in
    ten times a second."""
    heard = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > silence:
                ask()
                heard = time.monotonic()
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _give_up() -> None:
    raise OperationalError("no answer")

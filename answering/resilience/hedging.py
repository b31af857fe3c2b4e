"""Hedging: a second call where the first is late.

Most calls of a language model answer in a fifth of a second, some take eight, and which ones is luck. So
when a call is later than most, ask again elsewhere and take whichever answers first. The naive way, two
calls for each question, doubles the bill and the load. The next naive way, a second call after a fixed time,
is right on one day only: set for a calm day, it sends everything twice on a slow one, and the second calls
make the slowness worse. Asking the *same* backend again is nearly worthless, too, for it is slow for a
reason. And to watch for the response's headers is to be fooled, since servers send them at once and think
afterwards.

Hence: the delay is a quantile (95 %) of what the *first token* of such a prompt took lately on that
upstream, so that only the slowest twentieth is hedged. A call that lost to its hedge counts with the time it
had waited: forgetting it would make the upstream look faster than it is, and the delay would shrink until
everything is hedged. All second calls, hedges and retries, draw on one bucket filled by first calls, 10 % at
most, whatever the quantile says. They go to an independent upstream. And they stop where they do not help:
in an outage they lose, too.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from .deadline import Clock
from .delays import HedgeDelay
from .observing import Observer, Silent

T = TypeVar("T")
Why = Literal["late", "failed"]
Claim = Literal["late", "denied", "overdue", "failed"]
"""On the budget: of a call that has just become late, of one whose hedge was denied, of one that is later by
three fifths of its delay since, and of one that failed."""

RECHECK = 0.02
"""Seconds. A hedge that was denied is asked for again: the bucket fills, a breaker trips."""


async def hedged(
    first: Callable[[], Awaitable[T]],
    second: Callable[[], Awaitable[T]],
    *,
    delay: float,
    allow: Callable[[Why], bool],
    failures: tuple[type[Exception], ...] = (Exception,),
) -> T:
    """The result of `first` or of `second`, whichever is earlier. `second` starts once `first` is late by
    `delay` seconds or has failed, if `allow` agrees. The loser is cancelled and awaited. When both fail, raises the
    first's error."""
    calls = [asyncio.ensure_future(first())]
    winner: asyncio.Future[T] | None = None
    try:
        await asyncio.wait(calls, timeout=delay)
        while not calls[0].done() and not allow("late"):
            await asyncio.wait(calls, timeout=RECHECK)
        if calls[0].done() and not (_failed(calls[0], failures) and allow("failed")):
            winner = calls[0]
        else:
            calls.append(asyncio.ensure_future(second()))
            winner = await _first_success(calls, failures)
        return winner.result()
    finally:
        await _reap([call for call in calls if call is not winner])


def _failed(call: asyncio.Future[T], failures: tuple[type[Exception], ...]) -> bool:
    return not call.cancelled() and isinstance(call.exception(), failures)


async def _first_success(
    calls: Sequence[asyncio.Future[T]], failures: tuple[type[Exception], ...]
) -> asyncio.Future[T]:
    waiting = list(calls)
    while waiting:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for call in [call for call in waiting if call.done()]:
            if not _failed(call, failures):
                return call
            waiting.remove(call)
    return calls[0]


async def _reap(calls: Sequence[asyncio.Future[T]]) -> None:
    for call in calls:
        call.cancel()
    if calls:
        await asyncio.wait(calls)
    for call in calls:
        _ = call.cancelled() or call.exception()  # seen


class HedgeBudget:
    """A token bucket: each first call pays in `ratio`, each second call takes 1, and `burst` is the most it
    holds.

    It starts with a loan: half of what is paid in goes to pay that back. So, once there were a few hundred first
    calls, second calls are no more than `ratio` of them since the start."""

    def __init__(
        self, ratio: float = 0.10, burst: float = 24.0, *, loan: float = 8.0, kept: float = 2.0
    ) -> None:
        """Hedges leave `kept` of it for retries: a call that failed needs its second one more than one that
        is late. One that was denied leaves as much again to those that become late after it, whose answer is not lost
        for the tail yet, until it is overdue: then it is like one that failed."""
        self._ratio, self._burst = ratio, burst
        self._left: dict[Claim, float] = {"late": kept, "denied": 2 * kept, "overdue": 0.0, "failed": 0.0}
        self._tokens = self._owed = min(loan, burst)

    def deposit(self) -> None:
        """A first call was made."""
        kept = self._ratio / 2 if self._owed > 0 else self._ratio
        self._owed -= self._ratio - kept
        self._tokens = min(self._burst, self._tokens + kept)

    def take(self, claim: Claim) -> bool:
        # A ratio of 0.1 is no binary fraction: ten deposits must make a whole token.
        if self._tokens - self._left[claim] < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True

    @property
    def tokens(self) -> float:
        return self._tokens


@dataclass(slots=True)
class Sent:
    """A hedge: when it was sent, and whether it won; None: not known yet."""

    at: float
    won: bool | None = None


class HedgeGate:
    """Shut where hedges do not help: of at least `enough` in the last `window` seconds, fewer than `least`
    won.

    One that is still out after `patience` seconds has not won so far; that is how a hang of both shows."""

    def __init__(
        self,
        *,
        window: float = 5.0,
        enough: int = 5,
        least: float = 0.1,
        patience: float = 0.5,
        clock: Clock = time.monotonic,
    ) -> None:
        self._window, self._enough, self._least, self._patience = window, enough, least, patience
        self._clock = clock
        self._sent: deque[Sent] = deque(maxlen=200)

    def start(self) -> Sent:
        """A hedge is sent; set its `won` when that is known."""
        self._sent.append(Sent(self._clock()))
        return self._sent[-1]

    @property
    def shut(self) -> bool:
        now = self._clock()
        while self._sent and now - self._sent[0].at > self._window:
            self._sent.popleft()
        told = [hedge for hedge in self._sent if hedge.won is not None or now - hedge.at > self._patience]
        won = sum(hedge.won is True for hedge in told)
        return len(told) >= self._enough and won < self._least * len(told)


class Hedger:
    """Hedged calls of one dependency at its own quantile, against itself: `await hedger.call(work)`."""

    def __init__(
        self,
        name: str,
        budget: HedgeBudget,
        delays: HedgeDelay,
        *,
        observer: Observer | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._name, self._budget, self._delays, self._clock = name, budget, delays, clock
        self._observer = observer or Silent()
        self._gate = HedgeGate(clock=clock)

    async def call(
        self, work: Callable[[], Awaitable[T]], *, failures: tuple[type[Exception], ...] = (Exception,)
    ) -> T:
        self._budget.deposit()
        delay = self._delays.delay(self._name)
        sent: list[Sent] = []
        answered: list[str] = []

        def allow(why: Why) -> bool:
            if self._gate.shut or not self._budget.take(why):
                return False
            sent.append(self._gate.start())
            return True

        async def timed(which: str) -> T:
            with self._timed(delay):
                result = await work()
            answered.append(which)
            return result

        try:
            return await hedged(
                lambda: timed("first"), lambda: timed("second"), delay=delay, allow=allow, failures=failures
            )
        finally:
            for hedge in sent:
                hedge.won = answered[:1] == ["second"]
                self._observer.hedge(self._name, "won" if hedge.won else "lost" if answered else "failed")

    @contextmanager
    def _timed(self, delay: float) -> Iterator[None]:
        started = self._clock()
        try:
            yield
        except asyncio.CancelledError:
            # A call stopped early says nothing; one stopped late took at least this long.
            if self._clock() - started >= delay:
                self._delays.observe(self._name, 0, self._clock() - started)
            raise
        self._delays.observe(self._name, 0, self._clock() - started)

"""Which upstream gets a question, and who else when that one is late, fails or breaks off.

The first upstream that is well and has room is asked. One that is late for its first token is hedged to
another (see `resilience.hedging`), one that fails or is found to be down gives way to another. What is known
to be down is not asked; it is tried with a copy of a question while another upstream answers it, so that no
reader waits for a probe, and with the question itself only where there is no other."""

import asyncio
import math
from collections.abc import Sequence, Set
from dataclasses import replace

from .attempts import Attempt, Request, Route
from .errors import (
    AllUpstreamsFailed,
    FirstTokenTimeout,
    GenerationError,
    Shed,
    UpstreamError,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
)
from .resilience.deadline import Clock, Deadline
from .resilience.delays import HedgeDelay
from .resilience.hedging import Claim, HedgeBudget, HedgeGate, Sent, Why, hedged
from .resilience.limiter import Slot
from .resilience.observing import Observer
from .resilience.shedding import Overloaded, Priority

TRIES = 3
"""Times that a question queues for a place, where 429 is the answer: what is not taken goes back to its queue."""

SELDOM = 1.0
"""Seconds between questions from which one that finds out that an upstream is still down asks the other one, too; where
they come quicker the next one will, and an outage makes no second calls."""

OVERDUE = 0.6
"""Of the delay, after which a hedge that was denied goes before those that have just become late."""

QUICK = 0.1
"""Where less is left than the quickest tenth of first tokens takes, no second call is made."""

ALONE = 5.0
"""Seconds that an upstream is left alone at most while no other one is well: all questions get extracts then."""

PATIENCE = 3.0
"""Budgets of the first token that work which can wait waits for its place: nobody sits before it."""


def anew(request: Request) -> Request:
    """The request with the whole budget of its first token before it."""
    return replace(request, first=request.deadline.capped(request.first_token))


class Dispatcher:
    def __init__(
        self,
        routes: Sequence[Route],
        *,
        budget: HedgeBudget,
        delays: HedgeDelay,
        observer: Observer,
        clock: Clock,
    ) -> None:
        """`routes` in order of preference."""
        self.routes, self.budget, self.delays = routes, budget, delays
        self.observer, self.clock = observer, clock
        self.gate = HedgeGate(clock=clock)
        self._probes: set[asyncio.Task[None]] = set()
        self._asked = -math.inf
        self.seldom = True

    async def begin(self, request: Request, priority: Priority) -> tuple[Attempt, bool]:
        """An attempt that has its first token, and whether it was a hedge. Raises Shed or GenerationError."""
        self.budget.deposit()
        now, before = self.clock(), self._asked
        self._asked, self.seldom = now, now - before > SELDOM
        for left in reversed(range(TRIES)):
            self.trip_silent(request.size)
            attempt = await self._admitted(request, priority)
            self._probe_others(request, attempt.route)
            race = Race(self, attempt.request, priority, attempt)
            try:
                return await race.run(), race.hedge_won
            except AllUpstreamsFailed:
                if not (left and race.untaken):
                    raise
        raise AssertionError("the last try returns or raises")

    async def instead_of(self, broken: Attempt, vain: Set[Route] = frozenset()) -> Attempt | None:
        """An attempt with its first token at another upstream, where `broken` ended early; at the same one only where
        it was too cramped for an answer. None: there is no other, it has no place, or it is one of `vain`. Raises
        UpstreamError."""
        request = anew(broken.request)
        other = self.other_than(broken.route)
        again = other is broken.route
        if other is None or request.deadline.expired or (not broken.cramped if again else other in vain):
            return None
        if (slot := other.limiter.try_acquire(Priority.INTERACTIVE)) is None:
            return None
        attempt = self.attempt(other, request, slot)
        try:
            return await attempt.first()
        except BaseException:
            await attempt.aclose()
            raise

    def candidates(self) -> list[Route]:
        """The routes that are well; where none is, those whose turn it is to be tried."""
        if closed := [route for route in self.routes if route.closed]:
            return closed
        for route in self.routes:
            route.breaker.hasten(ALONE)
        return [route for route in self.routes if route.breaker.probe_due]

    def other_than(self, route: Route) -> Route | None:
        """A route to turn to, another one wherever more than one is set up."""
        alone = len(self.routes) == 1
        return next((other for other in self.candidates() if alone or other is not route), None)

    def attempt(self, route: Route, request: Request, slot: Slot) -> Attempt:
        call = route.breaker.start()
        assert call is not None, "asked only of routes that are closed or due"
        return Attempt(route, request, call, slot)

    def trip_silent(self, size: int) -> None:
        """Opens the breaker of an upstream that says nothing any more, where another one is there to turn
        to."""
        speaking = [route for route in self.routes if route.closed and not route.silent(size)]
        if speaking:
            for route in self.routes:
                if route not in speaking:
                    route.breaker.trip()

    async def aclose(self) -> None:
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await asyncio.gather(*(route.chat.aclose() for route in self.routes))

    async def _admitted(self, request: Request, priority: Priority) -> Attempt:
        while candidates := self.candidates():
            route, slot = await self._place(candidates, request, priority)
            if route.closed or route.breaker.probe_due:
                return self.attempt(route, anew(request) if priority.deferrable else request, slot)
            slot.release()  # it tripped while we waited
        raise AllUpstreamsFailed

    async def _place(
        self, candidates: Sequence[Route], request: Request, priority: Priority
    ) -> tuple[Route, Slot]:
        for route in candidates:
            if slot := route.limiter.try_acquire(priority):
                return route, slot
        route = min(candidates, key=lambda route: route.limiter.expected_wait(priority))
        try:
            return route, await route.limiter.acquire(priority, self._start_by(route, request, priority))
        except Overloaded as error:
            raise Shed(error.retry_after) from None

    def _start_by(self, route: Route, request: Request, priority: Priority) -> Deadline:
        """Starting so late that no first token can come in time would be for nothing."""
        if priority.deferrable:
            return min(
                request.deadline.capped(PATIENCE * request.first_token),
                Deadline(request.deadline.at - request.first_token, self.clock),
                key=lambda deadline: deadline.at,
            )
        usual = self.delays.quantile(route.name, request.size, 0.5) or 0.0
        return Deadline(request.first.at - usual, self.clock)

    def _probe_others(self, request: Request, asked: Route) -> None:
        for route in self.routes:
            if asked.closed and route.breaker.probe_due and (slot := route.limiter.try_acquire(Priority.API)):
                copy = replace(request, request_id=f"{request.request_id}-probe")
                probe = asyncio.create_task(_probe(self.attempt(route, copy, slot)))
                self._probes.add(probe)
                probe.add_done_callback(self._probes.discard)


async def _probe(attempt: Attempt) -> None:
    try:
        await attempt.first()
    except UpstreamError:
        pass  # the breaker knows
    finally:
        await attempt.aclose()


class Race:
    """A question's attempts, up to the first token of one of them."""

    def __init__(
        self, dispatcher: Dispatcher, request: Request, priority: Priority, attempt: Attempt
    ) -> None:
        self._dispatcher, self._request, self._priority = dispatcher, request, priority
        self._primary = attempt
        self._probing = not attempt.route.closed  # nothing is well: one call finds out whether that is over
        self._delay = dispatcher.delays.delay(attempt.name, request.size)
        self._second: Attempt | None = None
        self._hedge: Sent | None = None
        self._denied: float | None = None
        """When a hedge was first denied."""

    @property
    def untaken(self) -> bool:
        """Nobody worked on it: 429 was all that it got, and the limits know better now."""
        attempts = [attempt for attempt in (self._primary, self._second) if attempt]
        return all(isinstance(attempt.error, UpstreamThrottled) for attempt in attempts)

    @property
    def hedge_won(self) -> bool:
        return self._hedge is not None and bool(self._hedge.won)

    async def run(self) -> Attempt:
        winner: Attempt | None = None
        try:
            winner = await hedged(
                self._primary.first,
                self._ask_second,
                delay=self._delay,
                allow=self._allow,
                failures=(UpstreamError,),
            )
            return winner
        except UpstreamError:
            raise self._verdict() from None
        finally:
            await self._settle(winner)

    async def _ask_second(self) -> Attempt:
        assert self._second is not None
        return await self._second.first()

    def _allow(self, why: Why) -> bool:
        """Whether there may be a second attempt; then it has its place and is paid for."""
        here, dispatcher = self._primary.route, self._dispatcher
        dispatcher.trip_silent(self._request.size)
        down = not here.closed
        other = dispatcher.other_than(here)
        if other is None or not self._helps(why, other, down):
            return self._deny(why)
        if (slot := other.limiter.try_acquire(self._priority)) is None:
            return self._deny(why)
        # To turn to another upstream from one that is down, or that did not take this question or failed it, is the
        # fallback and no second call: the first is lost. The same upstream again is one.
        instead = down or (why == "failed" and other is not here)
        if not instead and not dispatcher.budget.take(self._claim(why)):
            slot.release()
            return self._deny(why)
        self._second = dispatcher.attempt(other, self._request, slot)
        if why == "late" and not down:
            self._hedge = dispatcher.gate.start()
        return True

    def _helps(self, why: Why, other: Route, down: bool) -> bool:
        if self._probing and not (why == "failed" and self._dispatcher.seldom):
            return False
        if self._too_late(other):
            return False
        if why == "failed":
            # Nobody asks the same server again that said no.
            refused = isinstance(self._primary.error, UpstreamThrottled | UpstreamRejected)
            return other is not self._primary.route or not refused
        outage = self._dispatcher.gate.shut or not all(route.closed for route in self._dispatcher.routes)
        if self._priority.deferrable or other.unproven(self._delay):
            return False
        return down or not outage

    def _too_late(self, other: Route) -> bool:
        """No first token can come in what is left of its budget: a call would be for nothing."""
        delays, left = self._dispatcher.delays, self._request.first.remaining()
        known = (
            delays.quantile(route.name, self._request.size, QUICK) for route in (other, self._primary.route)
        )
        return left <= next((quickest for quickest in known if quickest is not None), 0.0)

    def _deny(self, why: Why) -> bool:
        if why == "late" and self._denied is None:
            self._denied = self._dispatcher.clock()
            self._dispatcher.observer.hedge(self._primary.name, "denied")
        return False

    def _claim(self, why: Why) -> Claim:
        if why == "failed" or self._denied is None:
            return why
        overdue = self._dispatcher.clock() - self._denied > OVERDUE * self._delay
        return "overdue" if overdue else "denied"

    def _verdict(self) -> GenerationError:
        causes = [attempt.error for attempt in (self._primary, self._second) if attempt and attempt.error]
        if all(isinstance(cause, UpstreamTimeout) for cause in causes):
            return FirstTokenTimeout("no first token within the budget")
        return AllUpstreamsFailed(causes)

    async def _settle(self, winner: Attempt | None) -> None:
        for attempt in (self._primary, self._second):
            if attempt is not None and attempt is not winner:
                if winner is not None:
                    attempt.lost(late=attempt is self._primary)
                await attempt.aclose()
        if self._hedge is not None:
            self._hedge.won = winner is not None and winner is self._second
            self._dispatcher.observer.hedge(
                self._primary.name, "won" if self._hedge.won else "lost" if winner else "failed"
            )

"""Messages -> tokens, from one of several upstreams."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence, Set
from dataclasses import dataclass, replace

from .attempts import Attempt, Request, Route
from .dispatch import Dispatcher
from .errors import (
    AllUpstreamsFailed,
    FirstTokenTimeout,
    GenerationError,
    StreamCut,
    UpstreamError,
    UpstreamTimeout,
)
from .resilience.adaptive import LimitSettings
from .resilience.breaker import Thresholds
from .resilience.deadline import Clock, Deadline
from .resilience.delays import HedgeDelay
from .resilience.hedging import HedgeBudget
from .resilience.observing import Observer, Silent, State
from .resilience.shedding import Priority
from .streams import Chat, Message, Upstream
from .thoughts import Anew, joined

__all__ = ["Generator", "Health", "Message", "Token", "Upstream"]

# Where another upstream can take over, three failures in ten are reason enough to leave one alone.
THRESHOLDS = Thresholds(consecutive=4, failure_rate=0.3, minimum_calls=20)


@dataclass(frozen=True, slots=True)
class Token:
    """With `restart`, forget what came before: the whole text so far is `text`."""

    text: str
    upstream: str
    restart: bool = False

    def then(self, later: "Token") -> "Token":
        """The two as one: `TokenPacer(Token.then)`."""
        return later if later.restart else replace(self, text=self.text + later.text, upstream=later.upstream)


@dataclass(frozen=True, slots=True)
class Health:
    """An upstream as the operators see it."""

    name: str
    state: State
    limit: int
    in_flight: int
    waiting: int


class Generator:
    def __init__(
        self,
        upstreams: Sequence[Upstream],
        *,
        hedge_budget: HedgeBudget | None = None,
        hedge_delay: HedgeDelay | None = None,
        thresholds: Thresholds = THRESHOLDS,
        limits: LimitSettings | None = None,
        observer: Observer | None = None,
        clock: Clock = time.monotonic,
        chat: Callable[[Upstream], Chat] = Chat,
    ) -> None:
        """`upstreams` in order of preference; budget and delays may be shared with other hedged calls.
        `clock` must be the event loop's; `chat` makes the client of an upstream."""
        delays, observer = hedge_delay or HedgeDelay(), observer or Silent()
        self._routes = [
            Route(
                upstream,
                chat(upstream),
                delays,
                thresholds=thresholds,
                limits=limits or LimitSettings(),
                observer=observer,
                clock=clock,
            )
            for upstream in upstreams
        ]
        self._dispatcher = Dispatcher(
            self._routes, budget=hedge_budget or HedgeBudget(), delays=delays, observer=observer, clock=clock
        )

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        deadline: Deadline,
        first_token: float,
        token_gap: float,
        max_tokens: int = 512,
        priority: str = "interactive",
        request_id: str = "",
        on_notice: Callable[[str, str], None] = lambda code, message: None,
    ) -> AsyncIterator[Token]:
        """The answer, token by token. Close the iterator (`aclosing`) to stop: that closes the upstream's
        connection.

        A stream that breaks off starts anew at another upstream: what was shown stays until the new text is
        as long, which then comes as one token with `restart`. An upstream that breaks off before that is not turned to
        again, unless another one has got on since: two that both stall would take turns until the deadline. A model
        that is seen to think within `first_token` seconds has until `deadline` for its answer. Raises Shed,
        AllUpstreamsFailed or FirstTokenTimeout before the first token, StreamCut after it."""
        first = deadline.capped(first_token)
        request = Request(messages, deadline, first, first_token, token_gap, max_tokens, request_id)
        attempt, hedged = await self._dispatcher.begin(request, Priority.named(priority))
        self._tell_who(attempt, hedged, on_notice)
        shown, vain = "", set[Route]()
        while True:
            before = shown
            try:
                # No generator in between: closing this one must reach the attempt at once.
                token = Token(await _caught_up(attempt, shown), attempt.name, restart=bool(shown))
                shown = token.text
                yield token
                while (text := await attempt.next()) is not None:
                    shown = joined(shown, text)
                    yield Token(text, attempt.name, restart=isinstance(text, Anew))
                if attempt.cut_short:
                    raise StreamCut(shown, "cut short")
                return
            except UpstreamError as error:
                broken, cause = attempt, error
            finally:
                await attempt.aclose()
            vain = set() if len(shown) > len(before) else vain | {broken.route}
            attempt = await self._instead_of(broken, shown, cause, vain)
            if shown:
                on_notice("llm_continued", "The first model broke off; another one answered.")
            elif attempt.route is not broken.route:
                on_notice("llm_fallback", "The first model did not get to its answer; another one answered.")

    def expected_wait(self, priority: str = "interactive") -> float:
        """Seconds until a question that came now would reach a model; 0 when at once, or when none is up."""
        candidates = self._dispatcher.candidates()
        return min(
            (route.limiter.expected_wait(Priority.named(priority)) for route in candidates), default=0.0
        )

    def health(self) -> list[Health]:
        return [
            Health(r.name, r.breaker.state, r.limiter.limit, r.limiter.in_flight, r.limiter.waiting)
            for r in self._routes
        ]

    async def warm(self) -> None:
        """Open a connection to each upstream; call it at the start and when somebody begins to type."""
        await asyncio.gather(*(route.chat.warm() for route in self._routes))

    async def aclose(self) -> None:
        await self._dispatcher.aclose()

    def _tell_who(self, attempt: Attempt, hedged: bool, on_notice: Callable[[str, str], None]) -> None:
        if hedged:
            on_notice("llm_hedged", "The first model took its time; another one answered.")
        elif attempt.route is not self._routes[0]:
            on_notice("llm_fallback", "The first model is not available; another one answered.")

    async def _instead_of(
        self, broken: Attempt, shown: str, cause: UpstreamError, vain: Set[Route]
    ) -> Attempt:
        cut = _ended_early(broken, shown, cause)
        try:
            attempt = await self._dispatcher.instead_of(broken, vain)
        except UpstreamError as error:
            raise cut from error
        if attempt is None:
            raise cut from cause
        return attempt


def _ended_early(broken: Attempt, shown: str, cause: UpstreamError) -> GenerationError:
    late = isinstance(cause, UpstreamTimeout)
    if not shown:  # it thought, and said nothing
        return FirstTokenTimeout("no first token after its thoughts") if late else AllUpstreamsFailed([cause])
    reason = "stalled" if late else "cut"
    return StreamCut(shown, "deadline" if broken.request.deadline.expired else reason)


async def _caught_up(attempt: Attempt, shown: str) -> str:
    """The attempt's text once there is any and it is as long as what is shown, or at its end."""
    text = attempt.text
    while len(text) < max(len(shown), 1) and (more := await attempt.next()) is not None:
        text = joined(text, more)
    return text

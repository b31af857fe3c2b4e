"""One call of one upstream: to its first token, and on from there; and what that call says about the
upstream."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .errors import UpstreamError, UpstreamMalformed, UpstreamRejected, UpstreamThrottled, UpstreamTimeout
from .resilience.adaptive import LimitSettings
from .resilience.breaker import Breaker, Call, Thresholds
from .resilience.deadline import Clock, Deadline
from .resilience.delays import HedgeDelay
from .resilience.limiter import AdaptiveLimiter, Slot
from .resilience.observing import Observer
from .resilience.pulse import Pulse
from .streams import Chat, ChatStream, Message, Upstream

CHARACTERS_A_TOKEN = 4
RATED = 10
"""Texts from which a stream's token rate says something."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and by when: all by `deadline`, the first token or thought by `first`, `first_token` seconds from
    when it was asked or, of work that can wait, from when it got its place; `token_gap` in seconds."""

    messages: Sequence[Message]
    deadline: Deadline
    first: Deadline
    first_token: float
    token_gap: float
    max_tokens: int
    request_id: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        characters = sum(len(message.content) for message in self.messages)
        object.__setattr__(self, "size", size_class(characters // CHARACTERS_A_TOKEN))


class Route:
    """An upstream with its defences, for the life of the process."""

    def __init__(
        self,
        upstream: Upstream,
        chat: Chat,
        delays: HedgeDelay,
        *,
        thresholds: Thresholds,
        limits: LimitSettings,
        observer: Observer,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = upstream.name
        self.chat = chat
        self.delays, self.observer, self.clock = delays, observer, clock
        self.breaker = Breaker(upstream.name, thresholds, clock=clock, on_change=observer.breaker)
        self.limiter = AdaptiveLimiter(upstream.name, limits, observer=observer, clock=clock)
        self.pulse = Pulse(clock=clock)
        self._usual_rate = 0.0

    @property
    def closed(self) -> bool:
        return self.breaker.state == "closed"

    def silent(self, size: int) -> bool:
        """It says nothing any more, though too little is over yet for its breaker to know."""
        usual = self.delays.quantile(self.name, size, 0.75)
        return usual is not None and self.pulse.silent(usual)

    def unproven(self, late: float) -> bool:
        """Those who were sent here wait, too, and none has had a word for `late` seconds: not sure enough to call it
        down, and no place to turn to."""
        return self.pulse.unproven(late)

    def rated(self, rate: float) -> None:
        """A stream of `rate` texts a second ended."""
        self._usual_rate += (rate - self._usual_rate) * (0.1 if self._usual_rate else 1.0)
        self.observer.token_rate(self.name, rate, self._usual_rate)


class Attempt:
    """`await attempt.first()`, then `await attempt.next()` until None; `aclose` in any case.

    A model that thinks aloud before it answers has answered, as far as its upstream is concerned: its thoughts come as
    empty texts. What a hedge, a limit or a breaker wants to know is how long an upstream takes to set to work.

    It reports to the route's breaker, limiter, pulse and delays. One that is cancelled says nothing of the
    upstream, but for what `lost` tells."""

    def __init__(self, route: Route, request: Request, call: Call, slot: Slot) -> None:
        self.route, self.request, self.text = route, request, ""
        self.error: UpstreamError | None = None
        self._call, self._slot = call, slot
        self._stream: ChatStream | None = None
        self._started = self._first_at = self._last_at = route.clock()
        self._texts = 0
        self._begun = self._said = self._roomy = False

    @property
    def name(self) -> str:
        return self.route.name

    @property
    def cut_short(self) -> bool:
        """It ended before the answer did: at `max_tokens`, say."""
        return self._stream is not None and self._stream.cut_short

    @property
    def cramped(self) -> bool:
        """Its thoughts took all the room there was, and it would have more the next time."""
        return self.cut_short and not self._said and not self._roomy

    async def first(self) -> "Attempt":
        """Up to the first token, which is then `text`, or the first thought. Raises UpstreamError."""
        self._started = self.route.clock()
        key = self.route.pulse.start()
        try:
            self.text = await self._opened()
        except UpstreamError as error:
            self.error = error
            self._failed(error)
            raise
        finally:
            self.route.pulse.stop(key)
        self._succeeded(key)
        return self

    async def next(self) -> str | None:
        """The next text, None after the last one. Raises UpstreamError where it is cut or stalls."""
        assert self._stream is not None
        try:
            async with asyncio.timeout_at(self.request.deadline.capped(self.request.token_gap).at):
                text = await anext(self._stream)
        except StopAsyncIteration:
            if not self._said:
                raise self._broke(UpstreamMalformed(self.name, "the answer was empty")) from None
            return None
        except TimeoutError:
            raise self._broke(UpstreamTimeout(self.name, "the stream stalled")) from None
        except UpstreamError as error:
            raise self._broke(error) from error.__cause__
        self._said = self._said or bool(text)
        self._texts += 1
        self._last_at = self.route.clock()
        self.route.pulse.sign_of_life()
        return text

    def lost(self, *, late: bool) -> None:
        """Another call answered first. A `late` one, whose hedge that was, took at least so long, and counts
        as failed, but for half in a row: a call in ten loses by chance, eight in a row do not."""
        waited, size = self.route.clock() - self._started, self.request.size
        if self.error or self._begun or waited < self.route.delays.delay(self.name, size):
            return
        if late and self.route.delays.quantile(self.name, size, 0.5) is not None:
            self._call.fail(weight=0.5)
        self._waited_in_vain(waited)

    async def aclose(self) -> None:
        """Closes the connection, frees the place."""
        if self._begun and self.error is None:
            self._call.succeed()
        self._call.abandon()
        self._slot.release()
        if self._texts >= RATED and self._last_at > self._first_at:
            self.route.rated(self._texts / (self._last_at - self._first_at))
            self._texts = 0
        if self._stream is not None:
            await self._stream.aclose()

    async def _opened(self) -> str:
        request, self._roomy = self.request, self.route.chat.habits.thinks
        try:
            async with asyncio.timeout_at(request.first.at):
                self._stream = await self.route.chat.open(
                    request.messages,
                    max_tokens=request.max_tokens,
                    deadline=request.deadline,
                    request_id=request.request_id,
                )
                return await anext(self._stream)
        except TimeoutError:
            raise UpstreamTimeout(self.name, "no first token in time") from None
        except StopAsyncIteration:
            raise UpstreamMalformed(self.name, "the answer was empty") from None

    def _succeeded(self, key: int) -> None:
        self._begun, self._said = True, bool(self.text)
        self._first_at = self._last_at = self.route.clock()
        seconds = self._first_at - self._started
        self.route.pulse.beat(key)
        self.route.delays.observe(self.name, self.request.size, seconds)
        self._slot.first_token(seconds, self.request.size)
        if not self.route.closed:
            self._call.succeed()  # a probe has told what it was for; else the end will tell

    def _failed(self, error: UpstreamError) -> None:
        if isinstance(error, UpstreamThrottled):
            # At first a matter of how many at once, which is the limiter's; nothing but 429s is the
            # breaker's.
            self._slot.throttled(error.retry_after)
            if self.route.limiter.adaptive.exhausted or not self.route.closed:
                self._call.fail(error.retry_after, weight=math.inf)
        elif isinstance(error, UpstreamTimeout):
            self._timed_out()
        elif not isinstance(error, UpstreamRejected):
            self._call.fail()

    def _timed_out(self) -> None:
        """A hedge may have had little of the budget left: that it did not make it says nothing of its
        upstream."""
        waited, size = self.route.clock() - self._started, self.request.size
        if waited >= self.route.delays.delay(self.name, size):
            self._waited_in_vain(waited)
            self._call.fail()

    def _waited_in_vain(self, seconds: float) -> None:
        """No first token came in that time: it took at least so long."""
        self.route.delays.observe(self.name, self.request.size, seconds)
        self._slot.gave_up(seconds, self.request.size)

    def _broke(self, error: UpstreamError) -> UpstreamError:
        """A deadline that is over is nobody's fault."""
        self.error = error
        if not self.request.deadline.expired:
            self._call.fail()
        return error


def size_class(tokens: int) -> int:
    """Prompts up to 512, 1,024, 2,048 … tokens: latencies are only compared within a class."""
    return max(0, (max(tokens, 1) - 1).bit_length() - 9)

"""One streaming chat completion of one upstream, over the openai client's connections and with its headers.

The body's lines are read here, for building typed chunk objects took 15 ms of processor time a 100 tokens, and hides
whether a stream was finished or merely cut.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import aiohttp
import httpx2
import openai

from retrieval.transport import Endpoint, disconnected

from .deltas import LONGEST, Reading, lines_of
from .errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from .messages import Message, Upstream
from .resilience.deadline import Deadline
from .thoughts import Habits

CONNECT_SECONDS = 2.0
# Far longer than httpx's 5 s: a question an idle minute later should not pay for a handshake.
LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120.0)
WARM_SECONDS = 60.0
REQUEST_ID = "X-Request-ID"
DRAIN_SECONDS = 0.1
WAITED, GATHER = 0.001, 0.030
"""Seconds: a read that took longer had to wait for the network; then the next one waits so long for more to come.
Frames go to the reader every 36 ms anyway, and the first token has been handed on before."""
ROOM_TO_THINK = 2048
"""Tokens that a model gets beyond those of its answer once it has been seen to think: servers count its thoughts."""

__all__ = ["Chat", "ChatStream", "Message", "Upstream"]


class ChatStream:
    """The texts of one answer, as they arrive; an empty one says that the model lives, and thinks. Ends only after the
    upstream said that it finished, else raises UpstreamError; what comes of the connection after that is nobody's
    concern. `aclose` closes it unless the answer was read to its end. `cut_short`: the upstream finished before the
    answer did."""

    def __init__(self, upstream: Upstream, response: httpx2.Response, habits: Habits | None = None) -> None:
        self.upstream = upstream
        self._response = response
        self._reading = Reading(upstream.name, habits or Habits())
        self._texts = self._read()

    @property
    def cut_short(self) -> bool:
        return self._reading.cut_short

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        return await self._texts.__anext__()

    async def aclose(self) -> None:
        await self._texts.aclose()
        await self._response.aclose()

    async def _read(self) -> AsyncGenerator[str, None]:
        name, told, rest, reading = self.upstream.name, False, b"", self._reading
        received = self._response.aiter_bytes()
        clock = asyncio.get_running_loop().time
        with translated(name):
            asked = clock()
            async for part in received:
                waited = clock() - asked > WAITED
                *lines, rest = lines_of(rest + part)
                if len(rest) > LONGEST:
                    raise UpstreamMalformed(name, "a line without end")
                text = reading.feed(lines)
                if text is not None:
                    told = True
                    yield text
                if reading.finished:
                    break
                if waited and told:  # what comes meanwhile is read at once: a third of the reads, and cost
                    await asyncio.sleep(GATHER)
                asked = clock()
            else:
                raise UpstreamUnreachable(name, "the stream was cut")
        # Only a response that was read to its end leaves a connection that can be used again.
        with suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(DRAIN_SECONDS):
                with translated(name):
                    async for _ in received:
                        pass


class Chat:
    """The client of one upstream, for the life of the process."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        http = openai.DefaultAioHttpClient(limits=LIMITS, verify=certificates())
        self._client = openai.AsyncOpenAI(
            api_key=upstream.api_key, base_url=upstream.base_url, max_retries=0, http_client=http
        )
        self._completions = Endpoint(self._client, http, "chat/completions")
        # OpenAI's own newer models refuse `max_tokens`; many compatible servers know nothing else.
        self._cap = (
            "max_completion_tokens" if self._completions.url.host == "api.openai.com" else "max_tokens"
        )
        self.habits = Habits()
        self._used = float("-inf")

    async def open(
        self, messages: Sequence[Message], *, max_tokens: int, deadline: Deadline, request_id: str = ""
    ) -> ChatStream:
        """Send the request; returns once the headers are here. The HTTP client's timeouts are what is left of
        `deadline`, a second line behind the caller's own. Raises UpstreamError."""
        self._used = time.monotonic()
        wait = max(deadline.remaining(), 0.001)
        name = self.upstream.name
        body = {
            "model": self.upstream.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "stream": True,
            self._cap: max_tokens + (ROOM_TO_THINK if self.habits.thinks else 0),
        }
        with translated(name):
            response = await self._completions.post(
                body,
                timeout=httpx2.Timeout(wait, connect=min(wait, CONNECT_SECONDS)),
                headers={REQUEST_ID: request_id} if request_id else None,
                stream=True,
            )
            if response.is_success:
                return ChatStream(self.upstream, response, self.habits)
            try:
                said = await response.aread()
            finally:
                await response.aclose()
        raise of_status(name, response.status_code, said.decode(errors="replace"), response.headers)

    async def warm(self) -> None:
        """Have a connection open before it is needed. Says nothing when that fails: the question will."""
        if time.monotonic() - self._used < WARM_SECONDS:
            return
        self._used = time.monotonic()
        try:
            with translated(self.upstream.name):
                await self._client.models.with_raw_response.list(timeout=CONNECT_SECONDS)
        except UpstreamError:
            pass

    async def aclose(self) -> None:
        await self._client.close()


@lru_cache
def certificates() -> ssl.SSLContext:
    """Whom to trust: read once, for that takes a tenth of a second."""
    return httpx2.create_ssl_context()


@contextmanager
def translated(upstream: str) -> Iterator[None]:
    """Errors of openai and httpx become UpstreamError: here and nowhere else."""
    try:
        yield
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        if (broken := disconnected(error)) is not None:
            raise UpstreamUnreachable(upstream, str(broken) or type(broken).__name__) from error
        raise UpstreamTimeout(upstream, "timed out") from error
    except (openai.APIConnectionError, httpx2.RequestError, aiohttp.ClientError, ssl.SSLError) as error:
        raise UpstreamUnreachable(upstream, str(error.__cause__ or error) or type(error).__name__) from error
    except openai.APIStatusError as error:
        raise of_status(upstream, error.status_code, error.message, error.response.headers) from error
    except openai.OpenAIError as error:
        raise UpstreamBroken(upstream, str(error)) from error
    except UnicodeError as error:
        raise UpstreamMalformed(upstream, str(error)) from error


def of_status(upstream: str, status: int, said: str, headers: httpx2.Headers) -> UpstreamError:
    message = f"{status} {said}"[:300]
    if status == 429:
        return UpstreamThrottled(upstream, message, retry_after(headers))
    if status == 408:
        return UpstreamTimeout(upstream, message)
    # A wrong key or model name is the upstream's configuration, not this request.
    if status >= 500 or status in {401, 403, 404}:
        return UpstreamBroken(upstream, message)
    return UpstreamRejected(upstream, message)


def retry_after(headers: httpx2.Headers) -> float:
    """Seconds from `retry-after-ms` or `Retry-After` (a number or a date); 0 without a sensible value."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        value = headers.get("retry-after", "0")
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0

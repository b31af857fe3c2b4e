"""Messages -> tokens, from one of several upstreams."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

from .errors import AllUpstreamsFailed, FirstTokenTimeout, StreamCut, UpstreamError
from .resilience.deadline import Deadline
from .streams import Chat, ChatStream, Message, Upstream

__all__ = ["Generator", "Message", "Token", "Upstream"]


@dataclass(frozen=True, slots=True)
class Token:
    """With `restart`, forget what came before: the whole text so far is `text`."""

    text: str
    upstream: str
    restart: bool = False

    def then(self, later: "Token") -> "Token":
        """The two as one: `TokenPacer(Token.then)`."""
        return later if later.restart else replace(self, text=self.text + later.text, upstream=later.upstream)


class Generator:
    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._chats = [Chat(upstream) for upstream in upstreams]

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
        """Close the iterator (`aclosing`) to stop: that closes the upstream's connection."""
        if not self._chats:
            raise AllUpstreamsFailed
        chat = self._chats[0]
        name = chat.upstream.name
        first, shown = deadline.capped(first_token), ""
        stream: ChatStream | None = None
        try:
            async with asyncio.timeout_at(first.at):
                stream = await chat.open(
                    messages, max_tokens=max_tokens, deadline=first, request_id=request_id
                )
                shown = await anext(stream)
            yield Token(shown, name)
            while True:
                async with asyncio.timeout_at(deadline.capped(token_gap).at):
                    text = await anext(stream)
                shown += text
                yield Token(text, name)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise (StreamCut(shown, "stalled") if shown else FirstTokenTimeout(name)) from error
        except UpstreamError as error:
            raise (StreamCut(shown, "cut") if shown else AllUpstreamsFailed([error])) from error
        finally:
            if stream:
                await stream.aclose()

    async def warm(self) -> None:
        """Open a connection to each upstream; call it at the start and when somebody begins to type."""
        await asyncio.gather(*(chat.warm() for chat in self._chats))

    async def aclose(self) -> None:
        await asyncio.gather(*(chat.aclose() for chat in self._chats))

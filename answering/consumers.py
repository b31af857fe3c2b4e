"""The socket of the ask page. The consumer only relays: runs belong to the process, so no handler ever streams
(Channels awaits handlers one after another, and one that streams cannot hear `stop`)."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from answering.anticipation import Typist
from answering.asking import question_text, read_ask, storable, uuid_field
from answering.errors import AnsweringError, BadQuestion, StoreUnavailable
from answering.events import Frame, wire
from answering.reporting import error_event
from answering.wiring import Wiring, wiring
from retrieval.consumers import NOT_LOGGED_IN, TRY_AGAIN

logger = logging.getLogger("answering")

RELAYS = 16
"""Runs that one socket may follow at once."""

FRAME_LIMIT = 64_000
"""Characters of a frame that a client may send."""

NO_RUN = "00000000-0000-0000-0000-000000000000"

RUN_NAMED = re.compile(r'"(?:id|run)" ?: ?"([0-9A-Fa-f-]{36})"')

NEXT_TRY = 5.0
"""Seconds that a socket stays open of which Postgres does not say whose it is; its page comes again."""


@dataclass(eq=False, slots=True)
class Relay:
    """The frames of one run on their way to this socket, under the `name` that its client gave it: some write UUIDs in
    capitals. A `stop` that comes before it has `begun` waits for that."""

    name: str
    begun: bool = False
    stop: bool = False
    task: asyncio.Task[None] | None = None


class AskConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Asks, follows, stops and resumes runs for one logged-in reader."""

    channel_layer_alias = "none"  # there is none of that name: this socket must outlive Redis

    user: int
    session: str
    password: str
    wiring: Wiring

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' look after the ORM's connections, which nothing here uses: it waits for the one thread of
        all sockets, and so for whoever is being found out there while Postgres hangs."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        await self.disconnect(message["code"])
        raise StopConsumer

    async def connect(self) -> None:
        self.relays: dict[str, Relay] = {}
        self.typist: Typist | None = None
        user = self.scope.get("user")
        await self.accept()
        if user is None or not user.is_authenticated:
            await self.close(code=NOT_LOGGED_IN)
            return
        self.user = user.pk
        self.session, self.password = self.scope["session"].session_key, user.password
        self.wiring = await wiring()
        self.typist = self.wiring.typist(self.user)

    async def disconnect(self, code: int) -> None:
        if self.typist is not None:
            await self.typist.aclose()
        tasks = [relay.task for relay in self.relays.values() if relay.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        body: Mapping[str, Any] = {}
        try:
            body = _parse(text_data)
            handlers: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {
                "ask": self.ask,
                "typing": self.typing,
                "stop": self.stop,
                "resume": self.resume,
            }
            handler = handlers.get(str(body.get("type")))
            if handler is None:
                raise BadQuestion("`type` must be one of ask, typing, stop, resume.")
            await handler(body)
        except AnsweringError as error:
            run = body.get("id") or body.get("run") or _named(text_data or "")
            await self._refuse(storable(str(run)), error)

    async def ask(self, body: Mapping[str, Any]) -> None:
        ask = read_ask(body, self.user, "interactive")
        if self.typist is not None:
            self.typist.asked(ask.text)
        self._relay(ask.run, str(body["id"]), lambda: self.wiring.ask(ask))

    async def resume(self, body: Mapping[str, Any]) -> None:
        run, after = uuid_field(body, "run"), body.get("after", 0)
        if not isinstance(after, int) or isinstance(after, bool) or after < 0:
            raise BadQuestion("`after` must be a whole number from 0.")
        self._relay(run, str(body["run"]), lambda: self.wiring.runs.follow(run, self.user, after))

    async def stop(self, body: Mapping[str, Any]) -> None:
        run = uuid_field(body, "run")
        relay = self.relays.get(run)
        if relay is not None and not relay.begun:
            relay.stop = True
        else:
            await self.wiring.runs.stop(run, self.user)

    async def typing(self, body: Mapping[str, Any]) -> None:
        """A hint: nothing is answered, and nothing wrong with it is told."""
        with suppress(BadQuestion):
            if self.typist is not None:
                conversation = uuid_field(body, "conversation") if body.get("conversation") else ""
                self.typist.typed(question_text(body, "text"), conversation)

    def _relay(self, run: str, name: str, frames: Callable[[], Awaitable[AsyncIterator[Frame]]]) -> None:
        previous = self.relays.pop(run, None)
        if previous is not None and previous.task is not None:
            previous.task.cancel()
        if len(self.relays) >= RELAYS:
            raise BadQuestion(f"This page follows {RELAYS} questions already. Wait until one has ended.")
        relay = self.relays[run] = Relay(name)
        relay.task = asyncio.create_task(self._send_all(run, relay, frames))
        relay.task.add_done_callback(
            lambda _: self.relays.pop(run) if self.relays.get(run) is relay else None
        )

    async def _send_all(
        self, run: str, relay: Relay, frames: Callable[[], Awaitable[AsyncIterator[Frame]]]
    ) -> None:
        try:
            # Beside each other: the question loses no time, and not one frame goes to who has logged out since.
            found, logged_in = await asyncio.gather(frames(), self._logged_in(), return_exceptions=True)
            if isinstance(logged_in, BaseException):
                raise logged_in
            if not logged_in:
                await self.close(code=NOT_LOGGED_IN)
                return
            if isinstance(found, BaseException):
                raise found
            relay.begun = True
            if relay.stop:
                await self.wiring.runs.stop(run, self.user)
            async for frame in found:
                await self._send(frame if relay.name == run else {**frame, "run": relay.name})
        except AnsweringError as error:
            await self._refuse(relay.name, error)

    async def _logged_in(self) -> bool:
        """An outage of the store logs nobody out."""
        try:
            return await self.wiring.store.has_session(self.session, self.user, self.password)
        except StoreUnavailable:
            return True

    async def _refuse(self, run: str, error: AnsweringError) -> None:
        await self._send(error_event(error).frame(run, 1))

    async def _send(self, frame: Frame) -> None:
        with suppress(OSError, RuntimeError):  # so servers say that the reader is gone; `disconnect` follows
            await self.send(text_data=wire(frame).decode())


class UnknownConsumer(AskConsumer):
    """The socket of somebody of whom Postgres does not say who it is. What they ask is refused in so many words, and
    what may be under way they hear of when they come again."""

    async def connect(self) -> None:
        self.relays, self.typist = {}, None
        await self.accept()
        self.end = asyncio.create_task(self._come_again(NEXT_TRY))

    async def disconnect(self, code: int) -> None:
        self.end.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.heard = False
        await super().receive(text_data, bytes_data)
        if self.heard:
            await self._come_again()

    async def ask(self, body: Mapping[str, Any]) -> None:
        self.heard = True
        raise StoreUnavailable

    async def resume(self, body: Mapping[str, Any]) -> None:
        self.heard = True

    async def stop(self, body: Mapping[str, Any]) -> None:
        self.heard = True

    async def _come_again(self, seconds: float = 0) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError, RuntimeError):
            await self.close(code=TRY_AGAIN)


def _named(text: str) -> str:
    """The run that a frame is about which is no JSON, or too long to be read."""
    found = RUN_NAMED.search(text)
    return found[1] if found else NO_RUN


def _parse(text: str | None) -> Mapping[str, Any]:
    if text is None or len(text) > FRAME_LIMIT:
        raise BadQuestion(f"A frame must be JSON text of at most {FRAME_LIMIT} characters.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise BadQuestion("A frame must be JSON.") from None
    if not isinstance(body, dict):
        raise BadQuestion("A frame must be a JSON object.")
    return body

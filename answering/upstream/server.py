"""The simulated upstream itself: routes, faults, capacity and runtime control."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from answering.upstream import replies
from answering.upstream.behaviour import Behaviour, Draw, Kind, draw, uniform
from answering.upstream.capacity import Capacity
from answering.upstream.chat import FOR_EVER, Chat
from answering.upstream.tally import Call, Tally
from answering.upstream.wire import Connection, Request, close

SERVER_ERRORS = (500, 502, 503)


class SimulatedUpstream:
    """An OpenAI-compatible server that behaves as told. `async with` starts and stops it.

    `vectoriser` (texts -> unit vectors, called in a thread) replaces the vectors of hashed words."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        name: str = "simulated",
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int | None = None,
        vectoriser: replies.Vectoriser | None = None,
        **settings: Any,
    ) -> None:
        self.behaviour = (behaviour or Behaviour()).changed(**settings)
        self.name = name
        self.tally = Tally()
        self.recent: deque[tuple[str, dict[str, str], Any]] = deque(maxlen=200)
        self._host, self._port, self._control_port = host, port, control_port
        self._vectoriser = vectoriser
        self._capacity = Capacity()
        self._connections: set[Connection] = set()
        self._controllers: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._control_server: asyncio.Server | None = None
        self._started = time.monotonic()
        self._unnamed = 0

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}/v1"

    @property
    def control_url(self) -> str:
        """Answers while the upstream itself refuses connections, when there is a control port."""
        return f"http://{self._host}:{self._control_port or self._port}/control"

    @property
    def port(self) -> int:
        return self._port

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens. Port 0 becomes the one that was free."""
        loop = asyncio.get_running_loop()
        self._started = time.monotonic()
        if self._control_port is not None:
            make = lambda: Connection(self._control, self._controllers)  # noqa: E731
            self._control_server = await loop.create_server(make, self._host, self._control_port)
            self._control_port = self._control_server.sockets[0].getsockname()[1]
        await self._listen()
        if self.behaviour.refuse:
            await self._refuse()

    async def stop(self) -> None:
        """Stops listening, cuts what is open, and waits until nothing runs."""
        tasks = [c.task for c in self._connections | self._controllers if c.task is not None]
        for server in (self._server, self._control_server):
            if server is not None:
                await close(server, lambda: self._abort(self._connections | self._controllers))
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server = self._control_server = None

    @staticmethod
    def _abort(connections: set[Connection]) -> None:
        for connection in list(connections):
            connection.abort()

    async def change(self, **settings: Any) -> None:
        """Changes the behaviour while it runs; requests under way keep their draw, and the first burst begins now.
        Raises ValueError."""
        before, self.behaviour = self.behaviour, self.behaviour.changed(**settings)
        self._started = time.monotonic()
        self._capacity.resize(self.behaviour.capacity if self.behaviour.over_capacity == "queue" else 0)
        if self.behaviour.refuse and not before.refuse:
            await self._refuse()
        elif before.refuse and not self.behaviour.refuse:
            await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        make = lambda: Connection(self._serve, self._connections)  # noqa: E731
        self._server = await loop.create_server(make, self._host, self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        self._capacity.resize(self.behaviour.capacity if self.behaviour.over_capacity == "queue" else 0)

    async def _refuse(self) -> None:
        assert self._server is not None
        await close(self._server, lambda: self._abort(self._connections))

    async def _serve(self, request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0].removeprefix("/v1").rstrip("/")
        if path.startswith("/control"):
            await self._control(request, connection)
        elif request.method == "GET" and path == "/models":
            model = {"id": self.name, "object": "model", "created": 0, "owned_by": "simulated"}
            connection.reply(200, {"object": "list", "data": [model]})
        elif request.method == "POST" and path in self._routes:
            await self._answer(path, request, connection)
        else:
            connection.reply(404, {"error": {"message": f"{request.method} {request.path} is not simulated"}})

    @property
    def _routes(self) -> Mapping[str, tuple[Kind, Callable[..., Any]]]:
        return {
            "/chat/completions": ("chat", self._chat),
            "/embeddings": ("embedding", self._embed),
            "/rerank": ("rerank", self._rerank),
        }

    async def _answer(self, path: str, request: Request, connection: Connection) -> None:
        """Draws what happens to the request, does it, and counts it."""
        try:
            body = json.loads(request.body)
        except ValueError:
            connection.reply(400, {"error": {"message": "the body is not JSON"}})
            return
        kind, handler = self._routes[path]
        self._unnamed += 1
        key = request.headers.get("x-request-id") or f"unnamed-{self._unnamed}"
        self.recent.append((path, request.headers, body))
        attempt = self.tally.attempts(kind, key)
        with self.tally.call(kind, key) as call:
            drawn = self._drawn(kind, key, attempt)
            call.fate = drawn.fate
            if drawn.fate in {"throttled", "error"}:
                await self._fail(drawn, connection)
            elif kind == "chat":
                async with self._capacity.place():
                    await handler(body, drawn, call, connection)
            else:
                await handler(body, drawn, call, connection)

    def _drawn(self, kind: Kind, key: str, attempt: int) -> Draw:
        """The draw of the request, with what time and load do to it."""
        behaviour = self.behaviour
        drawn = draw(behaviour, kind, key, attempt)
        fate, latency = drawn.fate, drawn.latency
        if kind == "chat" and behaviour.burst_every and self._in_burst():
            latency *= behaviour.burst_slow
            if uniform(behaviour.seed, "burst", key, attempt) < behaviour.burst_errors:
                fate = "error"
        load = self.tally.in_flight["chat"]
        if kind == "chat" and behaviour.capacity and load > behaviour.capacity:
            if behaviour.over_capacity == "throttle":
                fate = "throttled"
            elif behaviour.over_capacity == "slow":
                latency *= load / behaviour.capacity
        return Draw(fate, latency, drawn.pace, drawn.spare)

    def _in_burst(self) -> bool:
        return (time.monotonic() - self._started) % self.behaviour.burst_every < self.behaviour.burst_for

    async def _fail(self, drawn: Draw, connection: Connection) -> None:
        """429 comes at once, 5xx after a part of the latency."""
        if drawn.fate == "throttled":
            headers = {"Retry-After": f"{self.behaviour.retry_after:g}"}
            connection.reply(429, {"error": {"message": "too many requests", "type": "rate_limit"}}, headers)
            return
        await asyncio.sleep(drawn.latency * drawn.spare)
        status = SERVER_ERRORS[int(drawn.spare * 1000) % len(SERVER_ERRORS)]
        connection.reply(status, {"error": {"message": "simulated failure", "type": "server_error"}})

    async def _chat(self, body: dict[str, Any], drawn: Draw, call: Call, connection: Connection) -> None:
        most = body.get("max_completion_tokens") or body.get("max_tokens") or self.behaviour.tokens
        thoughts = replies.thoughts(min(self.behaviour.reasoning, most))
        left = min(self.behaviour.tokens, most - len(thoughts))
        tokens = replies.answer(body.get("messages", ()), left, invent=self.behaviour.invent) if left else []
        finish = "stop" if tokens else "length"
        model = body.get("model", self.name)
        chat = Chat(self.behaviour, drawn, call, connection, model, tokens, thoughts, finish)
        if body.get("stream"):
            await chat.stream(with_usage=bool((body.get("stream_options") or {}).get("include_usage")))
        else:
            await chat.whole()

    async def _embed(self, body: dict[str, Any], drawn: Draw, call: Call, connection: Connection) -> None:
        given = body.get("input", "")
        texts = [given] if isinstance(given, str) else list(given)
        self.tally.texts += len(texts)
        await asyncio.sleep(FOR_EVER if drawn.fate == "hang" else drawn.latency)
        call.first_byte = time.monotonic()
        if drawn.fate == "malformed":
            connection.reply_bytes(200, "application/json", b'{"data": [{"embedding":')
            return
        dimensions = body.get("dimensions") or self.behaviour.dimensions
        if self._vectoriser is None:
            vectors = replies.hashed(texts, dimensions)
        else:
            vectors = await asyncio.to_thread(self._vectoriser, texts)
        model, encoding = body.get("model", self.name), body.get("encoding_format", "float")
        connection.reply(200, replies.embeddings(vectors, model, encoding))

    async def _rerank(self, body: dict[str, Any], drawn: Draw, call: Call, connection: Connection) -> None:
        await asyncio.sleep(FOR_EVER if drawn.fate in {"hang", "stall"} else drawn.latency)
        call.first_byte = time.monotonic()
        if drawn.fate == "malformed":
            connection.reply_bytes(200, "application/json", b'{"results": [{"index":')
            return
        texts = [d if isinstance(d, str) else d.get("text", "") for d in body.get("documents", ())]
        results = replies.reranked(body.get("query", ""), texts)[: body.get("top_n") or None]
        connection.reply(200, {"model": body.get("model", self.name), "results": results})

    async def _control(self, request: Request, connection: Connection) -> None:
        """GET and POST `/control` (behaviour), GET `/control/stats`, POST `/control/reset`."""
        path, _, query = request.path.removeprefix("/v1").partition("?")
        try:
            match request.method, path:
                case "GET", "/control/stats":
                    connection.reply(200, self.tally.as_json(requests="brief" not in query))
                    return
                case "POST", "/control/reset":
                    self.tally.reset()
                case "POST", "/control":
                    await self.change(**json.loads(request.body))
                case "GET", "/control":
                    pass
                case _:
                    raise ValueError(f"{request.method} {request.path} is no control")
        except (ValueError, TypeError) as error:
            connection.reply(400, {"error": {"message": str(error)}})
            return
        connection.reply(200, asdict(self.behaviour))

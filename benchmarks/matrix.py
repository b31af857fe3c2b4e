"""The fault matrix: each dependency ok, slow, failing or hanging, and every pair of such faults, on real parts.

Whatever fails, a question must come to one end, in time, and what the answer says of itself must be true."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from django.test.utils import override_settings
from redis.exceptions import RedisError

from answering import assembly, wiring
from answering.assembly import DEPENDENCIES
from answering.engine import Engine
from answering.errors import AnsweringError
from answering.events import TERMINAL, Frame
from answering.generation import Generator, Upstream
from answering.parts import Breakers, Lexical, Parts
from answering.reporting import error_event
from answering.resilience.breaker import Breaker
from answering.runs import RunManager
from answering.store import Ask
from answering.upstream import Behaviour, SimulatedUpstream
from answering.wiring import Wiring
from benchmarks import library
from benchmarks.faultproxy import FaultProxy, Mode
from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.passages import Ranking

PARTS = ("embedder", "model_a", "model_b", "postgres", "redis", "lexical")
STATES = ("ok", "slow", "error", "hang")
DOWN = {"error", "hang"}
TOPICS = 8
"""Of the library: enough for a question for each cell."""
MODEL, DIMENSIONS = "simulated-embedding", 384
BUDGETS = {
    **{"embed": 500, "lexical": 500, "vector": 500, "context": 300},
    **{"first_token": 900, "token_gap": 400, "usable": 700, "answer": 4000},
}
"""Milliseconds: shorter than in production, so that hangs are soon over."""

LONGEST = 2.0 + BUDGETS["answer"] / 1000 + 1.0
"""Seconds: to store the question, to answer it, and for a busy machine."""

REDIS_PATIENCE = 0.7
"""Seconds after which an answer must know that Redis hangs; a shorter one may end before."""

Cell = Mapping[str, str]


def cells() -> Iterator[Cell]:
    """All parts ok, each fault alone, and each pair of faults in two parts."""
    calm = dict.fromkeys(PARTS, "ok")
    yield calm
    faults = [(part, state) for part in PARTS for state in STATES[1:]]
    for part, state in faults:
        yield {**calm, part: state}
    for (first, one), (second, other) in itertools.combinations(faults, 2):
        if first != second:
            yield {**calm, first: one, second: other}


def name_of(cell: Cell) -> str:
    return ", ".join(f"{part} {state}" for part, state in cell.items() if state != "ok") or "all ok"


@dataclass(slots=True)
class FaultyLexical:
    """The lexical leg, in a settable state."""

    inner: Lexical
    state: str = "ok"

    async def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        match self.state:
            case "error":
                raise LexicalError("The index is damaged.")
            case "hang":
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(0.2)
        return await self.inner.search(query, scope, k)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader of one question saw, and which model's answer was whole."""

    cell: Cell
    frames: Sequence[Frame]
    seconds: float
    told_by: str

    @property
    def text(self) -> str:
        text = ""
        for frame in self.frames:
            if frame["type"] in {"delta", "replace"}:
                text = frame["text"] if frame["type"] == "replace" else text + frame["text"]
        return text


@dataclass(slots=True)
class Stack:
    """One pipeline with a proxy or a simulated server in place of each dependency."""

    models: Mapping[str, SimulatedUpstream]
    proxies: Mapping[str, FaultProxy]
    lexical: FaultyLexical
    built: Wiring
    upstreams: Sequence[Upstream]
    user: int

    async def put(self, part: str, state: str) -> None:
        if part == "lexical":
            self.lexical.state = state
        elif part in self.proxies:
            modes: Mapping[str, Mode] = {"error": "error", "hang": "hang"}
            await self.proxies[part].change(modes.get(state, "ok"), delay=0.03 if state == "slow" else 0.0)
        elif part == "embedder":
            slow = "fixed:200" if state == "slow" else "fixed:5"
            await self.models[part].change(
                embedding=slow,
                embedding_errors=float(state == "error"),
                embedding_hang=float(state == "hang"),
            )
        else:
            await self.models[part].change(
                first_token="fixed:400" if state == "slow" else "fixed:20",
                token_gap="fixed:30" if self.proxies["redis"].mode == "hang" else "fixed:2",
                errors=float(state == "error"),
                hang=float(state == "hang"),
            )

    async def see(self, cell: Cell, text: str) -> Seen:
        """Asks one question in a cell, of a pipeline that has had no faults before."""
        generator = Generator(self.upstreams)
        runs = RunManager(self.built.store, self.built.redis, Engine(self._parts(generator)))
        self.built.recovery.manager = runs
        await self.put("redis", cell["redis"])  # first: the models' pace depends on it
        await asyncio.gather(*(self.put(part, state) for part, state in cell.items()))
        ask = Ask(str(uuid.uuid4()), self.user, text)
        begun = time.monotonic()
        frames: list[Frame] = []
        try:
            async with asyncio.timeout(4 * LONGEST):
                async for frame in await runs.ask(ask):
                    frames.append(frame)
        except AnsweringError as error:  # the socket tells it as a frame
            frames.append(error_event(error).frame(ask.run, len(frames) + 1))
        except TimeoutError:
            pass  # no terminal frame: `untrue` says so
        seconds = time.monotonic() - begun
        told_by = self._told_by(ask.run)
        await asyncio.gather(*(self.put(part, "ok") for part in PARTS))
        await runs.aclose()
        await generator.aclose()
        await self._healed()
        return Seen(cell, frames, seconds, told_by)

    def _parts(self, generator: Generator) -> Parts:
        """The parts with breakers that know of nothing yet."""
        breakers = Breakers(*map(Breaker, DEPENDENCIES))
        return replace(self.built.parts, lexical=self.lexical, breakers=breakers, generator=generator)

    def _told_by(self, run: str) -> str:
        """The model that sent all its tokens."""
        for name in ("model_a", "model_b"):
            calls = self.models[name].tally.requests.get(run, ())
            if any(call.tokens and not call.cancelled and call.fate == "ok" for call in calls):
                return name
        return ""

    async def _healed(self) -> None:
        """Waits until Postgres and Redis can be asked again: connections that broke are made anew behind the
        scenes."""
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.built.store.scope(self.user)
                    await self.built.redis.ping()
                    return
                except (AnsweringError, RedisError, OSError):
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def stack(user: int, sockets: Path, database: str, lexical_dir: Path) -> AsyncIterator[Stack]:
    """A stack of its own on the bundled Postgres and Redis that listen in `sockets`."""
    async with AsyncExitStack() as opened:
        quick = Behaviour(first_token="fixed:20", token_gap="fixed:2", tokens=30, embedding="fixed:5")
        models = {
            name: await opened.enter_async_context(SimulatedUpstream(quick, name=name))
            for name in ("embedder", "model_a", "model_b")
        }
        proxies = {
            "postgres": await opened.enter_async_context(FaultProxy(sockets / ".s.PGSQL.5432")),
            "redis": await opened.enter_async_context(FaultProxy(sockets / "redis.sock")),
        }
        with override_settings(
            OPENAI_BASE_URL=models["model_a"].base_url,
            FALLBACK_BASE_URL=models["model_b"].base_url,
            HAS_MODEL=True,
            ANSWER_MODEL="simulated",
            FALLBACK_MODEL="simulated",
            EMBEDDING_BASE_URL=models["embedder"].base_url,
            HAS_REMOTE_EMBEDDER=True,
            EMBEDDING_MODEL=MODEL,
            EMBEDDING_DIMENSIONS=DIMENSIONS,
            BUDGETS_MS=BUDGETS,
            DATABASE_URL=f"postgresql://postgres@127.0.0.1:{proxies['postgres'].port}/{database}",
            REDIS_URL=f"redis://127.0.0.1:{proxies['redis'].port}/0",
            LEXICAL_DIR=lexical_dir,
            LEXICAL_ENGINE="tantivy",
        ):
            built = await wiring.build()
            opened.push_async_callback(built.aclose)
            upstreams = assembly.upstreams()
        await built.recovery.aclose()  # stacks share a database: none may take over another's runs
        async with asyncio.timeout(60):
            while built.index_state() is not None:  # noqa: ASYNC110 - a thread's state
                await asyncio.sleep(0.05)
        lexical = FaultyLexical(built.parts.lexical)
        yield Stack(models, proxies, lexical, built, upstreams, user)


async def see_all(stacks: Sequence[Stack], wanted: Sequence[Cell]) -> list[Seen]:
    """Every cell, the stacks side by side, each question another one."""
    todo = list(zip(wanted, library.questions(TOPICS), strict=False))
    seen: list[Seen] = []

    async def work(own: Stack) -> None:
        while todo:
            seen.append(await own.see(*todo.pop()))

    async with asyncio.TaskGroup() as group:
        for own in stacks:
            group.create_task(work(own))
    return seen


def untrue(seen: Seen) -> list[str]:
    """What is wrong with an answer, or with what it says of itself; nothing where all is well."""
    types = [frame["type"] for frame in seen.frames]
    if sum(kind in TERMINAL for kind in types) != 1 or types[-1] not in TERMINAL:
        return [f"no single end: {types}"]
    wrong = []
    if [frame["seq"] for frame in seen.frames] != list(range(1, len(types) + 1)):
        wrong.append("numbers have a gap")
    if seen.seconds > LONGEST:
        wrong.append(f"took {seen.seconds:.1f} s")
    last = seen.frames[-1]
    if last["type"] == "error":
        return wrong + _refusal_untrue(seen, last)
    words = [kind for kind in types if kind in {"delta", "replace"}]
    if not words or "citations" not in types or types.index("citations") > types.index(words[0]):
        wrong.append("no sources before the first word")
    return wrong + _route_untrue(seen, last) + _finish_untrue(seen, last)


def _refusal_untrue(seen: Seen, last: Frame) -> list[str]:
    """A refusal is right where Postgres is down, or where both legs are told to be lost."""
    codes = [frame["code"] for frame in seen.frames if frame["type"] == "notice"]
    searchless = any(code.startswith("lexical_") for code in codes) and any(
        code.startswith(("embed_", "vector_")) for code in codes
    )
    if seen.cell["postgres"] not in DOWN and not searchless:
        return [f"refused with {last['code']} though an answer was to be had: {codes}"]
    return [] if last.get("retry_after") else ["a refusal without a time to come back"]


def _route_untrue(seen: Seen, last: Frame) -> list[str]:
    """The route is that of the legs that worked, and each leg that did not is told."""
    cell, codes = seen.cell, last["degraded"]
    told = {leg: any(code.startswith(leg) for code in codes) for leg in ("lexical_", "embed_", "vector_")}
    meaning_lost = told["embed_"] or told["vector_"]
    route = "vector" if told["lexical_"] else "lexical" if meaning_lost else "hybrid"
    wrong = []
    if last["route"] != route:
        wrong.append(f"route {last['route']}, though {codes} says {route}")
    if cell["lexical"] in DOWN and not told["lexical_"]:
        wrong.append("the lexical index was down, and nothing says so")
    if cell["embedder"] in DOWN and not told["embed_"]:
        wrong.append("the embedder was down, and nothing says so")
    noticed = cell["redis"] == "error" or (cell["redis"] == "hang" and seen.seconds > REDIS_PATIENCE)
    if noticed and "redis_unavailable" not in codes:
        wrong.append("Redis was down, and nothing says so")
    if all(state == "ok" for state in cell.values()) and codes:
        wrong.append(f"all was well, and it says {codes}")
    return wrong


def _finish_untrue(seen: Seen, last: Frame) -> list[str]:
    """The finish is what became of the models."""
    codes, finish = last["degraded"], last["finish"]
    failed = any(code.startswith("generate_") for code in codes)
    down = seen.cell["model_a"] in DOWN and seen.cell["model_b"] in DOWN
    short = "partial" if "stream_cut" in codes else "complete"
    expected = short if not failed else "cached" if "similar_answer" in codes else "extractive"
    wrong = []
    if finish != expected:
        wrong.append(f"finish {finish}, though {codes} says {expected}")
    if down and not failed:
        wrong.append(f"both models were down, and it says {codes}")
    if finish == "complete" and not seen.told_by:
        wrong.append("complete, though no model told all")
    other = any(code.startswith("llm_") for code in codes)
    if finish == "complete" and other != (seen.told_by == "model_b"):
        wrong.append(f"told by {seen.told_by}, and it says {codes}")
    sent = {
        passage["n"] for frame in seen.frames if frame["type"] == "citations" for passage in frame["passages"]
    }
    if not last["cited"] or not set(last["cited"]) <= sent:
        wrong.append(f"cites {last['cited']} of {sorted(sent)}")
    return wrong

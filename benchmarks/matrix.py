"""The fault matrix: each dependency ok, slow, failing or hanging, and every pair of such faults, on real parts.

What must hold in each cell is in `cells`."""

import asyncio
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
from answering.events import Frame
from answering.generation import Generator, Upstream
from answering.legs import Lexical
from answering.parts import Breakers, Parts
from answering.reporting import error_event
from answering.resilience.breaker import Breaker
from answering.runs import RunManager
from answering.store import Ask
from answering.upstream import Behaviour, SimulatedUpstream
from answering.wiring import Wiring
from benchmarks.cells import BUDGETS, LONGEST, PARTS, Cell, Seen
from benchmarks.faultproxy import FaultProxy, Mode
from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.passages import Ranking

TOPICS = 8
"""Of the library: enough for a question for each cell."""
MODEL, DIMENSIONS = "simulated-embedding", 384


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


async def see_all(stacks: Sequence[Stack], wanted: Sequence[Cell], questions: Iterator[str]) -> list[Seen]:
    """Every cell, the stacks side by side, each with the next of the questions."""
    todo = list(zip(wanted, questions, strict=False))
    seen: list[Seen] = []

    async def work(own: Stack) -> None:
        while todo:
            seen.append(await own.see(*todo.pop()))

    async with asyncio.TaskGroup() as group:
        for own in stacks:
            group.create_task(work(own))
    return seen

"""The full product of {embedder, two models, Postgres, Redis, lexical index} x {ok, slow, error, hang}, 4,096 cells,
under a controlled clock. The engine, the run manager, the generator and the embedding cache are real; what they
depend on follows a script. Here Postgres fails once the question is stored; `test_fault_matrix` has it fail before."""

import asyncio
import itertools
import logging
import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import pytest
import redis.exceptions

from answering.budgets import Budgets
from answering.caches.embedding import CachedEmbedder
from answering.engine import Engine
from answering.errors import AnsweringError, StoreUnavailable, UpstreamBroken
from answering.generation import Generator
from answering.prompting import Prompts
from answering.reporting import error_event
from answering.runs import RunManager
from answering.store import Ask, Begun
from answering.streams import Upstream
from answering.thoughts import Habits
from benchmarks.cells import BUDGETS, DOWN, PARTS, STATES, Seen, name_of, untrue
from retrieval.access import AccessScope
from retrieval.errors import EmbeddingError, LexicalError, VectorError
from tests.clock import autojump
from tests.fake_parts import CONVERSATION, HANG, Script, make_parts

ANSWER = ("You get 21 days ", "of annual leave [1]. ", "The year starts ", "in January [2].")
UPSTREAMS = [Upstream(name, "http://127.0.0.1:9/v1", "none", name) for name in ("model_a", "model_b")]
AT_ONCE = 256


async def take(state, *, ok=0.0, slow, error):
    """What a dependency in this state does before it answers."""
    if state == "error":
        raise error
    await asyncio.sleep({"ok": ok, "slow": slow, "hang": HANG}[state])


def outcome(state, *, slow, error):
    """The same, as a step of a Script."""
    return error if state == "error" else {"ok": 0.002, "slow": slow, "hang": HANG}[state]


@dataclass
class ScriptedModel:
    """A `Chat` whose first token follows its state; `told` are the runs that it answered to the end."""

    upstream: Upstream
    state: str
    told: set[str] = field(default_factory=set)
    habits: Habits = field(default_factory=Habits)

    async def open(self, messages, *, max_tokens, deadline, request_id=""):
        return ScriptedStream(self._texts(request_id))

    async def _texts(self, run):
        await take(self.state, ok=0.1, slow=0.4, error=UpstreamBroken(self.upstream.name, "500"))
        for word in ANSWER:
            yield word
            await asyncio.sleep(0.2)
        self.told.add(run)

    async def warm(self):
        pass

    async def aclose(self):
        pass


@dataclass
class ScriptedStream:
    texts: object
    finished: bool = False
    cut_short: bool = False

    async def __anext__(self):
        return await anext(self.texts)

    async def aclose(self):
        await self.texts.aclose()


class ScriptedGenerator(Generator):
    """The real one, its two clients scripted."""

    def __init__(self, states):
        self.models = list(map(ScriptedModel, UPSTREAMS, states))
        chat = dict(zip(UPSTREAMS, self.models, strict=True)).__getitem__
        super().__init__(UPSTREAMS, clock=asyncio.get_running_loop().time, chat=chat)


@dataclass
class ScriptedRedis:
    """As much of a Redis client as runs and caches use."""

    state: str

    async def _answer(self):
        await take(self.state, slow=0.03, error=redis.exceptions.ConnectionError("gone"))

    async def get(self, name):
        await self._answer()

    async def set(self, name, value, ex=None):
        await self._answer()

    def register_script(self, script):
        return self._append

    async def _append(self, keys, args):
        await self._answer()
        return args[2::3]


@dataclass
class ScriptedStore:
    """Stores a question; whether it stores the end depends on Postgres."""

    state: str

    async def begin(self, ask):
        return Begun(CONVERSATION, AccessScope(frozenset({1})), new=True)

    def finishing(self, question, record):
        return nullcontext()

    async def finish(self, run, values):
        await take(self.state, slow=0.1, error=StoreUnavailable())


@dataclass
class ScriptedEmbedder:
    """An Embedder that asks the script."""

    embed: object
    name: str = "scripted"
    dimensions: int = 4

    async def embed_query(self, text, *, timeout):
        return await self.embed(text, None)


def script(cell):
    down = VectorError("down")
    return Script(
        lexical=outcome(cell["lexical"], slow=0.2, error=LexicalError("down")),
        embed=outcome(cell["embedder"], slow=0.2, error=EmbeddingError("down")),
        vector=outcome(cell["postgres"], slow=0.1, error=down),
        passages=outcome(cell["postgres"], slow=0.1, error=down),
        history=outcome(cell["postgres"], slow=0.1, error=StoreUnavailable()),
    )


async def see(cell):
    """One question in a cell."""
    loop = asyncio.get_running_loop()
    parts, scripted = make_parts(script(cell), Budgets.from_milliseconds(BUDGETS))
    client = ScriptedRedis(cell["redis"])
    embedder = CachedEmbedder(ScriptedEmbedder(scripted.embed), client, on_result=lambda cache, result: None)
    generator = ScriptedGenerator([cell["model_a"], cell["model_b"]])
    parts = replace(
        parts,
        embed=lambda text, deadline: embedder.embed_query(text, timeout=deadline.remaining()),
        prompts=Prompts(),
        generator=generator,
    )
    runs = RunManager(ScriptedStore(cell["postgres"]), client, Engine(parts))
    ask = Ask(str(uuid.uuid4()), 1, "How many days of annual leave do I get?")
    frames, begun = [], loop.time()
    try:
        async for frame in await runs.ask(ask):
            frames.append(frame)
    except AnsweringError as error:
        frames.append(error_event(error).frame(ask.run, len(frames) + 1))
    seconds = loop.time() - begun
    await runs.aclose()
    await generator.aclose()
    told_by = next((model.upstream.name for model in generator.models if ask.run in model.told), "")
    return Seen(cell, frames, seconds, told_by)


def wrong_with(seen):
    """With the clock under control nothing is late by chance, so each level is known beforehand."""
    wrong = untrue(seen)
    cell, last = seen.cell, seen.frames[-1]
    searched = cell["postgres"] not in DOWN and not (cell["lexical"] in DOWN and cell["embedder"] in DOWN)
    if searched != (last["type"] == "done"):
        return [*wrong, f"ended in {last}"]
    modelled = cell["model_a"] not in DOWN or cell["model_b"] not in DOWN
    expected = "complete" if modelled else "extractive"
    if searched and last["finish"] != expected:
        wrong.append(f"finish {last['finish']}, not {expected}: {last['degraded']}")
    return wrong


@pytest.mark.slow
@autojump
async def test_every_cell_ends_once_in_time_and_names_its_level():
    logging.disable(logging.WARNING)
    cells = [dict(zip(PARTS, states, strict=True)) for states in itertools.product(STATES, repeat=len(PARTS))]
    wrong = {}
    try:
        for start in range(0, len(cells), AT_ONCE):
            for seen in await asyncio.gather(*map(see, cells[start : start + AT_ONCE])):
                if problems := wrong_with(seen):
                    wrong[name_of(seen.cell)] = problems
    finally:
        logging.disable(logging.NOTSET)

    assert len(cells) == 4096
    assert not wrong

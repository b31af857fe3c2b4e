"""Runs a profile: questions come at their times, things change at theirs, and all that happened is noted."""

import asyncio
import gc
import random
import time
import uuid
from collections.abc import Sequence

from prometheus_client import REGISTRY

from answering.errors import AnsweringError
from answering.events import Frame
from answering.runs import RunManager
from answering.store import Ask
from answering.streams import Upstream
from benchmarks import library
from benchmarks.arrivals import drive, poisson
from benchmarks.bed import Pipeline, pipeline
from benchmarks.figures import Asked
from benchmarks.outcome import Outcome
from benchmarks.profiles import Profile
from benchmarks.sequential import Sequential
from benchmarks.servers import Simulated
from benchmarks.watch import watched
from retrieval.embeddings.openai import OpenAIEmbedder

NAMES = uuid.UUID("6f3c1d0e-3a54-4d0b-9c57-2d4f1f5f9b11")
PATIENCE = 60.0
"""Seconds after which a question that has not ended counts as one without an end."""

Question = tuple[Asked, str]


def questions(profile: Profile, count: int, *, warm: bool = False) -> list[Question]:
    """The first `count` questions of a profile, the same ids and priorities in every run; `warm` ones are others,
    for what was asked before is answered from the cache."""
    chance = random.Random(profile.name)
    priorities = chance.choices(list(profile.priorities), list(profile.priorities.values()), k=count)
    texts = list(library.questions())
    kind = "warm" if warm else ""
    return [
        (
            Asked(str(uuid.uuid5(NAMES, f"{profile.name}/{kind}{at}")), 0.0, priority=priority),
            texts[-at - 1 if warm else at],
        )
        for at, priority in enumerate(priorities)
    ]


async def run(profile: Profile, simulated: Simulated, user: int) -> Outcome:
    behaviours = {
        name: await simulated.set(name, **profile.settings(name)) for name in ("a", "b", "embedder")
    }
    outcome = Outcome(profile, behaviours)
    with watched() as watch:
        async with pipeline(profile, simulated, user) as built, asyncio.TaskGroup() as group:
            if profile.warm:
                await _ours(built.runs, questions(profile, profile.warm, warm=True), profile, user)
            await simulated.reset()
            counted = counters()
            gc.collect()
            outcome.start, cpu = time.monotonic(), time.process_time()
            changing = group.create_task(_change(profile, simulated, built))
            if profile.beside and profile.baseline:
                group.create_task(_baseline(outcome, built, simulated))
            outcome.ours = questions_of(asked := questions(profile, profile.count))
            await _ours(built.runs, asked, profile, user)
            if not profile.beside or not profile.baseline:
                outcome.cpu = time.process_time() - cpu
            outcome.counters = {name: value - counted.get(name, 0.0) for name, value in counters().items()}
            outcome.calls = {name: await simulated.calls(name) for name in ("a", "b")}
            if profile.baseline and not profile.beside:
                await _baseline(outcome, built, simulated)
            changing.cancel()
    outcome.errors = watch.seen
    return outcome


def questions_of(asked: Sequence[Question]) -> list[Asked]:
    return [each for each, _ in asked]


async def _ours(runs: RunManager, asked: Sequence[Question], profile: Profile, user: int) -> None:
    async def ask(question: Question) -> None:
        await _ask(runs, *question, user)

    await drive(asked, list(poisson(profile.rate, len(asked), seed=1)), ask)


async def _ask(runs: RunManager, asked: Asked, text: str, user: int) -> None:
    """Asks one question as the socket does, and notes what its reader sees."""
    asked.asked = time.monotonic()
    ask = Ask(asked.id, user, text, priority=asked.priority)
    try:
        async with asyncio.timeout(PATIENCE):
            async for frame in await runs.ask(ask):
                _note(asked, frame, time.monotonic())
    except AnsweringError as error:  # what the socket tells as an error frame
        asked.terminals += 1
        asked.finish = f"error {type(error).__name__}"
    except TimeoutError:
        asked.finish = "no end"
    asked.ended = time.monotonic()


def _note(asked: Asked, frame: Frame, now: float) -> None:
    kind = frame["type"]
    if kind == "citations":
        asked.first_citation = min(asked.first_citation, now)
    elif kind == "notice":
        asked.degraded.append(str(frame["code"]))
    elif kind in {"delta", "replace"}:
        extract = asked.degraded[-1:] == ["provisional_extract"] and asked.usable > now
        asked.usable = min(asked.usable, now)
        if not extract:
            asked.first_token = min(asked.first_token, now)
    elif kind in {"done", "error"}:
        asked.terminals += 1
        asked.finish = str(frame.get("finish") or f"error {frame['code']}")
        asked.route = str(frame.get("route", ""))
        asked.stages = list(frame.get("stages", ()))
        if asked.finish in {"extractive", "cached"}:
            asked.first_token = float("inf")


async def _baseline(outcome: Outcome, built: Pipeline, simulated: Simulated) -> None:
    """The sequential pipeline on the first questions, at a rate that makes both take as long."""
    profile = outcome.profile
    model = Upstream("baseline", simulated.urls["twin_a"], "none", "simulated")
    embedder = OpenAIEmbedder(
        base_url=simulated.urls["twin_embedder"], api_key="none", model="simulated-embedding", dimensions=384
    )
    sequential = Sequential(built.plain, built.scope, model, embedder)
    asked = questions(profile, profile.baseline)
    rate = profile.rate * profile.baseline / profile.count if profile.beside else profile.rate

    async def ask(question: Question) -> None:
        question[0].asked = time.monotonic()
        await sequential.ask(*question)

    try:
        await drive(asked, list(poisson(rate, len(asked), seed=1)), ask)
    finally:
        await sequential.aclose()
    outcome.baseline = questions_of(asked)


async def _change(profile: Profile, simulated: Simulated, built: Pipeline) -> None:
    """Applies the changes of a profile at their times."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for change in profile.changes:
        await asyncio.sleep(start + change.at - loop.time())
        if change.whom in built.proxies:
            await built.proxies[change.whom].change(**change.settings)
        else:
            await simulated.change(change.whom, **change.settings)


def counters() -> dict[str, float]:
    """The application's counters, by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for metric in REGISTRY.collect()
        if metric.name.startswith("qa_") and metric.type == "counter"
        for sample in metric.samples
        if sample.name.endswith("_total")
    }

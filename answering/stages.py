"""A run while it is answered: its deadline, its stages, and what it tells its reader.

`Run.stage` is the only place where a failure becomes a value: it gives each piece of work its budget, times it,
counts its outcome, and returns the fallback where the work does not come to an end in time or in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from answering import events, metrics
from answering.errors import AnsweringError, Shed
from answering.resilience.breaker import Breaker, Call
from answering.resilience.deadline import Deadline
from answering.resilience.lateness import Lateness
from retrieval.access import AccessScope
from retrieval.errors import RetrievalError

logger = logging.getLogger("answering")

T = TypeVar("T")
F = TypeVar("F")

NOTICES = {
    "embed": "The search by meaning was left out; these sources were found by their words.",
    "vector": "The search by meaning was left out; these sources were found by their words.",
    "lexical": "The search by words was left out; these sources were found by their meaning.",
    "passages": "Not all that was found could be read; these sources were found first.",
    "rerank": "The sources were not looked at a second time; they stand in the order in which the search found them.",
    "context": "The passages could not be trimmed in time; the model was given them whole.",
    "generate": "The model did not answer, or not to the end.",
    "cache": "The answer cache could not be reached.",
}

RUNGS = {
    "llm_hedged": "generate",
    "llm_fallback": "generate",
    "llm_continued": "generate",
    "provisional_extract": "generate",
    "similar_answer": "generate",
    "stream_cut": "generate",
    "deadline": "run",
    "redis_unavailable": "run",
}
"""The stage in which something is given up though it does not fail; `run` for what is of no stage."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it was asked, with who asks: `scope` is what they may read, fixed for this run. `opens`: it
    is the first of its conversation, so there is nothing to look back at. `profile` is what the asker says of
    themselves, None where that has not been read yet."""

    run: str
    user: int
    text: str
    conversation: str
    scope: AccessScope
    priority: str = "interactive"
    fresh: bool = False
    opens: bool = False
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class StageTiming:
    """When a stage began after the question came, and how long it took, in milliseconds."""

    stage: str
    start_ms: float
    ms: float
    outcome: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "start_ms": round(self.start_ms, 1),
            "ms": round(self.ms, 1),
            "outcome": self.outcome,
        }


@dataclass(slots=True)
class Run:
    """One question under way. `send` writes an event to the run's log; `clock` is that of the event loop, and `asked`
    its time when the question came: now, where it is not given. `sought` is the text that sources are chosen and
    sentences quoted for: the question, or a follow-up together with what it follows."""

    question: Question
    deadline: Deadline
    send: Callable[[events.Event], None]
    clock: Callable[[], float]
    asked: float | None = None
    lateness: Lateness = field(default_factory=Lateness)
    started: float = field(init=False)
    sought: str = field(init=False)
    stages: list[StageTiming] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = self.clock() if self.asked is None else self.asked
        self.sought = self.question.text

    def elapsed(self) -> float:
        """Seconds since the question came."""
        return self.clock() - self.started

    def behind(self) -> bool:
        """Whether what has taken long so far took so long because this process was late itself."""
        return self.lateness.explains(self.started)

    def mark(self, name: str) -> None:
        """Remembers when something first happened: `citations`, `token`, `usable`."""
        self.marks.setdefault(name, self.elapsed())

    def give_up(self, code: str, message: str) -> None:
        """Says and counts, once, what was given up and why."""
        if self._told(code, message):
            metrics.degradations_total.labels(RUNGS.get(code, "run"), code).inc()

    def _told(self, code: str, message: str) -> bool:
        """Says it, where it was not said."""
        if code in self.degraded:
            return False
        self.degraded.append(code)
        self.send(events.notice(code, message))
        return True

    async def stage(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        *,
        budget: float | None = None,
        fallback: F,
        breaker: Breaker | None = None,
        quiet: bool = False,
    ) -> T | F:
        """Does `work` within `budget` seconds (and the run's deadline) and returns what it gives, or `fallback`.

        `quiet` stages are extras: their failure is counted and logged, not told."""
        begun = self.elapsed()
        call = breaker.start() if breaker else None
        if breaker and call is None:
            return self._gave_way(name, begun, "open", fallback, quiet)
        outcome = "cancelled"
        try:
            limit = self.deadline if budget is None else self.deadline.capped(budget)
            async with asyncio.timeout_at(limit.at):
                result = await work()
            outcome = "ok"
        except TimeoutError:
            outcome = "timeout"
            logger.warning("stage over its budget", extra={"stage": name, "run": self.question.run})
        except Shed:
            outcome = "shed"
        except (RetrievalError, AnsweringError, OSError) as error:
            outcome = "error"
            logger.warning(
                "stage failed", extra={"stage": name, "run": self.question.run, "cause": repr(error)}
            )
        except Exception:
            outcome = "error"
            logger.exception("unexpected", extra={"stage": name, "run": self.question.run})
        finally:
            self._report(call, outcome, begun)
            if outcome == "cancelled":
                self.record(name, begun, outcome)
        if outcome != "ok":
            return self._gave_way(name, begun, outcome, fallback, quiet)
        self.record(name, begun, outcome)
        return result

    def _report(self, call: Call | None, outcome: str, begun: float) -> None:
        if call is None:
            return
        if outcome == "ok":
            call.succeed()
        elif outcome in {"timeout", "error"} and not self.lateness.explains(self.started + begun):
            call.fail()
        else:
            call.abandon()

    def record(self, name: str, begun: float, outcome: str) -> None:
        seconds = self.elapsed() - begun
        self.stages.append(StageTiming(name, begun * 1000, seconds * 1000, outcome))
        metrics.stage_seconds.labels(name, outcome).observe(seconds)

    def _gave_way(self, name: str, begun: float, outcome: str, fallback: F, quiet: bool) -> F:
        self.record(name, begun, outcome)
        metrics.degradations_total.labels(name, outcome).inc()
        if not quiet:
            self._told(f"{name}_{outcome}", NOTICES[name])
        return fallback


def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Asks the tasks to end; their group awaits them."""
    for task in tasks:
        task.cancel()

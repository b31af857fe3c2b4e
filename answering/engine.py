"""The frame around the pipeline: whatever happens inside, a run ends with one terminal frame, in time."""

import asyncio
import logging
from typing import Any

from answering import events, metrics
from answering.errors import Overdue, Refusal
from answering.extractive import extract
from answering.parts import Parts
from answering.pipeline import answer
from answering.reply import Reply
from answering.resilience.deadline import Deadline
from answering.runs import LiveRun
from answering.stages import Run
from answering.tracing import Tracing

logger = logging.getLogger("answering")

HARMLESS = {"provisional_extract"}
"""What may be given up of an answer that is kept: it took its time, and is whole."""


class Engine:
    """Answers runs with one set of parts."""

    def __init__(self, parts: Parts, tracing: Tracing | None = None) -> None:
        self.parts = parts
        self.tracing = tracing

    async def __call__(self, live: LiveRun) -> None:
        clock = asyncio.get_running_loop().time
        asked = clock() if live.asked is None else live.asked
        deadline = Deadline(asked + self.parts.budgets.answer, clock)
        run = Run(
            live.question, deadline, lambda event: _write(live, event), clock, asked, self.parts.lateness
        )
        if live.asked is not None:
            run.record("store", 0.0, "ok")
        live.give_up = run.give_up
        if live.without_redis:
            live.lose_redis()
        reply = Reply(run)
        reply.restore(live.before)
        terminal = await self._terminal(run, reply, live.stop)
        live.log.write(terminal)
        _measure(run, terminal)
        if self.tracing is not None:
            self.tracing.finished(run, terminal.data.get("finish", "error"), terminal.data.get("route", ""))
        live.record.update(_record(run, reply, terminal))
        if terminal.data.get("finish") == "complete" and set(run.degraded) <= HARMLESS:
            self.parts.answers.remember(run.question, reply)

    async def _terminal(self, run: Run, reply: Reply, stop: asyncio.Event) -> events.Event:
        """Races the pipeline against the reader's stop and the deadline."""
        work = asyncio.create_task(answer(run, reply, self.parts))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait(
                {work, stopped}, timeout=run.deadline.remaining(), return_when=asyncio.FIRST_COMPLETED
            )
            ended, asked = work.done(), stopped.done()
        finally:
            work.cancel()
            stopped.cancel()
            await asyncio.wait({work, stopped})  # and what was under way is among the stages
        if ended:
            return _ended(run, reply, work)
        if asked:
            reply.flush()
            return reply.end("stopped")
        return _what_there_is(run, reply, Overdue())


def _write(live: LiveRun, event: events.Event) -> None:
    if not live.log.ended:
        live.log.write(event)


def _ended(run: Run, reply: Reply, work: "asyncio.Task[str]") -> events.Event:
    """The terminal event of a pipeline that came to its own end."""
    failure = work.exception()
    if failure is None:
        return reply.end(work.result())
    refusal = _refusal(failure)
    if refusal is None:
        logger.error("unexpected", extra={"run": run.question.run}, exc_info=failure)
    return _what_there_is(run, reply, refusal or Refusal())


def _refusal(failure: BaseException) -> Refusal | None:
    """The refusal in what a task group raised; None where a bug is in it."""
    if isinstance(failure, BaseExceptionGroup):
        found = [_refusal(inner) for inner in failure.exceptions]
        return found[0] if all(found) else None
    return failure if isinstance(failure, Refusal) else None


def _what_there_is(run: Run, reply: Reply, refusal: Refusal) -> events.Event:
    """What was shown already, else an extract, else the refusal."""
    reply.flush()
    if reply.text:
        run.give_up("deadline", "The answer was not finished in time.")
        return reply.end("extractive" if reply.provisional else "partial")
    if text := extract(run.sought, reply.passages):
        run.give_up(
            "deadline", "The answer was not finished in time; these sentences are quoted from the sources."
        )
        reply.whole(text)
        return reply.end("extractive")
    return events.error(refusal.code, str(refusal), refusal.retry_after)


def _measure(run: Run, terminal: events.Event) -> None:
    finish = terminal.data.get("finish", "error")
    metrics.answer_seconds.labels(finish).observe(run.elapsed())
    metrics.answers_total.labels(terminal.data.get("route", "none"), finish).inc()
    for name, histogram in (
        ("citations", metrics.first_citation_seconds),
        ("token", metrics.first_token_seconds),
        ("usable", metrics.usable_answer_seconds),
    ):
        if name in run.marks:
            histogram.observe(run.marks[name])


def _record(run: Run, reply: Reply, terminal: events.Event) -> dict[str, Any]:
    def milliseconds(name: str) -> float | None:
        return round(run.marks[name] * 1000, 1) if name in run.marks else None

    return {
        **events.ending(terminal.type, terminal.data, reply.text, reply.frames),
        "degraded": list(run.degraded),
        "stages": [timing.as_dict() for timing in run.stages],
        "first_citation_ms": milliseconds("citations"),
        "first_token_ms": milliseconds("token"),
        "usable_ms": milliseconds("usable"),
        "total_ms": round(run.elapsed() * 1000, 1),
    }

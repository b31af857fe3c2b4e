"""Runs belong to the process, not to a connection: the socket, a second tab and the HTTP interface all read the
same log, and a reader that goes away takes nothing with it.

A process shows that it lives by a key in Redis; the runs of one that does not are taken over by the next process
that notices (`recovery.py`), which answers again and replaces what was shown."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from answering import events, metrics
from answering.errors import NotFound, Shed, StoreUnavailable
from answering.events import Frame
from answering.redis_client import answered
from answering.resilience.lateness import Lateness
from answering.resilience.shedding import Priority
from answering.runlog import Copier, RunLog, follow
from answering.stages import Question
from answering.store import Ask, RunStore

logger = logging.getLogger("answering")

STOPS = "citefirst:stops"
"""The channel on which a process asks the others to stop a run."""

GONE = "This answer rests on documents that are no longer available to you."

WITHOUT_REDIS = "Part of the system is away: this answer cannot be resumed after a loss of connection."

DEFERRED = 0.5
"""Share of the runs at once beyond which work that can wait is turned away: it waits longer than others."""

LATELY, BEHIND, SLOW, WAITING = 2.0, 0.35, 0.5, 8
"""A process is behind that was late for such a share of the last seconds and has kept a question waiting for its
sources for so long. Then it works on so many without sources at a time; with all of them a third or more had none."""

LOOK_AGAIN = 1.0
"""Seconds between two looks at another process' run while Redis is away."""

STORE_TRIES = (0.0, 0.2, 1.0, 3.0, 10.0, 30.0)
"""Seconds between the tries to store the end of a run: Postgres may be away for a moment."""


@dataclass(slots=True)
class LiveRun:
    """A run under way in this process. `before` are the frames that an earlier process sent of it; `asked` is the
    time of the event loop when the question came, None for a run that was taken over."""

    question: Question
    log: RunLog
    before: list[Frame] = field(default_factory=list)
    asked: float | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    record: dict[str, Any] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    give_up: Callable[[str, str], None] | None = None
    without_redis: bool = False

    def lose_redis(self) -> None:
        """Says, once, that this run can be resumed nowhere else."""
        self.without_redis = True
        if self.give_up is not None and not self.log.ended:
            self.give_up("redis_unavailable", WITHOUT_REDIS)

    @property
    def sourced(self) -> bool:
        """Whether its reader has sources, or all that there will be."""
        return self.log.ended or any(frame["type"] == "citations" for frame in self.log.frames)

    @property
    def frames(self) -> list[Frame]:
        return [*self.before, *self.log.frames]


Answerer = Callable[[LiveRun], Awaitable[None]]
"""Answers a run into its log, to the terminal frame, whatever fails, and fills its `record` for the store."""


class RunManager:
    """The runs of this process, and the way to all others."""

    def __init__(
        self,
        store: RunStore,
        redis: "Redis",
        answer: Answerer,
        *,
        most: int = 400,
        lateness: Lateness | None = None,
        on_asked: Callable[[Ask], None] = lambda ask: None,
        on_stored: Callable[[str], None] = lambda conversation: None,
    ) -> None:
        """`on_asked` hears of a new question before it is stored, for what need not wait for that."""
        self.store = store
        self.redis = redis
        self._answer = answer
        self._most = most
        self._lateness = lateness or Lateness()
        self._on_asked, self._on_stored = on_asked, on_stored
        self._copier = Copier(redis)
        self._live: dict[str, LiveRun] = {}
        self._beginning: dict[str, asyncio.Task[None]] = {}

    @property
    def live(self) -> frozenset[str]:
        return frozenset(self._live)

    def tends(self, run: str) -> bool:
        """Whether this process is at work on a run, or about to begin it."""
        return run in self._live or run in self._beginning

    async def aclose(self) -> None:
        """Ends with the process: what still runs is left to the process that takes over."""
        await asyncio.gather(*self._beginning.values(), return_exceptions=True)
        tasks = [live.task for live in self._live.values() if live.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._copier.aclose()

    async def ask(self, ask: Ask) -> AsyncIterator[Frame]:
        """The frames of a question: of a new run, or of the run that this id already has.

        Raises AnsweringError where no run could be begun."""
        if ask.run not in self._live:
            begun = self._beginning.get(ask.run) or self._start(ask)
            # An asker who leaves in this moment leaves no run that nobody works on.
            await asyncio.shield(begun)
        return await self.follow(ask.run, ask.user)

    def _start(self, ask: Ask) -> "asyncio.Task[None]":
        def over(task: "asyncio.Task[None]") -> None:
            del self._beginning[ask.run]
            if not task.cancelled():
                task.exception()  # told to who asked, if anybody is left

        task = self._beginning[ask.run] = asyncio.create_task(self._begin(ask))
        task.add_done_callback(over)
        return task

    async def _begin(self, ask: Ask) -> None:
        most = self._most * (DEFERRED if Priority.named(ask.priority).deferrable else 1)
        if len(self._live) >= most or self._behind():
            metrics.shed_total.labels(ask.priority).inc()
            raise Shed(retry_after=2)
        asked = asyncio.get_running_loop().time()
        self._on_asked(ask)
        begun = await self.store.begin(ask)
        if begun.new:
            question = Question(
                run=ask.run,
                user=ask.user,
                text=ask.text,
                conversation=begun.conversation,
                scope=begun.scope,
                priority=ask.priority,
                fresh=ask.fresh,
                opens=begun.opened,
                profile=begun.profile,
            )
            self.launch(
                LiveRun(question, RunLog(ask.run), asked=asked), events.accepted(begun.conversation, ask.text)
            )

    def _behind(self) -> bool:
        """Whether there is too little processor time for the questions that are here: one more would delay them all."""
        if self._lateness.share(LATELY) < BEHIND:
            return False
        waiting = [live.asked for live in self._live.values() if live.asked is not None and not live.sourced]
        slow = asyncio.get_running_loop().time() - min(waiting, default=math.inf) > SLOW
        return slow and len(self._beginning) + len(waiting) > WAITING

    def launch(self, live: LiveRun, opening: events.Event | None = None) -> None:
        if opening is not None:
            live.log.write(opening)
        self._live[live.question.run] = live
        metrics.in_flight.labels("runs").inc()
        live.task = asyncio.create_task(self._work(live), name=f"run {live.question.run}")

    async def _work(self, live: LiveRun) -> None:
        task = asyncio.current_task()
        assert task is not None
        copy = self._copier.start(live.log, on_lost=lambda: _cancel(task), on_failed=live.lose_redis)
        if self._copier.failed:
            live.lose_redis()
        try:
            await self._answer(live)
            with self.store.finishing(live.question, live.record):
                await copy.over.wait()
                await self._store(live)
            self._on_stored(live.question.conversation)
        finally:
            self._copier.drop(copy)
            self._live.pop(live.question.run, None)
            metrics.in_flight.labels("runs").dec()
            live.log.close()

    async def _store(self, live: LiveRun) -> None:
        values = {**live.record, "events": live.frames}
        for wait in STORE_TRIES:
            await asyncio.sleep(wait)
            with suppress(StoreUnavailable):
                await self.store.finish(live.question.run, values)
                return
        logger.error("run could not be stored", extra={"run": live.question.run})

    async def follow(self, run: str, user: int, after: int = 0) -> AsyncIterator[Frame]:
        """The frames of a run after number `after`. Raises NotFound, at once, for a run that is not the user's."""
        live = self._live.get(run)
        if live is None:
            stored = await self.store.run(run, user)
            if stored["status"] != "running" and not await self.store.may_replay(user, stored["events"]):
                raise NotFound(GONE)
        elif live.question.user != user:
            raise NotFound
        return self.read(run, user, after)

    async def read(self, run: str, user: int, after: int = 0) -> AsyncIterator[Frame]:
        """The frames of a run after number `after`, wherever it runs or ran; the last one, again, where none comes
        after it, so that nobody waits. Raises NotFound for another's run."""
        live = self._live.get(run)
        if live is not None:
            if live.question.user != user:
                raise NotFound
            for frame in live.before[after:]:
                yield frame
            told = False
            async for frame in live.log.read(max(after, len(live.before))):
                after, told = frame["seq"], True
                yield frame
            if live.log.complete:
                if not told:
                    yield live.log.frames[-1]
                return
        stored = await self.store.run(run, user)
        frames = (
            self._elsewhere(run, user, after)
            if stored["status"] == "running"
            else self._replay(stored, after)
        )
        async for frame in frames:
            yield frame

    async def _replay(self, stored: dict[str, Any], after: int) -> AsyncIterator[Frame]:
        if not await self.store.may_replay(stored["user_id"], stored["events"]):
            raise NotFound(GONE)
        for frame in stored["events"][after:] or stored["events"][-1:]:
            yield frame

    async def _elsewhere(self, run: str, user: int, after: int) -> AsyncIterator[Frame]:
        """What Redis cannot tell, the store will when the run is over."""
        while True:
            try:
                async with aclosing(follow(self.redis, run, after)) as frames:
                    async for frame in frames:
                        if frame is None:
                            break
                        after = frame["seq"]
                        yield frame
                        if frame["type"] in events.TERMINAL:
                            return
            except (RedisError, OSError):
                await asyncio.sleep(LOOK_AGAIN)
            stored = await self.store.run(run, user)
            if stored["status"] != "running":
                async for late in self._replay(stored, after):
                    yield late
                return

    async def settled(self, run: str) -> None:
        """Waits until a run of this process is over and stored."""
        live = self._live.get(run)
        if live is not None and live.task is not None:
            await asyncio.wait({live.task})

    async def stop(self, run: str, user: int) -> None:
        """Ends a run early, keeping what there is. Raises NotFound for another's run."""
        live = self._live.get(run)
        if live is None:
            await self.store.run(run, user)
            with suppress(RedisError, OSError):  # nobody to tell: the run goes on to its own end
                await answered(self.redis.publish(STOPS, f"{run} {user}"))
        elif live.question.user != user:
            raise NotFound
        else:
            live.stop.set()

    def stop_here(self, run: str, user: int) -> None:
        live = self._live.get(run)
        if live is not None and live.question.user == user:
            live.stop.set()


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()

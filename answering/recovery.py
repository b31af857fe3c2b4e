"""Runs whose process died. Each process says every few seconds, by a key in Redis, that it lives; a run whose owner
has gone silent is claimed in Postgres (one claims, whoever is first) and answered again: what was shown stays under
its numbers and is replaced."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from answering import events, metrics
from answering.errors import Refusal, StoreUnavailable
from answering.events import Frame
from answering.redis_client import answered
from answering.runlog import RunLog, stored_frames, stream_key
from answering.runs import STOPS, LiveRun, RunManager
from answering.stages import Question

logger = logging.getLogger("answering")

BEAT = 2.0
"""Seconds between two signs of life; runs without an owner are looked for as often."""

SILENT = 8
"""Seconds after which a process counts as gone."""

MOST_ATTEMPTS = 5
"""Times that a run is begun. What stopped so many processes, or nobody could store, would not end with the next."""

UNCOPIED = 20
"""Frames that a process may have sent and not copied yet when it died, at most: half a second of them."""


def alive_key(owner: str) -> str:
    return f"citefirst:alive:{owner}"


class Recovery:
    """Watches over the runs of processes that died, and hears what other processes ask of this one."""

    def __init__(
        self,
        manager: RunManager,
        redis: "Redis",
        *,
        owner: str,
        queues: Mapping[str, str],
        beat: float = BEAT,
    ) -> None:
        """`queues`: the name of each queue of work, and its key in Redis, to measure."""
        self.manager = manager
        self.redis = redis
        self.owner = owner
        self.queues = queues
        self.beat = beat
        self._tasks: list[asyncio.Task[None]] = []
        self._signs_count_from = -math.inf

    async def start(self) -> None:
        with suppress(RedisError, OSError, TimeoutError):
            await self._say_alive()
        self._tasks = [
            asyncio.create_task(self._again_and_again(self._round, "cannot look after runs")),
            asyncio.create_task(self._again_and_again(self._listen, "cannot hear stops")),
        ]

    async def aclose(self) -> None:
        pending = set(self._tasks)
        while pending:  # on Python 3.11 `asyncio.wait_for`, which the pools use, may swallow a cancellation
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)
        with suppress(RedisError, OSError, TimeoutError):
            await answered(self.redis.delete(alive_key(self.owner)))

    async def _say_alive(self) -> None:
        await answered(self.redis.set(alive_key(self.owner), b"1", ex=SILENT))

    async def _measure_queues(self) -> None:
        for name, key in self.queues.items():
            metrics.queue_depth.labels(name).set(await answered(self.redis.llen(key)))

    async def look(self) -> int:
        """Takes over what has been left, and says how many. Where our own sign of life has gone, Redis has lost those
        of the others, too: then they get the time to give new ones."""
        now = asyncio.get_running_loop().time()
        if not await answered(self.redis.exists(alive_key(self.owner))):
            self._signs_count_from = now + SILENT
        await self._say_alive()
        return await self.take_over() if now >= self._signs_count_from else 0

    async def _round(self) -> None:
        await self.look()
        await self._measure_queues()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], trouble: str) -> None:
        """For as long as the process lives: without its sign of life the others would take its runs from it."""
        while True:
            try:
                await work()
            except (RedisError, OSError, StoreUnavailable) as error:
                logger.warning(trouble, extra={"cause": repr(error)})
            except Exception:
                logger.exception("unexpected")
            await asyncio.sleep(self.beat)

    async def take_over(self) -> int:
        """Claims and restarts the runs of silent processes, and those of this one whose end could not be stored; says
        how many."""
        running = await self.manager.store.running()
        orphans = [(run, of) for run, of in running if of != self.owner or not self.manager.tends(run)]
        owners = sorted({owner for _, owner in orphans})
        if not owners:
            return 0
        living = await answered(self.redis.mget([alive_key(owner) for owner in owners]))
        silent = {of for of, sign in zip(owners, living, strict=True) if sign is None or of == self.owner}
        taken = [await self._take(run, owner) for run, owner in orphans if owner in silent]
        return sum(taken)

    async def _take(self, run: str, owner: str) -> bool:
        row = await self.manager.store.claim(run, owner)
        if row is None:
            return False
        before = await self._told(run)
        ended = bool(before) and before[-1]["type"] in events.TERMINAL  # only its end was not stored
        if ended and await self._store(run, before):
            return True
        if row["attempt"] > MOST_ATTEMPTS:
            return await self._give_up(run, before)
        if ended:
            return False
        question = Question(
            run=run,
            user=row["user_id"],
            text=row["question"],
            conversation=str(row["conversation_id"]),
            scope=await self.manager.store.scope(row["user_id"], row["collections"]),
            priority=row["priority"],
            fresh=row["fresh"],
        )
        logger.info("run taken over", extra={"run": run, "attempt": row["attempt"]})
        live = LiveRun(question, RunLog(run, after=len(before)), before=before)
        self.manager.launch(live, None if before else events.accepted(question.conversation, question.text))
        # A reader may have seen frames that died with the process, under the next numbers. Wherever among them that
        # reader is, the next frame tells the text that is known.
        known = events.replace(events.text_of(before))
        for _ in range(UNCOPIED):
            live.log.write(known)
        return True

    async def _told(self, run: str) -> list[Frame]:
        """The frames in Redis. What cannot be read, as of another version, is taken away: nothing could be added."""
        try:
            return await stored_frames(self.redis, run)
        except (ValueError, LookupError, TypeError) as error:
            logger.warning("frames cannot be read", extra={"run": run, "cause": repr(error)})
            await answered(self.redis.delete(stream_key(run)))
            return []

    async def _give_up(self, run: str, before: list[Frame]) -> bool:
        """Ends a run with an error. What it had shown goes: it may be what cannot be stored."""
        seq = before[-1]["seq"] + 1 if before else 1
        stored = await self._store(run, [events.error(Refusal.code, Refusal.message).frame(run, seq)])
        if stored:
            logger.warning("run given up", extra={"run": run})
            metrics.answers_total.labels("none", "error").inc()
        return stored

    async def _store(self, run: str, frames: list[Frame]) -> bool:
        """Stores a run that has ended. One that cannot be stored must not keep the others from being taken over."""
        try:
            return await self.manager.store.finish(run, events.outcome(frames))
        except StoreUnavailable as error:
            logger.warning("run could not be stored", extra={"run": run, "cause": repr(error.__cause__)})
            return False

    async def _listen(self) -> None:
        """Hears which runs readers of other processes want stopped."""
        async with self.redis.pubsub() as channel:
            await answered(channel.subscribe(STOPS))
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=BEAT)
                if message is not None:
                    run, _, user = message["data"].decode().partition(" ")
                    self.manager.stop_here(run, int(user))

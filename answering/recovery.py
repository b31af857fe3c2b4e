"""Runs whose process died. Each process says every few seconds, by a key in Redis, that it lives; a run whose owner
has gone silent is claimed in Postgres (one claims, whoever is first) and answered again: what was shown stays under
its numbers and is replaced."""

import asyncio
import logging
import math
from collections.abc import Mapping
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from answering import events, metrics
from answering.errors import StoreUnavailable
from answering.events import Frame
from answering.redis_client import answered
from answering.runlog import RunLog, stored_frames
from answering.runs import STOPS, LiveRun, RunManager
from answering.stages import Question

logger = logging.getLogger("answering")

BEAT = 2.0
"""Seconds between two signs of life; runs without an owner are looked for as often."""

SILENT = 8
"""Seconds after which a process counts as gone."""


UNCOPIED = 20
"""Frames that a process may have sent and not copied yet when it died, at most: half a second of them."""


def alive_key(owner: str) -> str:
    return f"citefirst:alive:{owner}"


class Recovery:
    """Watches over the runs of processes that died, and hears what other processes ask of this one."""

    def __init__(self, manager: RunManager, redis: "Redis", *, owner: str, queues: Mapping[str, str]) -> None:
        """`queues`: the name of each queue of work, and its key in Redis, to measure."""
        self.manager = manager
        self.redis = redis
        self.owner = owner
        self.queues = queues
        self._tasks: list[asyncio.Task[None]] = []
        self._signs_count_from = -math.inf

    async def start(self) -> None:
        with suppress(RedisError, OSError, TimeoutError):
            await self._say_alive()
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._listen())]

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

    async def _beat(self) -> None:
        while True:
            try:
                await self.look()
                await self._measure_queues()
            except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
                logger.warning("cannot look after runs", extra={"cause": repr(error)})
            await asyncio.sleep(BEAT)

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
        before = await stored_frames(self.redis, run)
        if before and before[-1]["type"] in events.TERMINAL:  # only its end was not stored
            return await self._store(run, before)
        question = Question(
            run=run,
            user=row["user_id"],
            text=row["question"],
            conversation=str(row["conversation_id"]),
            scope=await self.manager.store.scope(row["user_id"], row["collections"]),
            priority=row["priority"],
            fresh=row["fresh"],
            attempt=row["attempt"],
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

    async def _store(self, run: str, frames: list[Frame]) -> bool:
        """Stores a run that has ended. One that cannot be stored must not keep the others from being taken over."""
        try:
            return await self.manager.store.finish(run, events.outcome(frames))
        except StoreUnavailable as error:
            logger.warning("run could not be stored", extra={"run": run, "cause": repr(error.__cause__)})
            return False

    async def _listen(self) -> None:
        """Hears which runs readers of other processes want stopped."""
        while True:
            try:
                async with self.redis.pubsub() as channel:
                    await answered(channel.subscribe(STOPS))
                    while True:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=BEAT)
                        if message is not None:
                            run, _, user = message["data"].decode().partition(" ")
                            self.manager.stop_here(run, int(user))
            except (RedisError, OSError) as error:
                logger.warning("cannot hear stops", extra={"cause": repr(error)})
                await asyncio.sleep(BEAT)

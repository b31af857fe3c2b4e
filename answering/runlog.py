"""The frames of a run, in order, for every reader.

While a run lives in this process its readers read the list itself, each at its own place: there is no queue that
could grow or drop. The same frames go to a Redis stream, entry `SEQ-0`, behind the reader's back, so that another
process can serve them and a Redis that hangs delays nobody."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from answering.events import TERMINAL, Event, Frame

logger = logging.getLogger("answering")

KEEP = 3600
"""Seconds that the stream of a run stays in Redis; Postgres keeps the frames for good."""

BLOCK = 2000
"""Milliseconds that a reader of another process' run waits for the next frame before it asks again; less than
the 5 s after which the client itself gives up reading."""


def stream_key(run: str) -> str:
    return f"citefirst:run:{run}"


class RunLog:
    """The frames of one run in the process that runs it."""

    def __init__(self, run: str, *, after: int = 0) -> None:
        self.run = run
        self.first = after + 1
        self.frames: list[Frame] = []
        self.ended = False
        self._grew = asyncio.Event()

    @property
    def complete(self) -> bool:
        """Whether the terminal frame is there; a log can also end because its run went to another process."""
        return bool(self.frames) and self.frames[-1]["type"] in TERMINAL

    def write(self, event: Event) -> Frame:
        """Numbers an event and shows it to every reader; nothing can follow a terminal one."""
        if self.ended:
            raise RuntimeError(f"run {self.run} has ended: {event.type} comes too late")
        frame = event.frame(self.run, self.first + len(self.frames))
        self.frames.append(frame)
        self.ended = event.terminal
        self.wake()
        return frame

    def wake(self) -> None:
        grew, self._grew = self._grew, asyncio.Event()
        grew.set()

    def close(self) -> None:
        """Lets readers go when no more will come."""
        self.ended = True
        self.wake()

    async def grown(self, after: int) -> None:
        """Waits until there is a frame after number `after`, or the end."""
        while not self.ended and not self.since(after):
            await self._grew.wait()

    def since(self, after: int) -> list[Frame]:
        return self.frames[max(0, after + 1 - self.first) :]

    async def read(self, after: int = 0) -> AsyncIterator[Frame]:
        """The frames after number `after`, as they come, until the run ends."""
        while True:
            await self.grown(after)
            fresh = self.since(after)
            if not fresh:
                return
            for frame in fresh:
                after = frame["seq"]
                yield frame


BREATH = 0.2
"""Seconds between two copies, so that the frames of a stream go several at a time."""


class StreamWriter:
    """Copies a RunLog to its Redis stream. A stream that another process has taken over refuses the copy, and
    `on_lost` is called: the run is no longer ours."""

    def __init__(
        self,
        redis: "Redis",
        log: RunLog,
        *,
        on_lost: Callable[[], None],
        on_failed: Callable[[], None],
        timeout: float = 0.5,
    ) -> None:
        self.redis = redis
        self.log = log
        self.on_lost = on_lost
        self.on_failed = on_failed
        self.timeout = timeout

    async def run(self) -> None:
        """Ends with the log. After a failure the rest is not copied: half a stream must not pass for a whole one."""
        after = self.log.first - 1
        while True:
            await self.log.grown(after)
            batch = self.log.since(after)
            if not batch or not await self._copy(batch):
                return
            after += len(batch)
            await asyncio.sleep(0 if self.log.ended else BREATH)

    async def _copy(self, batch: list[Frame]) -> bool:
        key = stream_key(self.log.run)
        try:
            async with asyncio.timeout(self.timeout), self.redis.pipeline(transaction=False) as pipe:
                for frame in batch:
                    pipe.xadd(key, {"frame": json.dumps(frame, ensure_ascii=False)}, id=f"{frame['seq']}-0")
                pipe.expire(key, KEEP)
                await pipe.execute()
        except ResponseError:
            logger.warning("run was taken over", extra={"run": self.log.run})
            self.on_lost()
            return False
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("run cannot be copied", extra={"run": self.log.run, "cause": repr(error)})
            self.on_failed()
            return False
        return True


async def stored_frames(redis: "Redis", run: str, after: int = 0) -> list[Frame]:
    """The frames in Redis after number `after`; raises RedisError."""
    entries: Any = await redis.xrange(stream_key(run), min=f"({after}-0" if after else "-")
    return [json.loads(fields[b"frame"]) for _, fields in entries]


async def follow(redis: "Redis", run: str, after: int = 0) -> AsyncIterator[Frame | None]:
    """The frames of another process' run as they come, until it ends; None when nothing came for a while, so that
    the caller can look whether anybody is still at it. Raises RedisError."""
    key = stream_key(run)
    while True:
        found: Any = await redis.xread({key: f"{after}-0"}, block=BLOCK, count=200)
        if not found:
            yield None
            continue
        for _, fields in found[0][1]:
            frame = json.loads(fields[b"frame"])
            after = frame["seq"]
            yield frame
            if frame["type"] in TERMINAL:
                return

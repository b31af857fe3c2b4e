"""The frames of a run, in order, for every reader.

While a run lives in this process its readers read the list itself, each at its own place: there is no queue that
could grow or drop. The same frames go to a Redis stream behind the reader's back, a few in an entry, whose id is
that of its last one (`SEQ-0`), so that another process can serve them and a Redis that hangs delays nobody."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

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


BREATH = 0.3
"""Seconds between two copies, so that the frames of a stream go several at a time."""


# Frames are added only right behind those that are there: a process that has taken the run over has gone on already,
# and after a loss of data half a stream must not pass for a whole one. Gives the number of the last frame.
_APPEND = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local at = last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
if at == tonumber(ARGV[1]) then
    at = tonumber(ARGV[2])
    redis.call('XADD', KEYS[1], ARGV[2] .. '-0', 'frames', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return at
"""

encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


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
        self.append = redis.register_script(_APPEND)
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
            if not batch or not await self._copy(after, batch):
                return
            after += len(batch)
            await asyncio.sleep(0 if self.log.ended else BREATH)

    async def _copy(self, after: int, batch: list[Frame]) -> bool:
        last = after + len(batch)
        try:
            async with asyncio.timeout(self.timeout):
                at = await self.append([stream_key(self.log.run)], [after, last, encode(batch), KEEP])
        except (RedisError, OSError, TimeoutError) as error:
            return self._failed(repr(error))
        if at < last:
            return self._failed(f"Redis has lost the frames after {at}")
        if at > last:
            logger.warning("run was taken over", extra={"run": self.log.run})
            self.on_lost()
        return bool(at == last)

    def _failed(self, cause: str) -> bool:
        logger.warning("run cannot be copied", extra={"run": self.log.run, "cause": cause})
        self.on_failed()
        return False


async def stored_frames(redis: "Redis", run: str, after: int = 0) -> list[Frame]:
    """The frames in Redis after number `after`; raises RedisError."""
    entries: Any = await redis.xrange(stream_key(run), min=f"({after}-0" if after else "-")
    return _frames(entries, after)


def _frames(entries: Any, after: int) -> list[Frame]:
    """The frames of stream entries that come after number `after`, which may be in the middle of one."""
    return [frame for _, fields in entries for frame in json.loads(fields[b"frames"]) if frame["seq"] > after]


async def follow(redis: "Redis", run: str, after: int = 0) -> AsyncIterator[Frame | None]:
    """The frames of another process' run as they come, until it ends; None when nothing came for a while, so that
    the caller can look whether anybody is still at it. Raises RedisError."""
    key = stream_key(run)
    while True:
        found: Any = await redis.xread({key: f"{after}-0"}, block=BLOCK, count=200)
        if not found:
            yield None
            continue
        for frame in _frames(found[0][1], after):
            after = frame["seq"]
            yield frame
            if frame["type"] in TERMINAL:
                return

"""The frames of a run, in order, for every reader.

While a run lives in this process its readers read the list itself, each at its own place: there is no queue that
could grow or drop. The same frames go to a Redis stream behind the reader's back, a few in an entry, whose id is
that of its last one (`SEQ-0`), so that another process can serve them and a Redis that hangs delays nobody."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from answering.events import TERMINAL, Event, Frame
from answering.redis_client import answered

logger = logging.getLogger("answering")

KEEP = 3600
"""Seconds that the stream of a run stays in Redis; Postgres keeps the frames for good."""

BLOCK = 2000
"""Milliseconds that a reader of another process' run waits for the next frame before it asks again; less than
ANSWER_SECONDS, after which Redis is taken to be away."""


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


BREATH = 0.1
"""Seconds between two copies, so that the frames of all streams go together."""

RECENTLY = 5.0
"""Seconds after a failed copy for which Redis is taken to be away."""


# Frames are added only right behind those that are there: a process that has taken a run over has gone on already,
# and after a loss of data half a stream must not pass for a whole one. For each run: where it should stand, where it
# then stands, and the frames between. Gives the number of the last frame of each.
_APPEND = """
local ended = {}
for run, key in ipairs(KEYS) do
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
    local at = last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
    if at == tonumber(ARGV[3 * run - 1]) then
        at = tonumber(ARGV[3 * run])
        redis.call('XADD', key, ARGV[3 * run] .. '-0', 'frames', ARGV[3 * run + 1])
        redis.call('EXPIRE', key, ARGV[1])
    end
    ended[run] = at
end
return ended
"""


@dataclass(eq=False, slots=True)
class Copy:
    """How far the stream of a run is. `over` once no more is copied: all is there, or it was given up."""

    log: RunLog
    on_lost: Callable[[], None]
    on_failed: Callable[[], None]
    after: int
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def due(self) -> list[Frame]:
        return self.log.since(self.after)


class Copier:
    """Copies the logs of a process' runs to their Redis streams, what has come of all of them in one call: a call for
    each run cost as much as reading its model's answer."""

    def __init__(
        self, redis: "Redis", *, timeout: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.append = redis.register_script(_APPEND)
        self.timeout = timeout
        self._clock, self._failed_at = clock, -math.inf
        self._copies: set[Copy] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        """Whether the last call did, a moment ago: what was longer ago may be over."""
        return self._clock() - self._failed_at < RECENTLY

    def start(self, log: RunLog, *, on_lost: Callable[[], None], on_failed: Callable[[], None]) -> Copy:
        """Copies `log` until it ends. A stream that another process has taken over refuses the copy, and `on_lost` is
        called: the run is no longer ours. After a failure, told by `on_failed`, the rest is not copied."""
        copy = Copy(log, on_lost, on_failed, log.first - 1)
        self._copies.add(copy)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return copy

    def drop(self, copy: Copy) -> None:
        self._copies.discard(copy)
        copy.over.set()

    async def aclose(self) -> None:
        """Ends with the process; what was not copied is stored in Postgres or belongs to the next owner of its run."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._copies:
                due = [(copy, frames) for copy in tuple(self._copies) if (frames := self._encoded(copy))]
                if due:
                    await self._copy(due)
                for copy in [copy for copy in self._copies if copy.log.ended and not copy.due]:
                    self.drop(copy)
                await asyncio.sleep(BREATH if self._copies else 0)
        finally:
            for copy in tuple(self._copies):  # nobody may wait for what will not come
                self.drop(copy)

    def _encoded(self, copy: Copy) -> tuple[int, bytes] | None:
        """How many frames are due, and they; one run's frames that are no JSON must not stop the others'."""
        frames = copy.due
        if not frames:
            return None
        try:
            return len(frames), orjson.dumps(frames)
        except TypeError as error:
            self._give_up(copy, repr(error))
            return None

    async def _copy(self, due: Sequence[tuple[Copy, tuple[int, bytes]]]) -> None:
        keys = [stream_key(copy.log.run) for copy, _ in due]
        values: list[Any] = [KEEP]
        for copy, (count, frames) in due:
            values += [copy.after, copy.after + count, frames]
        try:
            async with asyncio.timeout(self.timeout):
                ended = await self.append(keys, values)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed_at = self._clock()
            for copy, _ in due:
                self._give_up(copy, repr(error))
            return
        self._failed_at = -math.inf
        for (copy, (count, _)), at in zip(due, ended, strict=True):
            self._settle(copy, copy.after + count, at)

    def _settle(self, copy: Copy, wanted: int, at: int) -> None:
        copy.after = wanted
        if at < wanted:
            self._give_up(copy, f"Redis has lost the frames after {at}")
        elif at > wanted:
            logger.warning("run was taken over", extra={"run": copy.log.run})
            self.drop(copy)
            copy.on_lost()

    def _give_up(self, copy: Copy, cause: str) -> None:
        logger.warning("run cannot be copied", extra={"run": copy.log.run, "cause": cause})
        self.drop(copy)
        copy.on_failed()


async def stored_frames(redis: "Redis", run: str, after: int = 0) -> list[Frame]:
    """The frames in Redis after number `after`; raises RedisError and OSError."""
    entries: Any = await answered(redis.xrange(stream_key(run), min=f"({after}-0" if after else "-"))
    return _frames(entries, after)


def _frames(entries: Any, after: int) -> list[Frame]:
    """The frames of stream entries that come after number `after`, which may be in the middle of one."""
    return [
        frame for _, fields in entries for frame in orjson.loads(fields[b"frames"]) if frame["seq"] > after
    ]


async def follow(redis: "Redis", run: str, after: int = 0) -> AsyncGenerator[Frame | None, None]:
    """The frames of another process' run as they come, until it ends; None when nothing came for a while, so that
    the caller can look whether anybody is still at it. Raises RedisError and OSError."""
    key = stream_key(run)
    while True:
        found: Any = await answered(redis.xread({key: f"{after}-0"}, block=BLOCK, count=200))
        if not found:
            yield None
            continue
        for frame in _frames(found[0][1], after):
            after = frame["seq"]
            yield frame
            if frame["type"] in TERMINAL:
                return

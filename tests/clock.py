"""An event loop whose time jumps to the next timer as soon as nothing else can happen: trio's MockClock.

    @autojump
    async def test_hours_take_milliseconds(): ...

Sockets of the same loop work: what one of them sent is readable at the other before time is asked to jump.
Threads do not: time does not wait for them."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    loop: "AutojumpLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Without a timer nothing can happen but from outside: then it waits like any loop.
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.loop.now += max(timeout, 0.0)
        return ready


class AutojumpLoop(asyncio.SelectorEventLoop):
    """Its `time()` stands still while there is work to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Without the time limit that Python has for it from 3.12 on: threads end in real time."""
        await super().shutdown_default_executor()


def autojump(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Runs a coroutine function to its end on a fresh AutojumpLoop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
            return runner.run(test(*args, **kwargs))

    return run

"""The lexical leg as the event loop sees it: a LexicalIndex behind a few threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical import LexicalIndex
from retrieval.passages import Ranking


class LexicalSearch:
    """At most `threads` searches run and `waiting` wait; one more is refused at once.

    A search in a thread cannot be stopped: when its caller gives up, it is taken out of the queue if it
    still waits there, and else runs on unheard. Its place is free only when it has ended, so that searches
    given up cannot pile up."""

    def __init__(self, index: LexicalIndex, *, threads: int = 2, waiting: int = 64) -> None:
        self.index = index
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="lexical")
        self._most = threads + waiting
        self._under_way = 0

    async def search(self, query: str, scope: AccessScope, k: int) -> Ranking:
        """The best `k` readable chunks. The caller owns the timeout. Raises LexicalError."""
        if self._under_way >= self._most:
            raise LexicalError("Too many lexical searches wait already.")
        loop = asyncio.get_running_loop()
        self._under_way += 1
        work = self._executor.submit(self.index.search, query, scope, k)
        work.add_done_callback(lambda done: _tell(loop, self._end))
        return await asyncio.wrap_future(work)

    def _end(self) -> None:
        self._under_way -= 1

    async def aclose(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)

import asyncio
import threading

import pytest

from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.lexical.search import LexicalSearch
from retrieval.passages import Hit, Ranking

SCOPE = AccessScope(frozenset({1}))


class SlowIndex:
    """Answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def search(self, query, scope, k):
        self.asked.append(query)
        self.go.wait(10)
        return Ranking("lexical", (Hit(1, 1.0),))

    def replace(self, documents, chunks):
        raise NotImplementedError


@pytest.fixture
async def slow():
    index = SlowIndex()
    yield index
    index.go.set()


async def test_the_event_loop_goes_on_while_the_index_is_searched(slow):
    search = LexicalSearch(slow)
    asking = asyncio.create_task(search.search("leave", SCOPE, 5))
    await asyncio.sleep(0)
    assert not asking.done()
    slow.go.set()
    assert (await asking).chunks == (1,)
    await search.aclose()


async def test_one_too_many_is_refused_at_once(slow):
    search = LexicalSearch(slow, threads=1, waiting=1)
    asking = [asyncio.create_task(search.search(text, SCOPE, 5)) for text in ("one", "two")]
    await asyncio.sleep(0)
    with pytest.raises(LexicalError):
        await search.search("three", SCOPE, 5)
    slow.go.set()
    await asyncio.gather(*asking)
    assert (await search.search("four", SCOPE, 5)).chunks == (1,)
    await search.aclose()


async def test_a_search_given_up_in_the_queue_never_runs(slow):
    search = LexicalSearch(slow, threads=1, waiting=5)
    first = asyncio.create_task(search.search("first", SCOPE, 5))
    second = asyncio.create_task(search.search("second", SCOPE, 5))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})
    slow.go.set()
    await first
    await search.search("third", SCOPE, 5)
    assert slow.asked == ["first", "third"]
    await search.aclose()

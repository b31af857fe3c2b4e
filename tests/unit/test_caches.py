"""Caches are bounded, shared by askers of one moment, and never in the way."""

import asyncio

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisGone

from answering.caches.embedding import CachedEmbedder
from answering.caches.lru import LruCache
from answering.caches.remote import REST, RemoteBytes
from answering.caches.retrieval import CachedLexical, CachedVectors, RankingCache
from retrieval.access import AccessScope
from retrieval.errors import EmbeddingError, LexicalError
from retrieval.passages import Hit, Ranking
from tests.clock import autojump

OURS, THEIRS = AccessScope(frozenset({1, 2})), AccessScope(frozenset({1}))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Embeds:
    name, dimensions = "model", 4

    def __init__(self, seconds=0.01, failure=None):
        self.calls, self.seconds, self.failure = [], seconds, failure

    async def embed_query(self, text, *, timeout):
        self.calls.append(text)
        await asyncio.sleep(self.seconds)
        if self.failure:
            raise self.failure
        return np.full(4, 0.5, np.float32)

    async def aclose(self):
        pass


class Searches:
    def __init__(self, partial=False, failure=None):
        self.calls, self.partial, self.failure = [], partial, failure

    async def search(self, query, scope, k, **options):
        self.calls.append((str(query), scope))
        await asyncio.sleep(0.01)
        if self.failure:
            raise self.failure
        return Ranking("lexical", (Hit(len(self.calls), 1.0),), self.partial)


async def all_there(chunks, scope, timeout):
    return len(chunks)


class BrokenRedis:
    """A Redis that refuses, or hangs, and counts how often it was tried."""

    def __init__(self, hang=False):
        self.tries, self.hang = 0, hang

    async def get(self, name):
        self.tries += 1
        if self.hang:
            await asyncio.sleep(3600)
        raise RedisGone("refused")

    async def set(self, name, value, ex):
        await self.get(name)


def test_the_least_used_goes_when_the_bytes_are_full():
    cache = LruCache(most_bytes=10, ttl=60, size_of=len)
    cache.put("a", b"xxxx")
    cache.put("b", b"xxxx")
    cache.get("a")
    cache.put("c", b"xxxx")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"xxxx", None, b"xxxx")
    assert cache.bytes == 8


def test_what_is_larger_than_the_cache_is_not_kept():
    cache = LruCache(most_bytes=10, ttl=60, size_of=len)
    cache.put("a", b"x" * 11)
    assert len(cache) == cache.bytes == 0


def test_what_is_old_is_gone():
    clock = Clock()
    cache = LruCache(most_bytes=10, ttl=60, size_of=len, clock=clock)
    cache.put("a", b"x")
    clock.now = 60.0
    assert cache.get("a") is None
    assert cache.bytes == 0


def test_a_value_put_twice_counts_once():
    cache = LruCache(most_bytes=10, ttl=60, size_of=len)
    cache.put("a", b"xxxx")
    cache.put("a", b"xx")
    assert cache.bytes == 2


def test_a_scope_has_one_key_in_whatever_order_its_collections_come():
    one, same = AccessScope(frozenset([0, 8])), AccessScope(frozenset([8, 0]))  # sets that list them as given
    assert one.key == same.key != AccessScope(frozenset([8])).key


@autojump
async def test_a_question_spelled_otherwise_needs_no_second_embedding():
    embeds, told = Embeds(), []
    cached = CachedEmbedder(embeds, None, on_result=lambda *row: told.append(row))
    first = await cached.embed_query("How many days?", timeout=1)
    second = await cached.embed_query("  how many DAYS ", timeout=1)
    assert first is second
    assert embeds.calls == ["How many days?"]
    assert told == [("embedding", "error"), ("embedding", "hit")]


@autojump
async def test_many_who_ask_at_once_are_one_call():
    embeds = Embeds()
    cached = CachedEmbedder(embeds, None, on_result=lambda *row: None)
    await asyncio.gather(*(cached.embed_query("How many days?", timeout=1) for _ in range(20)))
    assert len(embeds.calls) == 1


@autojump
async def test_an_asker_who_leaves_does_not_take_the_others_answer_away():
    embeds = Embeds(seconds=1)
    cached = CachedEmbedder(embeds, None, on_result=lambda *row: None)
    leaving = asyncio.create_task(cached.embed_query("How many days?", timeout=5))
    staying = asyncio.create_task(cached.embed_query("How many days?", timeout=5))
    await asyncio.sleep(0.5)
    leaving.cancel()
    assert (await staying).shape == (4,)
    assert len(embeds.calls) == 1


@autojump
async def test_failures_are_raised_and_not_kept():
    embeds = Embeds(failure=EmbeddingError("down"))
    cached = CachedEmbedder(embeds, None, on_result=lambda *row: None)
    for _ in range(2):
        with pytest.raises(EmbeddingError):
            await cached.embed_query("How many days?", timeout=1)
    assert len(embeds.calls) == 2


@autojump
async def test_hints_while_typing_are_not_counted_as_questions():
    told = []
    cached = CachedEmbedder(Embeds(), None, on_result=lambda *row: told.append(row))
    await cached.embed_query("How many days?", timeout=1, asked=False)
    await cached.embed_query("How many days?", timeout=1, asked=False)
    assert told == []


@pytest.mark.parametrize("meanwhile", [0.0, 0.5])
def test_a_vector_begun_ahead_is_one_call_and_counted_once(meanwhile):
    @autojump
    async def embedding():
        embeds, told = Embeds(seconds=0.2), []
        cached = CachedEmbedder(embeds, None, on_result=lambda *row: told.append(row[1]))
        cached.begin("How many days?", timeout=1)
        await asyncio.sleep(meanwhile)
        await cached.embed_query("How many days?", timeout=1)
        assert (len(embeds.calls), told) == (1, ["error"])
        await cached.embed_query("How many days?", timeout=1)
        assert told == ["error", "hit"]

    embedding()


@autojump
async def test_who_joins_a_vector_begun_ahead_gets_its_error():
    cached = CachedEmbedder(Embeds(failure=EmbeddingError("down")), None, on_result=lambda *row: None)
    cached.begin("How many days?", timeout=1)
    with pytest.raises(EmbeddingError):
        await cached.embed_query("How many days?", timeout=1)
    await cached.aclose()


@pytest.mark.parametrize("hang", [False, True])
def test_without_redis_the_embedder_is_asked_and_redis_left_alone_for_a_while(hang):
    @autojump
    async def embedding():
        redis, embeds, told = BrokenRedis(hang), Embeds(), []
        cached = CachedEmbedder(embeds, redis, on_result=lambda *row: told.append(row[1]))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for i in range(10):
            await cached.embed_query(f"question {i}", timeout=1)
        assert len(embeds.calls) == 10
        assert redis.tries == 1
        assert loop.time() - begun < 0.2
        assert told == ["error"] * 10

    embedding()


@autojump
async def test_redis_is_tried_again_after_a_rest():
    clock, redis = Clock(), BrokenRedis()
    remote = RemoteBytes(redis, prefix="p", ttl=60, clock=clock)
    for _ in range(3):
        assert await remote.get(b"k") == (None, False)
        clock.now += REST
    assert redis.tries == 3


async def test_the_loss_of_redis_is_said_once(caplog):
    clock = Clock()
    remote = RemoteBytes(BrokenRedis(), prefix="p", ttl=60, clock=clock)
    for _ in range(3):
        await remote.get(b"k")
        clock.now += REST
    assert [record.getMessage() for record in caplog.records] == [
        "Redis does not answer (ConnectionError); going on without its cache"
    ]


@autojump
async def test_a_ranking_is_found_again_only_in_the_same_scope_and_revision():
    revision, searches, told = [1], Searches(), []
    cache = RankingCache(lambda scope: revision[0], on_result=lambda *row: told.append(row[1]))
    lexical = CachedLexical(searches, cache)
    first = await lexical.search("How many days?", OURS, 40)
    assert await lexical.search("how many days", OURS, 40) is first
    assert await lexical.search("How many days?", THEIRS, 40) is not first
    revision[0] = 2
    assert await lexical.search("How many days?", OURS, 40) is not first
    assert told == ["miss", "hit", "miss", "miss"]


@autojump
async def test_a_vector_search_is_remembered_by_its_vector():
    searches = Searches()
    vectors = CachedVectors(searches, RankingCache(lambda scope: 1, on_result=lambda *row: None), all_there)
    one, other = np.ones(4, np.float32), np.zeros(4, np.float32)
    first = await vectors.search(one, OURS, 40, timeout=1)
    assert await vectors.search(one.copy(), OURS, 40, timeout=1) is first
    assert await vectors.search(other, OURS, 40, timeout=1) is not first


@autojump
async def test_a_vector_search_whose_chunks_are_gone_is_made_anew_for_a_question():
    async def none_there(chunks, scope, timeout):
        return 0

    searches, told = Searches(), []
    cache = RankingCache(lambda scope: 1, on_result=lambda *row: told.append(row[1]))
    vectors, one = CachedVectors(searches, cache, none_there), np.ones(4, np.float32)
    first = await vectors.search(one, OURS, 40, timeout=1)
    assert await vectors.search(one, OURS, 40, timeout=1, asked=False) is first
    assert await vectors.search(one, OURS, 40, timeout=1) is not first
    assert told == ["miss", "stale"]


@autojump
async def test_a_ranking_of_a_part_of_the_chunks_is_not_kept():
    searches = Searches(partial=True)
    lexical = CachedLexical(searches, RankingCache(lambda scope: 1, on_result=lambda *row: None))
    await lexical.search("How many days?", OURS, 40)
    await lexical.search("How many days?", OURS, 40)
    assert len(searches.calls) == 2


@autojump
async def test_a_failed_search_is_raised_and_not_kept():
    searches = Searches(failure=LexicalError("down"))
    lexical = CachedLexical(searches, RankingCache(lambda scope: 1, on_result=lambda *row: None))
    for _ in range(2):
        with pytest.raises(LexicalError):
            await lexical.search("How many days?", OURS, 40)

"""Processes share the vectors of questions through Redis, and nothing of the questions."""

import numpy as np
from redis.asyncio import Redis

from answering.caches.embedding import CachedEmbedder

VECTOR = np.array([0.6, 0.8, 0.0, -0.0], np.float32)


class Embeds:
    name, dimensions = "model", 4

    def __init__(self, dimensions=4):
        self.calls, self.dimensions = 0, dimensions

    async def embed_query(self, text, *, timeout):
        self.calls += 1
        return VECTOR[: self.dimensions]

    async def aclose(self):
        pass


async def processes(redis_url, *embedders):
    """What each of several processes gives for the same question, one after the other, and what was counted."""
    told, vectors = [], []
    redis = Redis.from_url(redis_url)
    await redis.flushdb()
    for embedder in embedders:
        cached = CachedEmbedder(embedder, redis, on_result=lambda *row: told.append(row[1]))
        vectors.append(await cached.embed_query("How many days?", timeout=1))
        await cached.aclose()
    keys = await redis.keys("*")
    lives = [await redis.ttl(key) for key in keys]
    await redis.aclose()
    return vectors, told, keys, lives


async def test_what_one_process_embedded_another_need_not(redis_url):
    first, second = Embeds(), Embeds()
    vectors, told, *_ = await processes(redis_url, first, second)
    assert (first.calls, second.calls) == (1, 0)
    assert told == ["miss", "hit"]
    assert np.array_equal(vectors[1], VECTOR)


async def test_a_vector_of_other_dimensions_is_not_taken(redis_url):
    second = Embeds(dimensions=3)
    await processes(redis_url, Embeds(), second)
    assert second.calls == 1


async def test_keys_bear_no_question_and_do_not_live_for_ever(redis_url):
    _, _, keys, lives = await processes(redis_url, Embeds())
    assert len(keys) == 1
    assert b"days" not in keys[0].lower()
    assert all(0 < seconds <= 7 * 24 * 3600 for seconds in lives)

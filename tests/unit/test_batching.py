import asyncio

import numpy as np
import pytest

from retrieval.embeddings.batching import Batcher
from retrieval.errors import EmbeddingError, EmbeddingThrottled


class Gate:
    """Work that records its batches and waits for the test to let each go."""

    def __init__(self):
        self.batches, self.cancelled = [], 0
        self.started, self.third, self.open = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, texts, left):
        self.batches.append((list(texts), left))
        self.started.set()
        if len(self.batches) == 3:
            self.third.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [np.full(2, float(text), np.float32) for text in texts]


def ask(batcher, *texts, timeout=5):
    return [asyncio.create_task(batcher.submit(text, timeout=timeout)) for text in texts]


async def test_who_asks_while_a_batch_is_under_way_rides_in_the_next_one():
    gate = Gate()
    batcher = Batcher(gate, most=16, lanes=1)
    first = ask(batcher, "1")
    await gate.started.wait()
    rest = ask(batcher, "2", "3", "4")
    await asyncio.sleep(0)
    gate.open.set()
    vectors = await asyncio.gather(*first, *rest)
    assert [texts for texts, _ in gate.batches] == [["1"], ["2", "3", "4"]]
    assert [vector[0] for vector in vectors] == [1, 2, 3, 4]


async def test_a_batch_has_at_most_so_many_texts():
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate, most=2, lanes=1)
    await asyncio.gather(*ask(batcher, "1", "2", "3", "4", "5"))
    assert [len(texts) for texts, _ in gate.batches] == [2, 2, 1]


async def test_with_many_lanes_nobody_waits_for_anothers_round_trip():
    gate = Gate()
    batcher = Batcher(gate, most=1, lanes=3)
    tasks = ask(batcher, "1", "2", "3")
    await gate.third.wait()
    gate.open.set()
    assert len(await asyncio.gather(*tasks)) == 3


async def test_a_text_is_given_up_on_time_and_its_batch_goes_on_for_the_others():
    gate = Gate()
    batcher = Batcher(gate, most=16, lanes=1)
    (short,), (long,) = ask(batcher, "1", timeout=0.01), ask(batcher, "2", timeout=5)
    with pytest.raises(EmbeddingError, match=r"within 0\.010 s"):
        await short
    gate.open.set()
    assert (await long)[0] == 2
    assert gate.cancelled == 0


async def test_a_batch_for_which_nobody_waits_is_cancelled():
    gate = Gate()
    batcher = Batcher(gate, most=16, lanes=1)
    tasks = ask(batcher, "1", "2")
    await gate.started.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*batcher.tasks)
    assert gate.cancelled == 1


async def test_a_batch_is_told_the_time_that_its_most_patient_member_has():
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate, most=16, lanes=1)
    await asyncio.gather(*ask(batcher, "1", timeout=1), *ask(batcher, "2", timeout=60))
    assert 50 < gate.batches[0][1] <= 60


async def test_an_error_reaches_everybody_in_the_batch_and_the_next_batch_is_tried():
    calls = []

    async def work(texts, left):
        calls.append(texts)
        if len(calls) == 1:
            raise EmbeddingError("broken")
        return [np.zeros(2, np.float32) for _ in texts]

    batcher = Batcher(work, most=16, lanes=1)
    for task in ask(batcher, "1", "2"):
        with pytest.raises(EmbeddingError, match="broken"):
            await task
    assert (await batcher.submit("3", timeout=5)).shape == (2,)


async def test_a_queue_that_is_full_refuses_at_once():
    gate = Gate()
    batcher = Batcher(gate, most=1, lanes=1, waiting=2)
    tasks = ask(batcher, "1")
    await gate.started.wait()
    tasks += ask(batcher, "2", "3")
    await asyncio.sleep(0)
    with pytest.raises(EmbeddingThrottled):
        await batcher.submit("4", timeout=5)
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_closing_ends_every_wait_with_an_embedding_error():
    gate = Gate()
    batcher = Batcher(gate, most=1, lanes=1)
    tasks = ask(batcher, "1", "2")
    await gate.started.wait()
    await batcher.aclose()
    for task in tasks:
        with pytest.raises(EmbeddingError, match="closed"):
            await task

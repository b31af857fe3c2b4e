"""The adapter against a real HTTP server that follows a script."""

import asyncio
import json

import numpy as np
import pytest

from retrieval.embeddings.openai import OpenAIEmbedder, batches
from retrieval.errors import EmbeddingError, EmbeddingRejected, EmbeddingThrottled
from tests.servers import listening


class Server:
    """An OpenAI-compatible /embeddings in a few lines; `answer` makes (status, headers, body) of a request."""

    def __init__(self):
        self.requests, self.answer, self.gone = [], self.vectors, asyncio.Event()

    def vectors(self, request):
        rows = [
            {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0, 0.0, 0.0]}
            for place, text in enumerate(request["input"])
        ]
        # Out of order, as the interface allows.
        return 200, {}, {"object": "list", "model": "m", "data": rows[::-1], "usage": USAGE}

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                self.requests.append(json.loads(await reader.readexactly(length)))
                made = self.answer(self.requests[-1])
                if made is None:
                    await reader.read()  # until the client goes
                    break
                status, headers, body = made
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                lines = {"content-type": "application/json", "content-length": len(sent)} | headers
                top = f"HTTP/1.1 {status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
                writer.write(top.encode() + b"\r\n" + sent)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


USAGE = {"prompt_tokens": 1, "total_tokens": 1}


@pytest.fixture
async def server():
    made = Server()
    async with listening(made.serve) as (host, port):
        made.url = f"http://{host}:{port}/v1"
        yield made


@pytest.fixture
async def embedder(server):
    made = OpenAIEmbedder(base_url=server.url, api_key="key", model="some-model", dimensions=4)
    yield made
    await made.aclose()


async def test_a_questions_vector_has_unit_length(embedder):
    vector = await embedder.embed_query("abc", timeout=5)
    assert vector == pytest.approx(np.array([3, 1, 0, 0]) / np.sqrt(10), abs=1e-6)


async def test_questions_that_come_together_ride_in_one_request_and_get_their_own_vectors(embedder, server):
    vectors = await asyncio.gather(*(embedder.embed_query("x" * n, timeout=5) for n in (1, 2, 3)))
    assert [len(request["input"]) for request in server.requests] == [3]
    assert [round(vector[0] / vector[1]) for vector in vectors] == [1, 2, 3]


async def test_documents_go_in_batches_and_keep_their_order(embedder, server):
    texts = ["x" * (n % 7 + 1) for n in range(150)]
    vectors = await asyncio.to_thread(embedder.embed_documents, texts)
    assert [len(request["input"]) for request in server.requests] == [64, 64, 22]
    assert [round(row[0] / row[1]) for row in vectors] == [len(text) for text in texts]


async def test_an_empty_text_is_sent_as_a_space_since_servers_refuse_it(embedder, server):
    await embedder.embed_query("", timeout=5)
    assert server.requests[0]["input"] == [" "]


async def test_dimensions_are_asked_for_where_the_model_can_be_shortened(server):
    made = OpenAIEmbedder(base_url=server.url, api_key="", model="text-embedding-3-small", dimensions=4)
    await made.embed_query("abc", timeout=5)
    assert server.requests[0]["dimensions"] == 4
    assert made.name == "text-embedding-3-small@4"
    await made.aclose()


async def test_other_models_are_not_asked_for_dimensions(embedder, server):
    await embedder.embed_query("abc", timeout=5)
    assert "dimensions" not in server.requests[0]


async def test_vectors_of_another_size_are_refused(server):
    made = OpenAIEmbedder(base_url=server.url, api_key="", model="some-model", dimensions=8)
    with pytest.raises(EmbeddingRejected, match="4 dimensions, not of 8"):
        await made.embed_query("abc", timeout=5)
    await made.aclose()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((429, {"retry-after": "7"}, {"error": {"message": "slow"}}), EmbeddingThrottled),
        ((500, {}, {"error": {"message": "broken"}}), EmbeddingError),
        ((400, {}, {"error": {"message": "too long"}}), EmbeddingRejected),
        ((401, {}, {"error": {"message": "no key"}}), EmbeddingRejected),
        ((200, {}, b"not json"), EmbeddingError),
        ((200, {}, {"object": "list", "data": [], "model": "m", "usage": USAGE}), EmbeddingError),
        (
            (
                200,
                {},
                {
                    "object": "list",
                    "model": "m",
                    "usage": USAGE,
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.0] * 4}],
                },
            ),
            EmbeddingError,
        ),
    ],
)
async def test_every_fault_is_an_embedding_error_and_none_is_tried_again(embedder, server, answer, error):
    server.answer = lambda request: answer
    with pytest.raises(EmbeddingError) as caught:
        await embedder.embed_query("abc", timeout=5)
    assert caught.type is error
    assert len(server.requests) == 1


@pytest.mark.parametrize("row", [None, ["a", "b", "c", "d"]], ids=["none", "words"])
async def test_vectors_that_are_none_are_an_embedding_error(embedder, server, row):
    data = [{"object": "embedding", "index": 0, "embedding": row}]
    server.answer = lambda request: (200, {}, {"object": "list", "data": data, "model": "m", "usage": USAGE})
    with pytest.raises(EmbeddingError):
        await embedder.embed_query("abc", timeout=5)
    with pytest.raises(EmbeddingError):
        await asyncio.to_thread(embedder.embed_documents, ["abc"])


async def test_the_seconds_that_a_throttling_server_names_are_kept(embedder, server):
    server.answer = lambda request: (429, {"retry-after": "7"}, {"error": {"message": "slow"}})
    with pytest.raises(EmbeddingThrottled) as caught:
        await embedder.embed_query("abc", timeout=5)
    assert caught.value.retry_after == 7


async def test_a_server_that_hangs_is_given_up_in_time_and_its_request_is_cancelled(embedder, server):
    server.answer = lambda request: None
    with pytest.raises(EmbeddingError):
        await embedder.embed_query("abc", timeout=0.05)
    await asyncio.wait_for(server.gone.wait(), 5)


async def test_a_server_that_is_not_there_is_an_embedding_error():
    made = OpenAIEmbedder(base_url="http://127.0.0.1:9/v1", api_key="", model="some-model", dimensions=4)
    with pytest.raises(EmbeddingError, match="cannot be reached"):
        await made.embed_query("abc", timeout=5)
    with pytest.raises(EmbeddingError, match="cannot be reached"):
        await asyncio.to_thread(made.embed_documents, ["abc"])
    await made.aclose()


def test_a_request_holds_neither_too_many_texts_nor_too_much_text():
    texts = ["x" * 60_000, "y" * 60_000, *["z"] * 100]
    assert [len(batch) for batch in batches(texts)] == [1, 64, 37]

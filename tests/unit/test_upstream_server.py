import asyncio
import gc
import json
import socket
from contextlib import suppress

import httpx2
import numpy as np
import openai
import pytest

from answering import prompt
from answering.upstream import SimulatedUpstream, replies
from retrieval.passages import Passage

PROMPT = [
    {"role": "system", "content": "Answer from the sources. Cite as [n]."},
    {
        "role": "user",
        "content": "[3] Leave\nFull-time staff get 25 days of leave a year.\n[8] Pay\nPay comes on the 25th.",
    },
]


@pytest.fixture
async def upstream():
    async with SimulatedUpstream(first_token="fixed:0", token_gap="fixed:0", embedding="fixed:0") as server:
        yield server


@pytest.fixture
async def client(upstream):
    async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def http():
    async with httpx2.AsyncClient(timeout=10) as client:
        yield client


async def streamed(client, **options):
    """The tokens of one streamed answer."""
    stream = await client.chat.completions.create(model="m", messages=PROMPT, stream=True, **options)
    return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices[0].delta.content]


async def until(condition):
    """Returns when `condition()` holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is counted happens on this same loop
            await asyncio.sleep(0)


async def test_a_streamed_answer_quotes_the_passages_under_their_own_numbers(upstream, client):
    await upstream.change(tokens=40)

    text = "".join(await streamed(client))

    assert "Full-time staff get 25 days of leave a year. [3]" in text
    assert "[8]" in text
    assert "[1]" not in text


def test_it_quotes_the_passages_of_the_product_s_own_prompt():
    passage = Passage(1, "d", "hr", 1, "Leave", "", None, 0, "Staff get 25 days of leave.", "hash", 0.0)
    messages = prompt.build("How many days?", [(4, passage, passage.text)])
    body = [{"role": message.role, "content": message.content} for message in messages]

    assert replies.passages_of(body) == [(4, "Staff get 25 days of leave.")]


async def test_an_answer_has_as_many_tokens_as_asked(upstream, client):
    await upstream.change(tokens=30)

    assert len(await streamed(client)) == 30
    assert len(await streamed(client, max_tokens=7)) == 7


async def test_without_passages_it_says_that_the_documents_do_not(client):
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])

    assert reply.choices[0].message.content.strip() == "The documents do not say."


async def test_usage_comes_with_the_stream_when_asked_for(client):
    stream = await client.chat.completions.create(
        model="m", messages=PROMPT, stream=True, stream_options={"include_usage": True}
    )

    assert [chunk.usage.completion_tokens async for chunk in stream if chunk.usage] == [100]


async def test_vectors_are_unit_length_repeatable_and_near_for_shared_words(client):
    reply = await client.embeddings.create(
        model="m", input=["annual leave days", "days of annual leave", "boiling point"], dimensions=256
    )
    rows = np.array([item.embedding for item in reply.data])

    assert rows.shape == (3, 256)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.7 > 0.3 > rows[0] @ rows[2]


async def test_vectors_can_come_from_a_model(http):
    def vectoriser(texts):
        return np.eye(4, dtype=np.float32)[: len(texts)]

    async with SimulatedUpstream(embedding="fixed:0", vectoriser=vectoriser) as upstream:
        reply = await http.post(f"{upstream.base_url}/embeddings", json={"input": ["a", "b"]})

    assert [item["embedding"] for item in reply.json()["data"]] == [[1, 0, 0, 0], [0, 1, 0, 0]]


async def test_models_are_listed(client):
    assert [model.id async for model in client.models.list()] == ["simulated"]


async def test_rerank_orders_documents_by_the_words_of_the_query(upstream, http):
    body = {"query": "annual leave", "documents": ["pay", "annual leave days", "leave"], "top_n": 2}

    reply = await http.post(f"{upstream.base_url}/rerank", json=body)

    assert [result["index"] for result in reply.json()["results"]] == [1, 2]


async def test_requests_follow_each_other_on_one_connection(upstream):
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    for _ in range(3):
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert json.loads(await reader.readexactly(length))["object"] == "list"
    writer.close()


@pytest.mark.parametrize("turns", range(6))
async def test_who_connects_as_the_server_stops_is_not_forgotten(turns):
    async with SimulatedUpstream() as server:
        await asyncio.sleep(0)
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        for _ in range(turns):  # the connection is waiting, accepted, given a transport, made
            await asyncio.sleep(0)
    with client, suppress(ConnectionResetError):
        assert client.recv(1) == b""
    gc.collect()  # a forgotten socket is reported, and the test fails


async def test_a_chunked_request_body_is_read(upstream, http):
    async def body():
        yield b'{"input": '
        yield b'"hello"}'

    reply = await http.post(f"{upstream.base_url}/embeddings", content=body())

    assert len(reply.json()["data"]) == 1


async def test_bytes_that_are_no_request_are_refused(upstream):
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(b"nonsense\r\n\r\n")

    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_throttling_says_when_to_come_back(upstream, client):
    await upstream.change(throttled=1.0, retry_after=3.0)

    with pytest.raises(openai.RateLimitError) as raised:
        await streamed(client)
    assert raised.value.response.headers["retry-after"] == "3"


async def test_a_failing_server_answers_5xx(upstream, client):
    await upstream.change(errors=1.0, embedding_errors=1.0)

    with pytest.raises(openai.InternalServerError):
        await streamed(client)
    with pytest.raises(openai.InternalServerError):
        await client.embeddings.create(model="m", input="x")


async def test_a_cut_stream_ends_in_the_middle(upstream, client):
    await upstream.change(cut=1.0, stall_after=5)

    with pytest.raises((httpx2.RemoteProtocolError, openai.APIConnectionError)):
        await streamed(client)
    (calls,) = upstream.tally.requests.values()

    assert calls[0].tokens == 5


async def test_a_malformed_stream_is_no_json(upstream, client):
    await upstream.change(malformed=1.0)

    with pytest.raises((ValueError, openai.APIError)):
        await streamed(client)


async def test_a_hanging_request_is_cancelled_when_its_client_leaves(upstream, client):
    await upstream.change(hang=1.0)
    task = asyncio.create_task(streamed(client))
    await until(lambda: upstream.tally.in_flight["chat"] == 1)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: upstream.tally.in_flight["chat"] == 0)

    assert upstream.tally.cancelled["chat"] == 1


async def test_a_stalled_stream_can_send_comments_and_no_token(upstream, http):
    await upstream.change(stall=1.0, stall_after=2, keepalive=0.001)
    lines = []

    async with http.stream(
        "POST", f"{upstream.base_url}/chat/completions", json={"messages": PROMPT, "stream": True}
    ) as reply:
        async for line in reply.aiter_lines():
            lines.append(line)
            if line.startswith(":"):
                break
    contents = [
        json.loads(line[6:])["choices"][0]["delta"].get("content") for line in lines if line[:1] == "d"
    ]

    assert len([text for text in contents if text]) == 2


async def test_refused_connections_can_be_allowed_again(upstream, client):
    await upstream.change(refuse=True)
    with pytest.raises(openai.APIConnectionError):
        await streamed(client)

    await upstream.change(refuse=False)

    assert len(await streamed(client)) == 100


async def test_control_works_beside_a_refusing_server(http):
    async with SimulatedUpstream(refuse=True, control_port=0) as upstream:
        with pytest.raises(httpx2.ConnectError):
            await http.get(f"{upstream.base_url}/models")
        changed = await http.post(upstream.control_url, json={"refuse": False, "tokens": 5})
        models = await http.get(f"{upstream.base_url}/models")

    assert changed.json()["tokens"] == 5
    assert models.status_code == 200


async def test_control_refuses_what_it_does_not_know(upstream, http):
    reply = await http.post(upstream.control_url, json={"speed": 9})

    assert reply.status_code == 400
    assert "speed" in reply.json()["error"]["message"]


async def test_control_takes_a_share_after_a_whole_number(upstream, http):
    """Most programs write 0.0 as 0."""
    for share in (0, 1, 0.5):
        reply = await http.post(upstream.control_url, json={"cut": share})
        assert reply.status_code == 200


async def test_stats_tell_each_request_by_its_id(upstream, client, http):
    await streamed(client, extra_headers={"X-Request-ID": "run-1"})

    stats = (await http.get(f"{upstream.control_url}/stats")).json()
    (call,) = stats["requests"]["run-1"]

    assert stats["calls"] == {"chat": 1}
    assert call["arrived"] <= call["first_byte"] <= call["ended"]
    assert call["tokens"] == 100


async def test_reset_forgets_the_counts(upstream, client, http):
    await streamed(client)

    await http.post(f"{upstream.control_url}/reset")

    assert not upstream.tally.calls
    assert not upstream.tally.requests


async def test_over_capacity_requests_wait_for_a_place(upstream, client):
    await upstream.change(capacity=1, hang=1.0)
    first = asyncio.create_task(streamed(client))
    await until(lambda: upstream.tally.in_flight["chat"] == 1)
    await upstream.change(hang=0.0)
    second = asyncio.create_task(streamed(client))
    await until(lambda: upstream.tally.in_flight["chat"] == 2)
    assert not second.done()

    first.cancel()

    assert len(await second) == 100
    await asyncio.gather(first, return_exceptions=True)


async def test_over_capacity_requests_can_be_throttled(upstream, client):
    await upstream.change(capacity=1, over_capacity="throttle", hang=1.0)
    first = asyncio.create_task(streamed(client))
    await until(lambda: upstream.tally.in_flight["chat"] == 1)

    with pytest.raises(openai.RateLimitError):
        await streamed(client)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_burst_of_errors_passes(upstream, client):
    await upstream.change(burst_every=1000.0, burst_for=1000.0, burst_errors=1.0)
    with pytest.raises(openai.InternalServerError):
        await streamed(client)

    await upstream.change(burst_for=0.0)

    assert len(await streamed(client)) == 100

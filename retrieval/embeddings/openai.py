"""Any OpenAI-compatible `/embeddings`, through the openai client."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx2
import numpy as np
import openai
import orjson

from retrieval.embeddings import Vector, Vectors
from retrieval.embeddings.batching import Batcher
from retrieval.errors import EmbeddingError, EmbeddingRejected, EmbeddingThrottled
from retrieval.transport import Endpoint, disconnected

# What the servers in use take in one request: OpenAI 2,048 texts and 300,000 tokens, others 32 to 128 texts.
BATCH_TEXTS = 64
BATCH_CHARACTERS = 100_000
QUERY_BATCH, QUERY_LANES, QUERY_WINDOW = 16, 32, 0.002
DOCUMENTS_TIMEOUT = 60.0
# Only these models take the `dimensions` parameter; others refuse it.
SHORTENABLE = ("text-embedding-3",)

Row = Sequence[float] | Vector


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the openai client, and of what is beneath it -> retrieval's."""
    try:
        yield
    except (httpx2.TimeoutException, httpx2.RequestError, aiohttp.ClientError) as error:
        broken = disconnected(error)
        if broken is None and isinstance(error, httpx2.TimeoutException | TimeoutError):
            raise EmbeddingError("The embedding server did not answer in time.") from error
        raise EmbeddingError(f"The embedding server cannot be reached: {broken or error}") from error
    except openai.APITimeoutError as error:
        if (broken := disconnected(error)) is not None:
            raise EmbeddingError(f"The embedding server cannot be reached: {broken}") from error
        raise EmbeddingError("The embedding server did not answer in time.") from error
    except openai.APIConnectionError as error:
        raise EmbeddingError(f"The embedding server cannot be reached: {error.__cause__ or error}") from error
    except openai.APIStatusError as error:
        raise of_status(error.status_code, error.message, error.response.headers) from error
    except (openai.OpenAIError, ValueError, TypeError) as error:
        raise EmbeddingError(f"The embedding server gave no usable answer: {error}") from error


def of_status(status: int, said: str, headers: httpx2.Headers) -> EmbeddingError:
    """What an answer without vectors means."""
    if status == 429:
        return EmbeddingThrottled("The embedding server asks to slow down.", retry_after(headers))
    kind = EmbeddingError if status >= 500 or status == 408 else EmbeddingRejected
    return kind(f"The embedding server answered {status}: {said[:200]}")


def retry_after(headers: httpx2.Headers) -> float | None:
    """The seconds that the server asks for; None where it names none, or a date."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of `texts` that fit into one request each."""
    start = size = 0
    for place, text in enumerate(texts):
        if place > start and (place - start == BATCH_TEXTS or size + len(text) > BATCH_CHARACTERS):
            yield texts[start:place]
            start, size = place, 0
        size += len(text)
    if start < len(texts):
        yield texts[start:]


class OpenAIEmbedder:
    """`dimensions` is checked against every answer, since vectors of another size fit no partition."""

    def __init__(self, *, base_url: str, api_key: str, model: str, dimensions: int) -> None:
        self.model = model
        self.dimensions = dimensions
        self.name = f"{model}@{dimensions}"
        key = api_key or "none"
        http = openai.DefaultAioHttpClient()
        self.client = openai.AsyncOpenAI(
            base_url=base_url or None, api_key=key, max_retries=0, http_client=http
        )
        self.questions = Endpoint(self.client, http, "embeddings")
        self.documents = openai.OpenAI(
            base_url=base_url or None, api_key=key, max_retries=0, timeout=DOCUMENTS_TIMEOUT
        )
        self.batcher = Batcher(self.embed_batch, most=QUERY_BATCH, lanes=QUERY_LANES, window=QUERY_WINDOW)
        self.shortened = dimensions if model.startswith(SHORTENABLE) else None

    async def embed_query(self, text: str, *, timeout: float) -> Vector:
        return await self.batcher.submit(text, timeout=timeout)

    async def embed_batch(self, texts: Sequence[str], left: float) -> Sequence[Vector]:
        body: dict[str, Any] = {"model": self.model, "input": filled(texts), "encoding_format": "base64"}
        if self.shortened:
            body["dimensions"] = self.shortened
        with translated():
            answer = await self.questions.post(body, timeout=httpx2.Timeout(max(left, 0.001)))
            if not answer.is_success:
                raise of_status(answer.status_code, answer.text, answer.headers)
            return list(self.checked(rows_of(answer.content), len(texts)))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        done = [np.empty((0, self.dimensions), np.float32)]
        for batch in batches(texts):
            with translated():
                answer = self.documents.embeddings.create(
                    model=self.model, input=filled(batch), dimensions=self.shortened or openai.omit
                )
                rows = [row.embedding for row in sorted(answer.data or (), key=lambda row: row.index)]
                done.append(self.checked(rows, len(batch)))
        return np.concatenate(done)

    def checked(self, rows: Sequence[Row], count: int) -> Vectors:
        """(count, dimensions), unit rows in the order of the request. Raises EmbeddingError."""
        if len(rows) != count:
            raise EmbeddingError(f"The embedding server gave {len(rows)} vectors for {count} texts.")
        sizes = {len(row) for row in rows}
        if sizes != {self.dimensions}:
            raise EmbeddingRejected(
                f"{self.model} gives vectors of {max(sizes)} dimensions, not of {self.dimensions} as set."
            )
        vectors = np.asarray(rows, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise EmbeddingError("The embedding server gave a vector without a direction.")
        unit: Vectors = vectors / lengths
        return unit

    async def aclose(self) -> None:
        await self.batcher.aclose()
        await self.client.close()
        self.documents.close()


def rows_of(body: bytes) -> list[Row]:
    """The vectors of a response, in the order of the request; base64 of little-endian floats was asked for, but not
    every server knows that. Raises ValueError."""
    try:
        data = orjson.loads(body)["data"] or ()
        found = [row["embedding"] for row in sorted(data, key=lambda row: row["index"])]
    except KeyError as error:
        raise ValueError(f"no list of embeddings: {error!r}") from error
    return [np.frombuffer(base64.b64decode(row), "<f4") if isinstance(row, str) else row for row in found]


def filled(texts: Sequence[str]) -> list[str]:
    """Servers refuse empty texts; a space stands for one."""
    return [text if text.strip() else " " for text in texts]

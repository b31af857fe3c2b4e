"""A reranker of the operator's choice behind the common `/rerank` endpoint (Cohere, Jina, vLLM and others have it).

It reads the question beside each of the first chunks, which is slower than either search and may know better. Small
ones often know worse: `manage.py evaluate DIR --rerank` says which."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import openai
from django.conf import settings

from retrieval import passages
from retrieval.access import AccessScope
from retrieval.database import Pool
from retrieval.errors import RerankError
from retrieval.ingestion.chunking import indexed_text
from retrieval.passages import Hit, Ranking
from retrieval.transport import disconnected

MOST = 16
"""Chunks that are read again: as many as an answer chooses its passages from."""


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the client, and of an answer without sense -> RerankError."""
    try:
        yield
    except openai.APITimeoutError as error:
        if (broken := disconnected(error)) is not None:
            raise RerankError(f"The reranker cannot be reached: {broken}") from error
        raise RerankError("The reranker did not answer in time.") from error
    except openai.APIStatusError as error:
        raise RerankError(f"The reranker answered {error.status_code}.") from error
    except openai.OpenAIError as error:
        raise RerankError(f"The reranker cannot be reached: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RerankError(f"The reranker gave no usable answer: {error!r}") from error


class Reranker:
    """`base_url` as far as `/rerank`. One client, made once a process."""

    def __init__(self, pool: Pool, *, base_url: str, api_key: str = "", model: str = "") -> None:
        self.pool, self.model = pool, model
        self.client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(),
        )

    async def rerank(self, question: str, fused: Ranking, scope: AccessScope, *, timeout: float) -> Ranking:
        """The first MOST chunks of `fused` that `scope` allows, those that the model finds best first; chunks that it
        says nothing of follow as they were. `timeout` in seconds. Raises RerankError, and VectorError where Postgres
        does not give the texts."""
        known = await passages.load(self.pool, fused.chunks[:MOST], scope, timeout=timeout)
        chunks = [chunk for chunk in fused.chunks[:MOST] if chunk in known]
        if len(chunks) < 2:
            return _ranked(chunks)
        texts = [indexed_text(p.title, p.heading, p.text) for p in (known[chunk] for chunk in chunks)]
        with translated():
            order = _order(await self._asked(question, texts, timeout), len(texts))
        return _ranked([chunks[place] for place in order])

    async def _asked(self, question: str, texts: Sequence[str], timeout: float) -> Mapping[str, Any]:
        body: dict[str, Any] = {"query": question, "documents": texts, "top_n": len(texts)}
        if self.model:
            body["model"] = self.model
        answer: Mapping[str, Any] = await self.client.post(
            "/rerank", cast_to=dict[str, Any], body=body, options={"timeout": max(timeout, 0.001)}
        )
        return answer

    async def aclose(self) -> None:
        await self.client.close()


def _order(answer: Mapping[str, Any], count: int) -> list[int]:
    """The places of the documents that were sent, best first. Raises what an answer of another shape leads to."""
    scores: dict[int, float] = {}
    for row in answer["results"]:
        place, score = int(row["index"]), float(row["relevance_score"])
        if not (0 <= place < count and math.isfinite(score)):
            raise ValueError(f"document {place} of {count} has the score {score}")
        scores[place] = score
    return sorted(range(count), key=lambda place: (-scores.get(place, -math.inf), place))


def _ranked(chunks: Sequence[int]) -> Ranking:
    """In this order, whatever is made of the scores; those of rerankers have no common scale."""
    return Ranking("reranked", tuple(Hit(chunk, float(len(chunks) - at)) for at, chunk in enumerate(chunks)))


def configured(pool: Pool) -> Reranker | None:
    """The reranker of the RERANK_* settings; None where there is none."""
    if not settings.RERANK_BASE_URL:
        return None
    return Reranker(
        pool,
        base_url=settings.RERANK_BASE_URL,
        api_key=settings.RERANK_API_KEY,
        model=settings.RERANK_MODEL,
    )

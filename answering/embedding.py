"""The vector of a question: from the cache, else from the embedder, hedged where that is a server.

The bundled model is not hedged: it computes on this very machine, and a second call would only slow the first."""

from collections.abc import Sequence

from answering.resilience.hedging import Hedger
from retrieval.embeddings import Embedder, Vector, Vectors
from retrieval.errors import EmbeddingError


class HedgedEmbedder:
    """An Embedder that asks a second time where the first call is later than most. Raises EmbeddingError."""

    def __init__(self, embedder: Embedder, hedger: Hedger) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self._embedder, self._hedger = embedder, hedger

    async def embed_query(self, text: str, *, timeout: float) -> Vector:
        return await self._hedger.call(
            lambda: self._embedder.embed_query(text, timeout=timeout), failures=(EmbeddingError,)
        )

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_documents(texts)

    async def aclose(self) -> None:
        await self._embedder.aclose()

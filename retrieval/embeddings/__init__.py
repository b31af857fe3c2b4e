"""Text -> vectors, behind one protocol: `minilm` is the bundled model, `openai` any compatible server."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""Shape (dimensions,), unit length."""

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimensions), rows of unit length."""


class Embedder(Protocol):
    """Turns texts into unit vectors. `name` identifies the model in caches and partitions."""

    name: str
    dimensions: int

    async def embed_query(self, text: str, *, timeout: float) -> Vector:
        """The vector of one question. `timeout` in seconds covers connect, wait and read.

        Raises EmbeddingError; never a foreign error."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of many texts, synchronously (ingestion). Raises EmbeddingError."""
        ...

    async def aclose(self) -> None: ...

"""Text -> vectors, behind one protocol: `minilm` is the bundled model, `openai` any compatible server."""

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

# onnxruntime reports its use to its maker, over the network and with an identifier that it keeps in the user's home. It
# looks once, when it is loaded, whether it may: so this stands before every module that loads it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

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

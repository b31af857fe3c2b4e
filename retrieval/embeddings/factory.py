"""The embedder that the settings ask for."""

from functools import cache
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from django.conf import settings
from django.utils.module_loading import import_string

from retrieval.embeddings import Embedder

# By name, so that a process loads only the libraries of the one it uses: the bundled one is an extra.
MINILM = "retrieval.embeddings.minilm.MiniLMEmbedder"
OPENAI = "retrieval.embeddings.openai.OpenAIEmbedder"


@cache
def build(*, base_url: str, api_key: str, model: str, dimensions: int, data_dir: Path) -> Embedder:
    """A server's model where `base_url` or `model` is given, else the bundled one; made once a process."""
    if not (base_url or model):
        return cast(Embedder, import_string(MINILM)(data_dir))
    made = import_string(OPENAI)(
        base_url=base_url or None, api_key=api_key, model=model, dimensions=dimensions
    )
    return cast(Embedder, made)


def configured() -> Embedder:
    """The embedder of this process, from the EMBEDDING_* settings."""
    return build(
        base_url=settings.EMBEDDING_BASE_URL,
        api_key=settings.EMBEDDING_API_KEY,
        model=settings.EMBEDDING_MODEL,
        dimensions=settings.EMBEDDING_DIMENSIONS,
        data_dir=Path(settings.DATA_DIR),
    )


@runtime_checkable
class Loadable(Protocol):
    """An embedder with something to load before its first question."""

    def load(self) -> None: ...


def ready() -> Embedder:
    """The embedder of this process, loaded, so that no question pays for that (0.1 s; blocks). Raises
    EmbeddingError."""
    embedder = configured()
    if isinstance(embedder, Loadable):
        embedder.load()
    return embedder


async def close() -> None:
    """Lets go of what the embedder of this process holds, connections to a server above all: for a command at its end,
    on the event loop that asked it. Who needs an embedder after that gets another one."""
    embedder = configured()
    build.cache_clear()
    await embedder.aclose()

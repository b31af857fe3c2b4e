"""HTTP for the openai clients of models, embedder and reranker: aiohttp, which takes half the processor time of the
default, and what has to be known of it."""

import aiohttp


def disconnected(error: BaseException) -> aiohttp.ClientConnectionError | None:
    """The refused or broken connection behind what openai's transport calls a timeout; None where it was one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ClientConnectionError):
            return None if isinstance(cause, TimeoutError) else cause
        cause = cause.__cause__
    return None

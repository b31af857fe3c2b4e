"""The sources in the order of a reranker, where one is configured."""

from collections.abc import Sequence
from dataclasses import replace

from answering.evidence import Found
from answering.parts import Parts
from answering.stages import Run
from retrieval.fusion import fuse
from retrieval.passages import Passage, Ranking
from retrieval.reranking import MOST


async def reranked(
    run: Run,
    parts: Parts,
    text: str,
    words: Ranking | None,
    meaning: Ranking | None,
    extra: Sequence[int],
    read: dict[int, Passage],
    found: Found,
) -> Found:
    """`found` with the passages that the reranker puts first; as it is where that takes too long or fails. Whether they
    answer the question stays the judgement of the two searches: it is calibrated for them."""
    reranker, scope = parts.reranker, run.question.scope
    if reranker is None or not found.answerable:
        return found
    fused = fuse(text, words, meaning, k=MOST, cosines=parts.cosines)
    limit = run.deadline.capped(parts.budgets.rerank)

    async def choose() -> Found:
        best = await reranker.rerank(text, fused, scope, timeout=limit.remaining())
        return await parts.chooser.choose(text, scope, best, None, extra, read, timeout=limit.remaining())

    chosen = await run.stage(
        "rerank", choose, budget=parts.budgets.rerank, breaker=parts.breakers.reranker, fallback=None
    )
    return replace(found, passages=chosen.passages) if chosen is not None and chosen.passages else found

"""Two rankings -> one, by a convex combination of their scaled scores (pure)."""

import numpy as np

from retrieval.passages import Hit, Ranking

LEXICAL_SHARE = 0.5


def fuse(query: str, lexical: Ranking | None, vector: Ranking | None, *, k: int) -> Ranking:
    """The best `k` chunks of both legs. Either leg may be missing; with one leg its order stays."""
    legs = [leg for leg in (lexical, vector) if leg is not None]
    partial = any(leg.partial for leg in legs)
    scores: dict[int, float] = {}
    for leg in legs:
        share = LEXICAL_SHARE if leg.leg == "lexical" else 1 - LEXICAL_SHARE
        for chunk, score in _scaled(leg).items():
            scores[chunk] = scores.get(chunk, 0.0) + share * score
    order = sorted(scores, key=lambda chunk: -scores[chunk])[:k]
    return Ranking("fused", tuple(Hit(chunk, scores[chunk]) for chunk in order), partial)


def _scaled(leg: Ranking) -> dict[int, float]:
    values = np.array([hit.score for hit in leg])
    if not len(values):
        return {}
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low) if high > low else np.ones_like(values)
    return {hit.chunk: float(value) for hit, value in zip(leg, scaled, strict=True)}

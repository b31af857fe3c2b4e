"""Do the passages answer the question at all?"""

from collections.abc import Sequence

from retrieval.lexical.analysis import query_terms
from retrieval.passages import Passage, Ranking

THRESHOLD = 0.34


def answerability(
    question: str, passages: Sequence[Passage], lexical: Ranking | None, vector: Ranking | None
) -> float:
    """0 to 1: the share of the question's terms that the best passages hold, or the best cosine if that is more."""
    wanted = set(query_terms(question))
    held = set().union(*(query_terms(f"{p.title} {p.heading} {p.text}") for p in passages[:3])) if passages else set()
    covered = len(wanted & held) / len(wanted) if wanted else 0.0
    cosine = max((hit.score for hit in vector), default=0.0) if vector else 0.0
    return max(covered, cosine)

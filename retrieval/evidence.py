"""Whether the passages found can answer at all: a logistic formula over what retrieval saw.

Its features say how far the question's content words are covered, alone and close together, how well the best
chunk matches in words, and how near the nearest ones are in meaning. Cosines are those of the bundled MiniLM; they
lie elsewhere for other models, so for those say `cosines=False` and the words alone decide.

The coefficients were fitted by `benchmarks/answerability.py --fit` (ridge logistic regression, every set of equal
weight) to the questions of six public sets against 200 questions that no company document answers, put to the
same documents, and to titles as very short questions, since the unanswerable ones are short and length must not
be what refuses. docs/retrieval.md has what they give on sets left out of the fit."""

import math
from collections.abc import Sequence
from functools import lru_cache

from retrieval.lexical.analysis import query_terms, terms
from retrieval.passages import Passage, Ranking

THRESHOLD = 0.5
"""Below it the documents do not say."""

PASSAGES = 8  # that count, the best ones
CLOSE = 25  # content words of a passage within which words of the question are close together
ENOUGH = 4  # words of the question beyond which more of them prove no more

# Intercept; share of words found anywhere; of words close together; number of words in one passage; close
# together; then the best BM25 score a word and as it is; then the best cosine and the mean of the best three.
BOTH = (-14.20, 0.77, 4.66, 2.55, 0.38, 0.69, 3.98, 10.00, 5.94)
LEXICAL = (-12.14, 2.24, 6.52, 3.85, 2.88, 1.54, 4.14)
VECTOR = (-13.21, 0.83, 4.47, 3.41, 1.85, 10.84, 5.49)


def answerability(
    question: str,
    passages: Sequence[Passage],
    lexical: Ranking | None,
    vector: Ranking | None,
    *,
    cosines: bool = True,
) -> float:
    """From 0 to 1, how likely the passages, best first, answer. A leg that was not asked or failed is None."""
    if not passages:
        return 0.0
    texts = [f"{one.title}\n{one.heading}\n{one.text}" for one in passages[:PASSAGES]]
    by_meaning = vector if cosines else None
    values = features(question, texts, lexical, by_meaning)
    weights = coefficients(lexical, by_meaning)
    return 1 / (1 + math.exp(-sum(w * v for w, v in zip(weights, (1.0, *values), strict=True))))


def coefficients(lexical: Ranking | None, vector: Ranking | None) -> tuple[float, ...]:
    if vector is None or not vector.hits:
        return LEXICAL
    return VECTOR if lexical is None else BOTH


def features(
    question: str, texts: Sequence[str], lexical: Ranking | None, vector: Ranking | None
) -> tuple[float, ...]:
    """In the order of the coefficients, without the intercept, each about 0 to 1."""
    words = query_terms(question)
    has_vector = vector is not None and bool(vector.hits)
    values = list(_coverage(words, [_terms(text) for text in texts]))
    if lexical is not None or not has_vector:
        best = lexical.hits[0].score if lexical is not None and lexical.hits else 0.0
        values += [min(best / max(1, len(words)), 8.0) / 8, min(best, 25.0) / 25]
    if vector is not None and has_vector:
        top = [hit.score for hit in vector.hits[:3]]
        values += [top[0], sum(top) / len(top)]
    return tuple(values)


def _coverage(words: Sequence[str], texts: Sequence[tuple[str, ...]]) -> tuple[float, float, float, float]:
    wanted = frozenset(words)
    if not wanted:
        return 0.0, 0.0, 0.0, 0.0
    anywhere = wanted.intersection(word for text in texts for word in text)
    together = max((len(wanted.intersection(text)) for text in texts), default=0)
    close = max((_closest(wanted, text) for text in texts[: PASSAGES // 2]), default=0)
    number = len(wanted)
    return len(anywhere) / number, close / number, min(together, ENOUGH) / ENOUGH, min(close, ENOUGH) / ENOUGH


def _closest(wanted: frozenset[str], text: Sequence[str]) -> int:
    """The most words of `wanted` within CLOSE words of the text."""
    places = [(place, word) for place, word in enumerate(text) if word in wanted]
    most = 0
    for at, (start, _) in enumerate(places):
        most = max(most, len({word for place, word in places[at:] if place - start <= CLOSE}))
        if most == len(wanted):
            break
    return most


@lru_cache(maxsize=512)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(terms(text))

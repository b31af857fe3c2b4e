"""Two rankings -> one (pure), by a convex combination of what three views say of a chunk:

* from 0 at a leg's last hit to 1 at its first: how a chunk stands within its leg;
* as a share of the leg's certainty, exp((score - best) / temperature) over its sum: a leg in which one chunk
  stands out says so, a leg that finds a hundred alike has little to say. This is where a question's own scores
  weigh the legs, with no labels and nothing learned;
* one over the better of its two ranks: what one leg is first with stays among the first, however much the other
  finds that both have a little of.

In the first two the legs share by how steeply their scores fall over the first ten hits. A leg that falls has told
what answers from what does not, one that stays level has found ten alike.

The bundled embedding model has hardly read a word that is not in Latin letters: for a question that is not, its leg
counts little. Of other languages than English it has read some: where the question and the texts are in one, it counts
for less.

Reciprocal rank fusion throws the scores away, and lets a weak leg pull a strong one down. A weight learned from
features of question and scores gained nothing on sets left out of the learning. Both are measured beside this
in docs/retrieval-measured.md."""

from itertools import chain

import numpy as np
import numpy.typing as npt

from retrieval.passages import Hit, Ranking

LEXICAL_SHARE = 0.5  # beside another model than the bundled one, whose cosines may lie close together
LEAST, MOST = 0.25, 0.8  # the lexical share where only the cosines fall, and where only the words' scores do
STEEPER = 2.0  # by how much the words' scores fall more than cosines, both relative to the best
NEXT = 9  # the place of the tenth hit
LEXICAL_TEMPERATURE = 0.3  # of the best BM25 score, since BM25 has no scale of its own
VECTOR_TEMPERATURE = 0.15  # of a cosine
PLACED, CERTAIN, FIRST = 0.37, 0.37, 0.26  # what each view counts
UNREAD = 0.2  # of its share: what a leg counts whose model cannot read the question's script
FOREIGN = 0.6  # the same for a language in Latin letters that is not English
_LATIN_ENDS, _MORE_LATIN = 0x370, range(0x1E00, 0x1F00)

Scores = npt.NDArray[np.float64]


def fuse(
    query: str, lexical: Ranking | None, vector: Ranking | None, *, k: int, cosines: bool = True
) -> Ranking:
    """The best `k` chunks of both legs, with scores from 0 to 1. Either leg may be missing; with one leg its
    order stays. Legs of about 100 hits each are best: the last hit is the zero of its leg. `cosines`: whether they
    are the bundled model's; others may read any script."""
    legs = [leg for leg in (lexical, vector) if leg is not None and leg.hits]
    partial = any(leg.partial for leg in (lexical, vector) if leg is not None)
    if not legs:
        return Ranking("fused", (), partial)
    found = [leg.chunks for leg in legs]
    chunks = list(dict.fromkeys(chain.from_iterable(found)))
    place = dict(zip(chunks, range(len(chunks)), strict=True))
    placed, certain, first = (np.zeros(len(chunks)) for _ in range(3))
    counts, words = 1.0, LEXICAL_SHARE
    if cosines and lexical is not None and vector is not None and len(legs) > 1:
        counts = min(readable(query), FOREIGN if lexical.foreign else 1.0)
        words = _lexical_share(lexical, vector)
    meant = (1 - words) * counts
    for leg, ids in zip(legs, found, strict=True):
        share, heard = (1 - meant, 1.0) if leg.leg == "lexical" else (meant, counts)
        at = np.fromiter(map(place.__getitem__, ids), np.intp, len(ids))
        scores = np.array([hit.score for hit in leg.hits], dtype=np.float64)
        placed[at] += share * _placed(scores)  # a chunk that a leg does not have gets nothing from it
        certain[at] += share * _certain(leg.leg, scores)
        first[at] = np.maximum(first[at], heard / np.arange(1, len(ids) + 1))
    total = PLACED * placed + CERTAIN * certain / certain.max() + FIRST * first
    best = np.argsort(-total, kind="stable")[:k]
    return Ranking("fused", tuple(Hit(chunks[at], float(total[at])) for at in best), partial)


def readable(query: str) -> float:
    """1 for a question in Latin letters but for a sign, UNREAD for one that has half of its letters in others."""
    if query.isascii():
        return 1.0
    letters = [ord(char) for char in query if char.isalpha()]
    others = sum(letter >= _LATIN_ENDS and letter not in _MORE_LATIN for letter in letters)
    return 1 - (1 - UNREAD) * min(1.0, max(0.0, 4 * others / max(1, len(letters)) - 1))


def _lexical_share(lexical: Ranking, vector: Ranking) -> float:
    words = 1.0 if len(lexical) <= NEXT else _fall(lexical)  # words that fewer have tell all others off
    meaning = STEEPER * _fall(vector)
    return LEAST + (MOST - LEAST) * words / max(words + meaning, 1e-9)


def _fall(leg: Ranking) -> float:
    """How much lower the tenth score is than the best, from 0 to 1; of fewer hits the last one."""
    best, tenth = leg.hits[0].score, leg.hits[min(NEXT, len(leg) - 1)].score
    return min(1.0, (best - tenth) / best) if best > 0 else 0.0


def reciprocal_rank(
    lexical: Ranking | None, vector: Ranking | None, *, k: int, constant: int = 60
) -> Ranking:
    """Reciprocal rank fusion, for comparison (Cormack, Clarke, Büttcher 2009)."""
    scores: dict[int, float] = {}
    for leg in (lexical, vector):
        for rank, hit in enumerate(leg or (), 1):
            scores[hit.chunk] = scores.get(hit.chunk, 0.0) + 1 / (constant + rank)
    order = sorted(scores, key=lambda chunk: -scores[chunk])[:k]
    return Ranking("fused", tuple(Hit(chunk, scores[chunk]) for chunk in order))


def _placed(scores: Scores) -> Scores:
    low, high = scores.min(), scores.max()
    return np.asarray((scores - low) / (high - low)) if high > low else np.ones_like(scores)


def _certain(leg: str, scores: Scores) -> Scores:
    best = scores.max()
    temperature = VECTOR_TEMPERATURE if leg == "vector" else LEXICAL_TEMPERATURE * max(best, 1e-9)
    weights = np.exp((scores - best) / temperature)
    return np.asarray(weights / weights.sum())

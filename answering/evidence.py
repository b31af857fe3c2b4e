"""Two rankings -> the passages that an answer may rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

from answering.prefetch import seated
from answering.store import Pool
from retrieval import dedupe, evidence, passages
from retrieval.access import AccessScope
from retrieval.fusion import fuse
from retrieval.passages import Passage, Ranking

TOP = 8
"""Passages that are cited."""

MODEL_THRESHOLD = evidence.FAR
"""Evidence below which not even a model is asked. It is told to say when the passages do not answer and reads them
better than a formula does, so only what is plainly off every subject is kept from it."""

POOLED = 16
"""Passages that are read, so that folding duplicates still leaves TOP."""


@dataclass(frozen=True, slots=True)
class Found:
    """The passages, best first, the legs that found them, whether they answer the question at all, and, if not,
    whether they are at least near it."""

    route: str
    passages: tuple[Passage, ...]
    answerable: bool
    near: bool = False


class Chooser:
    """Fuses rankings, reads the passages under the asker's scope, folds duplicates and judges the evidence."""

    def __init__(self, pool: Pool, *, cosines: bool = True, threshold: float = evidence.THRESHOLD) -> None:
        """`cosines`: whether the embedder's are on the scale that the evidence is calibrated for. `threshold`: the
        evidence below which nothing is answered."""
        self.pool = pool
        self.cosines = cosines
        self.threshold = threshold

    async def choose(
        self,
        question: str,
        scope: AccessScope,
        words: Ranking | None,
        meaning: Ranking | None,
        extra: Sequence[int] = (),
        known: dict[int, Passage] | None = None,
        *,
        timeout: float,
    ) -> Found:
        """`known` are passages that this run has read already, and gets those that are read now. Raises VectorError
        where Postgres does not give the passages within `timeout` seconds."""
        fused = fuse(question, words, meaning, k=POOLED, cosines=self.cosines)
        chunks = list(dict.fromkeys([*fused.chunks, *extra]))
        known = {} if known is None else known
        known.update((passage.chunk, passage) for passage in (meaning.passages if meaning else ()))
        if missing := [chunk for chunk in chunks if chunk not in known]:
            # Of words alone it is the first choice; what they rank next may be wanted for the second one.
            ahead = words.chunks[: 2 * POOLED] if words and not meaning else ()
            wanted = dict.fromkeys([*missing, *ahead])
            known.update(await passages.load(self.pool, list(wanted), scope, timeout=timeout))
        found = [known[chunk] for chunk in chunks if chunk in known]
        ranked = passages.ranked(found, fused, words, meaning)
        kept = seated(dedupe.fold(ranked, question), extra, TOP)
        likely = evidence.answerability(question, kept, words, meaning, cosines=self.cosines)
        answers = bool(kept) and likely >= self.threshold
        return Found(route(words, meaning), kept, answers, near=not answers and likely >= evidence.FAR)

    async def again(
        self, chunks: Sequence[int], scope: AccessScope, *, timeout: float
    ) -> tuple[Passage, ...]:
        """The passages that a run has shown before, as far as they are still there and readable."""
        known = await passages.load(self.pool, chunks, scope, timeout=timeout)
        return tuple(known[chunk] for chunk in chunks if chunk in known)


def route(words: Ranking | None, meaning: Ranking | None) -> str:
    if words is None:
        return "vector"
    return "lexical" if meaning is None else "hybrid"

"""What kind of answer a question wants, with probabilities, in well under a millisecond.

A ridge regression of every intent over words, runs of words and the frame of the question, with a softmax on top. It
is trained when the process starts, on the project's own examples (data/intents.jsonl): with so few of them its dual
form is one small system of equations, an unknown for each example, whatever the number of features."""

import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from answering.caches.normalise import words_of

DATA = Path(__file__).parent / "data" / "intents.jsonl"

INTENTS = (
    "comparison",
    "definition",
    "figures",
    "follow_up",
    "lookup",
    "people",
    "policy",
    "procedure",
    "recent",
    "smalltalk",
)

BUCKETS = 4096  # of hashed features
LONGEST = 60  # words that are looked at
RIDGE = 0.2  # chosen, like SHARPNESS, by five-fold cross-validation on the examples
SHARPNESS = 8.0  # of the softmax; it is what makes the shares honest probabilities

Floats = npt.NDArray[np.float32]

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_ASKING = words_of(
    """a about after all allowed am an and any are as at be been before between but by can could covered did differ
    difference do does each eligible else find for form from get give have how i if in is it its last latest list long
    made many may me mean meaning means more most much must my need new newest no not of okay on one or our out own
    per person policy recent same see should show so tell than that the their them then there they this to today
    updated us versus vs was we were what what's when where which who whom whose why will with would yes you
    your"""
)
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Example:
    intent: str
    text: str


def examples(path: Path = DATA) -> list[Example]:
    return [Example(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


class IntentClassifier:
    """Trained in its constructor, in about a tenth of a second."""

    def __init__(self, trained_on: Sequence[Example] | None = None) -> None:
        told = examples() if trained_on is None else trained_on
        labels = np.array([INTENTS.index(example.intent) for example in told])
        rows = [_features(example.text) for example in told]
        matrix = np.zeros((len(told), BUCKETS), dtype=np.float32)
        for row, (buckets, value) in zip(matrix, rows, strict=True):
            row[buckets] = value
        # A feature of one example alone tells that example and nothing else.
        shared = np.count_nonzero(matrix, axis=0) > 1
        few = matrix[:, shared]
        wanted = np.eye(len(INTENTS), dtype=np.float32)[labels] - 1 / len(INTENTS)
        ridge = RIDGE * np.eye(len(told), dtype=np.float32)
        self._weights: Floats = np.zeros((BUCKETS, len(INTENTS)), dtype=np.float32)
        self._weights[shared] = few.T @ np.linalg.solve(few @ few.T + ridge, wanted)

    def probabilities(self, question: str) -> dict[str, float]:
        """Intent -> probability; they add up to 1."""
        buckets, value = _features(question)
        scores = SHARPNESS * value * self._weights[buckets].sum(axis=0)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        return dict(zip(INTENTS, map(float, shares), strict=True))

    def likely(self, question: str, *, least: float = 0.15) -> dict[str, float]:
        """The intents worth preparing for, most likely first."""
        told = sorted(self.probabilities(question).items(), key=lambda item: -item[1])
        return {intent: share for intent, share in told if share >= least}


def _features(text: str) -> tuple[npt.NDArray[np.intp], float]:
    """(buckets, the value that each has): a binary vector of unit length."""
    words = [_DIGIT.sub("0", word) for word in _WORD.findall(text.lower().replace("’", "'"))][:LONGEST]
    hashed = {zlib.crc32(feature.encode()) % BUCKETS for feature in _named(words, text)}
    return np.fromiter(hashed, dtype=np.intp), 1.0 / float(np.sqrt(len(hashed)))


def _named(words: Sequence[str], text: str) -> Iterable[str]:
    """A question's features by name. Its frame (the words that ask, with `*` for what it asks about) tells more of
    the intent than its subject does, so the frame is looked at in longer runs."""
    yield f"length {min(len(words), 12) // 2}"
    yield f"asks {text.rstrip().endswith('?')}"
    frame = ["^", *(word if word in _ASKING else "*" for word in words), "$"]
    frame = [word for word, before in zip(frame, ["", *frame], strict=False) if word != "*" or before != "*"]
    for word in words:
        yield word
        if len(word) > 5:
            yield f"{word[:5]}~"
    for run in (2, 3):
        yield from (" ".join(("frame", *frame[i : i + run])) for i in range(len(frame) - run + 1))
    yield from (f"{one} {other}" for one, other in pairwise(words))
    for first in (1, 2, 3):
        yield " ".join(("begins", *words[:first]))

"""rank_bm25 over the sentences of a few passages: which of them answer, and what a prompt can do without.

A sentence is worth what its own words are worth, a share of what its neighbours are worth (the answer often
stands beside the sentence that names the subject), and more in a passage that ranks higher."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from retrieval.lexical.analysis import query_terms, terms
from retrieval.lexical.bm25 import LuceneBM25

LONGEST = 320  # characters; a longer sentence is divided where it pauses
WRAPPED = 60  # characters; a longer line without a stop at its end goes on in the next
LENGTH = 0.3  # how much BM25 minds a sentence's length; at its usual 0.75 a bare heading beats the answer
NEIGHBOURS = (0.4, 0.16)  # of the score of its neighbours, next and next but one, that a sentence gets
RANK = 0.25  # sentences of the passage at rank r count 1 / (1 + RANK * r)
OPENING = 0.1  # of the best score, that a passage's first sentence gets: it says what the passage is of
FITS = 0.5  # of its own worth, that a sentence gains that holds the kind of thing that is asked for
SHORT = 1200  # characters of all passages together that need no trimming
GAP = "…"

_STOP = re.compile(r"(?:[.!?]+[\"”’')\]]*(?=\s)|[。！？]+|\n)")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|nos|inc|ltd|co|corp|dr|mr|mrs|ms|st|fig|sec|art|al|dept|u\.s|u\.k)|\b[a-z])\.$",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million|billion|half|third|quarter|once|twice|none|unlimited)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues"
    r"|wednes|thurs|fri|satur|sun)day|noon|midnight|daily|weekly|monthly|quarterly|yearly|annually|century)\b",
    re.IGNORECASE,
)
# What is asked for -> what an answer to it holds.
_KINDS = (
    (
        re.compile(
            r"\bhow (?:many|much|long|often|old|far|big|large|high|tall|fast)\b"
            r"|\b(?:number|amount|percent\w*|rate|cost|price|limit|maximum|minimum) of\b",
            re.IGNORECASE,
        ),
        _NUMBER,
    ),
    (
        re.compile(
            r"\bwhen\b|\b(?:what|which|by what) (?:date|day|month|year|time)\b|\bdeadline\b", re.IGNORECASE
        ),
        _TIME,
    ),
)
_PAUSE = re.compile(r"[;:,]\s")
_ITEM = re.compile(r"\s*(?:[-*+•▪◦‣|#>]|\d{1,3}[.)]\s|[a-z][.)]\s|```)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A range of characters of the text at place `passage`, and what it is worth (0 and more)."""

    passage: int
    start: int
    end: int
    score: float


def spans(text: str) -> list[tuple[int, int]]:
    """The sentences of a text as character ranges, without the space around them. Lines of lists and tables,
    and lines that no next line goes on with, are sentences of their own."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _STOP.finditer(text):
        if _ends(text, start, match):
            found.extend(_divided(text, start, match.end()))
            start = match.end()
    found.extend(_divided(text, start, len(text)))
    return found


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    end = stop.end()
    if stop.group() == "\n":
        line = text[text.rfind("\n", 0, stop.start()) + 1 : stop.start()]
        following = text[end : end + 12]
        goes_on = following[:1].islower() or (len(line) >= WRAPPED and not following[:1].isspace())
        return not goes_on or bool(_ITEM.match(following)) or bool(_ITEM.match(line) and len(line) < WRAPPED)
    if stop.group() == ".":
        following = text[end : end + 2].strip()
        return not (following[:1].islower() or _ABBREVIATED.search(text, max(start, end - 8), end))
    return True


def _divided(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The range without its outer spaces; in parts, at pauses, where it is very long."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > LONGEST:
        pauses = [pause.end() for pause in _PAUSE.finditer(text, start + LONGEST // 3, start + LONGEST)]
        at = pauses[-1] if pauses else text.rfind(" ", start + LONGEST // 3, start + LONGEST) + 1
        at = at or start + LONGEST
        yield start, at
        start = at
    if start < end:
        yield start, end


def score_sentences(question: str, texts: Sequence[str]) -> list[Sentence]:
    """Every sentence of every text, in text order. `texts` are passages, the best one first."""
    return list(_scored(question, tuple(texts)))


@lru_cache(maxsize=64)
def _scored(question: str, texts: tuple[str, ...]) -> tuple[Sentence, ...]:
    """Marks, trimming and extracts of one question ask for the same."""
    read = [_read(text) for text in texts]
    places = [(at, start, end) for at, (ranges, _) in enumerate(read) for start, end in ranges]
    if not places:
        return ()
    own = _scores(question, [words for _, sentences in read for words in sentences])
    own *= _fit(question, [texts[at][start:end] for at, start, end in places])
    scores = _with_context(own, np.array([at for at, _, _ in places]))
    return tuple(Sentence(*place, float(score)) for place, score in zip(places, scores, strict=True))


@lru_cache(maxsize=512)
def _read(text: str) -> tuple[list[tuple[int, int]], list[list[str]]]:
    """A text's sentences and their terms. The provisional and the final passages are mostly the same."""
    ranges = spans(text)
    return ranges, [terms(text[start:end]) for start, end in ranges]


def _scores(question: str, sentences: list[list[str]]) -> npt.NDArray[np.float64]:
    if not any(sentences):
        return np.zeros(len(sentences))
    return np.asarray(LuceneBM25(sentences, b=LENGTH).get_scores(query_terms(question)), dtype=np.float64)


def _fit(question: str, sentences: list[str]) -> npt.NDArray[np.float64]:
    """What each sentence's own worth is multiplied by: more where it holds a number, and a number is asked for."""
    kinds = [held for asked, held in _KINDS if asked.search(question)]
    return np.array([1 + FITS * any(held.search(one) for held in kinds) for one in sentences])


def _with_context(own: npt.NDArray[np.float64], passages: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Adds what the neighbours give, two places wide. Both arrays have one entry for each sentence."""
    scores = own.copy()
    for step, share in enumerate(NEIGHBOURS, 1):
        given = np.where(passages[step:] == passages[:-step], share, 0.0)
        scores[step:] += given * own[:-step]
        scores[:-step] += given * own[step:]
    opens = np.concatenate([[True], passages[1:] != passages[:-1]])
    return np.asarray((scores + OPENING * own.max() * opens) / (1 + RANK * passages))


def marks(question: str, texts: Sequence[str], *, most: int = 3) -> list[list[tuple[int, int]]]:
    """For each text the character ranges of the sentences that answer best, at most `most` over all texts."""
    marked: list[list[tuple[int, int]]] = [[] for _ in texts]
    scored = [sentence for sentence in score_sentences(question, texts) if sentence.score > 0]
    for sentence in sorted(scored, key=lambda sentence: -sentence.score)[:most]:
        marked[sentence.passage].append((sentence.start, sentence.end))
    return [sorted(ranges) for ranges in marked]


def trim(question: str, texts: Sequence[str], *, share: float = 0.6) -> list[str]:
    """The texts with their weakest sentences left out, `…` in their place: about `share` of all characters
    stay.

    The best sentence always stays, a table's rows keep its header, and texts of less than SHORT characters in
    all are left as they are. A text of which nothing is worth keeping is empty."""
    total = sum(len(text) for text in texts)
    if total <= SHORT:
        return list(texts)
    room = share * total
    ranges: list[list[tuple[int, int]]] = [[] for _ in texts]
    for place, sentence in enumerate(sorted(score_sentences(question, texts), key=lambda one: -one.score)):
        cost = sentence.end - sentence.start + len(GAP) + 2
        if cost <= room or place == 0:
            room -= cost
            ranges[sentence.passage].append((sentence.start, sentence.end))
    return [_joined(text, _with_headers(text, kept)) for text, kept in zip(texts, ranges, strict=True)]


def _with_headers(text: str, kept: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in text order, and for rows of a table also its first two lines, the header and its rule."""
    if not any(text.startswith("|", start) for start, _ in kept):
        return sorted(kept)
    header: list[tuple[int, int]] = []
    wanted = set(kept)
    for start, end in _read(text)[0]:
        if not text.startswith("|", start):
            header = []
        elif len(header) < 2:
            header.append((start, end))
        elif (start, end) in kept:
            wanted.update(header)
    return sorted(wanted)


def _joined(text: str, kept: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    reached = 0
    for start, end in kept:
        between = text[reached:start]
        parts.append(f" {GAP} " if between.strip() else between)
        parts.append(text[start:end])
        reached = end
    if kept and text[reached:].strip():
        parts.append(f" {GAP}")
    return "".join(parts).strip()

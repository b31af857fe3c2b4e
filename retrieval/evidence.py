"""Whether the passages found can answer at all: a logistic formula over what retrieval saw.

With cosines it asks how near the nearest chunk is in meaning, by how much it leads the last of the ranking (the
same in a library of ten chunks and of a million: what merely shares a tone with the question shares it with many),
and how much of the question one passage has in its words. The more chunks there are, the nearer the nearest one
is by chance, so the length of the ranking counts against the question, up to the 100 hits that a leg returns.
BM25 scores are not asked: in a small library every word is rare. Cosines are those of the bundled MiniLM; they
lie elsewhere for other models, so for those say `cosines=False` and the words alone decide.

The coefficients were fitted by `benchmarks/answerability.py --fit` (ridge logistic regression, every set of equal
weight) to the questions of public sets and of the sample handbook, over libraries of three sizes, against
questions that these documents do not answer, and to titles as very short questions, since the unanswerable ones
are short and length must not be what refuses. docs/retrieval-measured.md has what they give on sets left out."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance.OSA import distance

from retrieval.fusion import UNREAD, readable
from retrieval.lexical.analysis import as_written, compounds, passage_terms, query_terms
from retrieval.lexical.language import passage_language
from retrieval.passages import Passage, Ranking
from retrieval.segmentation import is_heading, spans

THRESHOLD = 0.5
"""Below it the documents do not say."""

FAR = 0.1
"""Below it the question is plainly off every subject of the documents."""

NEAR = (FAR + THRESHOLD) / 2
"""Near a subject of the documents, and no answer."""

SERIES = re.compile(r"\b([^\W\d_]{1,5})[-‑–]?(\d{2,6})\b")
APART = re.compile(r"\b([^\W\d_]{1,5})\s(\d{2,6})\b")  # one of a series, or any word before a number

PASSAGES = 8  # that count, the best ones
NEAREST = 4  # of them, that are searched for words close together and in headings
SAID = 0.8  # of a question's own words, each by its length, that say what it asks
CLOSE = 25  # content words of a passage within which words of the question are close together
ENOUGH = 4  # words of the question close together beyond which more of them prove no more
LONG = 8  # letters of a word's stem that make it weigh in full: short words are common ones
SLIP = 6  # letters of a word's stem from which on a letter is taken for a slip
CODE = re.compile(r"[a-z]+\d[\dˑ]{2,}\w*|\d{5,}(?<!000)")  # E0382, KB4012345, 23505; no year, no 10,000
DEPTH = 100  # hits of a ranking, beyond which its length says nothing

# Intercept; share of the question's words in one passage, by their length; number of them close together; length
# of the ranking (of cosines: squared); then the best cosine and its lead over the last one, or else the share of
# the question's words in title and headings.
MEANING = (-8.10, 6.11, 3.23, -4.39, 11.85, 6.85)

UNREADABLE, COSINES_COUNT = 3.7, 0.5
"""Added to the intercept, and what a cosine counts, where the bundled model cannot read the letters of the question: to
it all such texts are near each other."""

FOREIGN = 0.5
"""Added to the intercept where question and texts are in Latin letters and another language than English: less of it
is near in meaning."""

NAMED = 2.0
"""Added where a part of a document is asked for by its name: such a question is short, and its words say little."""

WORDS = (-5.68, 6.00, 8.14, -4.13, 4.35)


def answerability(
    question: str,
    passages: Sequence[Passage],
    lexical: Ranking | None,
    vector: Ranking | None,
    *,
    cosines: bool = True,
) -> float:
    """From 0 to 1, how likely the passages, best first, answer. A leg that was not asked or failed is None;
    rankings are of up to 100 hits."""
    if not passages:
        return 0.0
    read = _all_read(question, passages, lexical)
    values = _values(read, lexical, vector, cosines=cosines)
    weights = _meaning(question, lexical) if has_cosines(vector, cosines=cosines) else WORDS
    evidence = sum(w * v for w, v in zip(weights, (1.0, *values), strict=True))
    evidence += NAMED * _is_named(passages, read)
    likely = 1 / (1 + math.exp(-evidence))
    return min(likely, NEAR) if lacks_code(question, passages) else likely


def says(question: str, passages: Sequence[Passage]) -> bool:
    """Whether one of the best passages has the question's own words, or nearly."""
    read = _all_read(question, passages[:NEAREST], None)
    return max(map(_share, read), default=0.0) >= SAID


def lacks_code(question: str, passages: Sequence[Passage]) -> bool:
    """Whether the question names one of a series of codes (ST-140), of which the passages have others (ST-100, ST-110)
    and not that one: what they say is of those."""
    asked = {_code(found) for found in SERIES.finditer(question)}
    if not asked:
        return False
    texts = "\n".join(f"{one.title}\n{one.heading}\n{one.text}" for one in passages[:PASSAGES])
    had = {_code(found) for found in SERIES.finditer(texts)}
    apart = {_code(found) for found in APART.finditer(texts)}
    return any(
        code not in had | apart
        and sum(name == code[0] and len(number) == len(code[1]) for name, number in had) > 1
        for code in asked
    )


def _code(found: re.Match[str]) -> tuple[str, str]:
    return found[1].lower(), found[2]


def _is_named(passages: Sequence[Passage], read: Sequence["_Read"]) -> bool:
    """Whether all words of the question are in the title and headings of one of the best passages, with one of the
    headings within its text."""
    for passage, one in zip(passages[:NEAREST], read, strict=False):
        if left := one.wanted.difference(one.head):
            language = passage_language(passage.text, passage.languages)
            if any(left.issubset(passage_terms(name, language)) for name in _headings(passage.text)):
                return True
        elif one.wanted:
            return True
    return False


@lru_cache(maxsize=2048)
def _headings(text: str) -> tuple[str, ...]:
    return tuple(text[start:end] for start, end in spans(text) if is_heading(text, start, end))


def _meaning(question: str, lexical: Ranking | None) -> tuple[float, ...]:
    """The coefficients for what the bundled model makes of the question's language."""
    unread = (1 - readable(question)) / (1 - UNREAD)
    foreign = FOREIGN * (1 - unread) if lexical is not None and lexical.foreign else 0.0
    count = 1 - (1 - COSINES_COUNT) * unread
    intercept, *by_words, nearest, lead = MEANING
    return (intercept + UNREADABLE * unread + foreign, *by_words, count * nearest, count * lead)


def has_cosines(vector: Ranking | None, *, cosines: bool = True) -> bool:
    return cosines and vector is not None and bool(vector.hits)


def features(
    question: str,
    passages: Sequence[Passage],
    lexical: Ranking | None,
    vector: Ranking | None,
    *,
    cosines: bool = True,
) -> tuple[float, ...]:
    """In the order of the coefficients, without the intercept, each about 0 to 1."""
    return _values(_all_read(question, passages, lexical), lexical, vector, cosines=cosines)


def _values(
    read: Sequence["_Read"], lexical: Ranking | None, vector: Ranking | None, *, cosines: bool
) -> tuple[float, ...]:
    close = max((_closest(one.wanted, one.terms) for one in read[:NEAREST]), default=0)
    shared = (max(map(_share, read), default=0.0), min(close, ENOUGH) / ENOUGH)
    if vector is not None and has_cosines(vector, cosines=cosines):
        hits = vector.hits[:DEPTH]
        return (*shared, _breadth(vector) ** 2, hits[0].score, hits[0].score - hits[-1].score)
    named = (len(one.wanted.intersection(one.head)) / max(1, len(one.wanted)) for one in read[:NEAREST])
    return (*shared, _breadth(lexical or vector), max(named, default=0.0))


@dataclass(frozen=True, slots=True)
class _Read:
    """The question's terms in the passage's language, those of its title and headings, and all of its own."""

    wanted: frozenset[str]
    head: tuple[str, ...]
    terms: tuple[str, ...]


def _all_read(question: str, passages: Sequence[Passage], lexical: Ranking | None) -> list[_Read]:
    spelt = lexical.spelt if lexical is not None else ()
    return [_read(question, passage, spelt) for passage in passages[:PASSAGES]]


def _read(question: str, passage: Passage, spelt: Sequence[tuple[str, str]] = ()) -> _Read:
    language = passage_language(passage.text, passage.languages)
    head = passage_terms(f"{passage.title}\n{passage.heading}", language)
    terms = head + passage_terms(passage.text, language)
    wanted = set(as_written(_wanted(question, language), [terms], language))
    for typed, written in spelt:
        if typed in wanted and written in terms and _is_slip(typed, written):
            wanted = wanted - {typed} | {written}
    for whole, parts in _compounds(question, language):  # said either way, it counts once
        if whole in terms:
            wanted -= parts.difference(terms)
        elif parts.intersection(terms):
            wanted.discard(whole)
    return _Read(frozenset(wanted), head, terms)


def _is_slip(typed: str, written: str) -> bool:
    """One letter of a long word: many a short one is another word, as fake is not face."""
    return len(typed) >= SLIP and distance(typed, written) == 1


@lru_cache(maxsize=64)
def _wanted(question: str, language: str) -> tuple[str, ...]:
    return tuple(query_terms(question, language))


@lru_cache(maxsize=64)
def _compounds(question: str, language: str) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(compounds(question, language))


def _breadth(ranking: Ranking | None) -> float:
    """0 for no hit, 1 for DEPTH and more."""
    return math.log1p(min(len(ranking or ()), DEPTH)) / math.log1p(DEPTH)


def _share(read: _Read) -> float:
    """How much of the question a passage has: its words, each by its length, and a code for several of them; but one
    that it has not may be the asker's own, as the number of an order."""
    shared = read.wanted.intersection(read.terms)
    weights = {word: min(len(word), LONG) for word in read.wanted}
    weights.update((word, ENOUGH * LONG) for word in shared if _is_code(word))
    return sum(weights[word] for word in shared) / max(1, sum(weights.values()))


@lru_cache(maxsize=1024)
def _is_code(word: str) -> bool:
    return CODE.fullmatch(word) is not None


def _closest(wanted: frozenset[str], text: Sequence[str]) -> int:
    """The most words of `wanted` within CLOSE words of the text. Who asks by a code asks for what has it: it is worth
    ENOUGH words, for a cosine knows nothing of codes."""
    if any(word in text for word in wanted if _is_code(word)):
        return ENOUGH
    places = [(place, word) for place, word in enumerate(text) if word in wanted]
    most = 0
    for at, (start, _) in enumerate(places):
        most = max(most, len({word for place, word in places[at:] if place - start <= CLOSE}))
        if most == len(wanted):
            break
    return most

"""Which of several editions of a text counts today (pure): the travel policy of 2024 and that of 2026, a v2 and a v3,
one whose title says that it is superseded."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from retrieval.lexical.analysis import passage_terms, terms
from retrieval.passages import Passage

SHARED = 0.6
"""Of the words, for the same part of two editions."""

_PAST = frozenset(
    [
        "superseded",
        "obsolete",
        "outdated",
        "deprecated",
        "withdrawn",
        "repealed",
        "archive",
        "archived",
        "old",
        "draft",
    ]
)
_MARKS = _PAST | frozenset(["version", "edition", "revision", "revised", "rev", "final", "copy", "new"])
_VERSION = re.compile(r"(?:v|ver|rev)?\d+")
_WORD, _LETTERS, _NUMBER = re.compile(r"[^\W_]+"), re.compile(r"[^\W\d]+"), re.compile(r"\d+")
_SUFFIX = re.compile(r"\.\w{2,4}$")
_YEARS = range(1900, 2100)


@lru_cache(maxsize=2048)
def name(title: str) -> str:
    """What the editions of a document share: its title without version, year, `final` and the like."""
    return " ".join([word for word in _title(title) if word not in _MARKS and not _VERSION.fullmatch(word)])


@lru_cache(maxsize=2048)
def _title(title: str) -> tuple[str, ...]:
    """Its words, without the suffix of a file's name."""
    return tuple(_WORD.findall(_SUFFIX.sub("", title.lower())))


def newest(editions: Sequence[Passage], question: str) -> list[Passage]:
    """First the one that has most of the question's words, for it may be asked for by name, and texts made from one
    form are about different things; else the newest that is in force: by the years and versions of their titles where
    all have some, else by when they came in. Equal ones stay as they are."""
    asked = frozenset(terms(question))
    numbers = [_numbers(one.title) for one in editions]

    def order(at: int) -> tuple[int, bool, tuple[int, ...], float]:
        one = editions[at]
        named = len(asked.intersection(passage_terms(f"{one.title}\n{one.heading}\n{one.text}")))
        version = numbers[at] if all(numbers) else ()
        return named, _PAST.isdisjoint(_title(one.title)), version, one.updated_at

    return [editions[at] for at in sorted(range(len(editions)), key=order, reverse=True)]


def newest_first(passages: Sequence[Passage], question: str) -> list[Passage]:
    """The passages, best first, where of the same part of several editions the newest has the place and the score of
    the best: all of them are there, and today's is read first."""
    ordered = list(passages)
    for places in _groups(passages):
        held = [passages[at] for at in places]
        for at, one in zip(places, newest(held, question), strict=True):
            ordered[at] = replace(one, score=passages[at].score)
    return ordered


def _groups(passages: Sequence[Passage]) -> list[list[int]]:
    """The places of two and more passages that are the same part of several editions."""
    parts: dict[tuple[str, str], list[list[int]]] = {}
    for at, passage in enumerate(passages):
        groups = parts.setdefault((name(passage.title), name(passage.heading)), [])
        for group in groups:
            if all(_are_editions(passage, passages[other]) for other in group):
                group.append(at)
                break
        else:
            groups.append([at])
    return [group for groups in parts.values() for group in groups if len(group) > 1]


def _are_editions(one: Passage, other: Passage) -> bool:
    """Of what has the same name: whether two documents say much the same there."""
    if one.document == other.document:
        return False
    words, others = _words(one.text), _words(other.text)
    return len(words & others) >= SHARED * max(len(words), len(others), 1)


@lru_cache(maxsize=2048)
def _words(text: str) -> frozenset[str]:
    """Without numbers: in these editions differ."""
    return frozenset(_LETTERS.findall(text.lower()))


@lru_cache(maxsize=2048)
def _numbers(title: str) -> tuple[int, ...]:
    """The years of a title, then its other numbers."""
    found = [int(number[:9]) for number in _NUMBER.findall(title)]
    return tuple(sorted(found, key=lambda number: number not in _YEARS))

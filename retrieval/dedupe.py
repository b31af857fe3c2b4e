"""What is said twice is cited once (pure): near-duplicates folded, neighbours of one document joined, and of texts that
differ in a number alone the newest edition first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from retrieval import editions
from retrieval.lexical.analysis import passage_terms
from retrieval.passages import Passage

SAME = 0.85  # of the shingles of three words, for two texts under the same title
IDENTICAL = 0.98  # under different titles: the page of another plan or product may differ in its name alone
LONGEST = 2400  # characters of joined neighbours
_WORD, _NUMBER = re.compile(r"\w+"), re.compile(r"\d+")


def fold(passages: Sequence[Passage], question: str = "") -> list[Passage]:
    """The passages, best first, without those that repeat a better one: the same policy in v3 and v3-final, a
    page that is in two folders. Of a group that stays whose title the question names, else the newest, at the place
    and with the score of the best. Texts that differ in a number are never folded, for they say something else; but the
    newest edition stands before the others."""
    groups: list[list[Passage]] = []
    for passage in passages:
        words = _words(passage.text)
        for group in groups:
            if _alike(words, _words(group[0].text)) and _repeats(_print(passage), _print(group[0])):
                group.append(passage)
                break
        else:
            groups.append([passage])
    folded = [_chosen(group, question) if len(group) > 1 else group[0] for group in groups]
    return editions.newest_first(folded, question)


@lru_cache(maxsize=2048)
def _words(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words and the numbers as they stand: enough to see, at a fifteenth of the cost, that two texts do not say
    the same."""
    lowered = text.lower()
    return frozenset(_WORD.findall(lowered)), frozenset(_NUMBER.findall(lowered))


def _alike(one: tuple[frozenset[str], frozenset[str]], other: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Whether no number differs and so many words are shared that most shingles may be: necessary for `_repeats`,
    not enough."""
    if one[1] != other[1]:
        return False
    more = max(len(one[0]), len(other[0]))
    return 4 * min(len(one[0]), len(other[0])) >= 3 * more and 4 * len(one[0] & other[0]) >= 3 * more


def _print(passage: Passage) -> "_Print":
    return _print_of(passage.title, passage.text)


@dataclass(frozen=True, slots=True)
class _Print:
    """What two passages are compared by."""

    title: str
    numbers: frozenset[str]
    shingles: frozenset[int]


@lru_cache(maxsize=512)
def _print_of(title: str, text: str) -> _Print:
    words = passage_terms(text)
    numbers = frozenset(
        word for word in words if not word.isalpha() and any(letter.isdigit() for letter in word)
    )
    # Of the shingles their hashes are kept, which take a fifth of the memory.
    shingles = frozenset(map(hash, zip(words, words[1:], words[2:], strict=False))) or frozenset(
        {hash(words)}
    )
    return _Print(editions.name(title), numbers, shingles)


def _repeats(one: _Print, other: _Print) -> bool:
    if one.numbers != other.numbers:
        return False
    fewer, more = sorted((len(one.shingles), len(other.shingles)))
    least = SAME if one.title == other.title else IDENTICAL
    return fewer >= least * more and len(one.shingles & other.shingles) >= least * more


def _chosen(group: Sequence[Passage], question: str) -> Passage:
    best, chosen = group[0], editions.newest(group, question)[0]
    return replace(chosen, score=best.score, lexical_rank=best.lexical_rank, vector_rank=best.vector_rank)


def runs(passages: Sequence[Passage]) -> list[list[Passage]]:
    """The passages in groups, the best group first: those that follow each other in one document stand
    together, in its order, so that a prompt reads on where the document does. Each keeps its own number."""
    free = {(passage.document, passage.ordinal): passage for passage in passages}
    groups: list[list[Passage]] = []
    for passage in passages:
        if (passage.document, passage.ordinal) in free:
            group = _run(passage, free)
            for member in group:
                del free[(member.document, member.ordinal)]
            groups.append(group)
    return groups


def _run(passage: Passage, places: dict[tuple[str, int], Passage]) -> list[Passage]:
    first = last = passage.ordinal
    length = len(passage.text)
    while True:
        before = places.get((passage.document, first - 1))
        after = places.get((passage.document, last + 1))
        if before is not None and length + len(before.text) <= LONGEST:
            first, length = first - 1, length + len(before.text)
        elif after is not None and length + len(after.text) <= LONGEST:
            last, length = last + 1, length + len(after.text)
        else:
            return [places[(passage.document, ordinal)] for ordinal in range(first, last + 1)]

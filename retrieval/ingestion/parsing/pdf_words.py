"""Words that a PDF breaks at the ends of its lines, made whole by what the rest of the document says."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_VOCABULARY = 3000  # words of a document that knows most of those that it uses
_BROKEN = re.compile("([^\\W\\d_]+)[\ufffe\x02]([^\\W\\d_]+)")
_PARTED = re.compile("(?<=\\w)[\ufffe\x02](?=\\w)")  # at its own hyphen, for a letter is missing on a side
# Whole ones: not the parts of one that is broken.
_WORD = re.compile("(?<![\ufffe\x02\\w])[^\\W_]+(?:-[^\\W_]+)*(?![\ufffe\x02\xad\\w‐]|-$)")
_PART = 4  # letters of what may be a word of its own


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a document, and whether its writer breaks words (a typesetter does, a word processor's hyphens are
    its author's)."""

    known: frozenset[str]
    breaks: bool

    def mended(self, text: str) -> str:
        if "\ufffe" not in text and "\x02" not in text:
            return text
        return _PARTED.sub("-", _BROKEN.sub(lambda found: self._whole(found[1], found[2]), text))

    def _whole(self, left: str, right: str) -> str:
        """A word broken at a line's end, with its hyphen ("cutting-edge") or without, as it stands elsewhere."""
        whole, hyphenated = left + right, f"{left}-{right}"
        if whole in self.known:
            return whole
        if hyphenated in self.known or not right[:1].islower():
            return hyphenated
        # Of the parts of a word that its author hyphenates, a long document has one elsewhere.
        unknown = len(self.known) > _VOCABULARY and self.known.isdisjoint({left, right})
        compound = min(len(left), len(right)) >= _PART and self.known.issuperset({left, right})
        return whole if unknown or (self.breaks and not compound) else hyphenated


def words_of(lines: Sequence[str]) -> Words:
    known = frozenset(word for line in lines for word in _words(line))
    return Words(known, sum(line.count("\ufffe") for line in lines) > 0.03 * len(lines))


def _words(text: str) -> Iterator[str]:
    """The words of a line, and of those with hyphens also each two parts that stand together."""
    for word in _WORD.findall(text):
        yield word
        if word.count("-") > 1:
            yield from ("-".join(pair) for pair in pairwise(word.split("-")))

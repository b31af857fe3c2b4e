"""Words that run from right to left, where PDFium leaves their letters as they were drawn."""

import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

from retrieval.ingestion.parsing.pdf_line import Box

_WORD = re.compile(
    "[\u0590-\u060b\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]{2,}"
)
_ALEFS, _LAM = "\u0622\u0623\u0625\u0627\u0671", "\u0644"


def spelt(text: str, box_at: Callable[[int], Box]) -> str:
    """The page's text with the letters of these words in the order in which they are read. `box_at` is the box of a
    character, by its place in the text."""

    def word(found: re.Match[str]) -> str:
        boxes = [box_at(place) for place in range(*found.span())]
        drawn = list(zip(found[0], boxes, strict=True))
        return _read(drawn)

    return _WORD.sub(word, text)


def _read(drawn: list[tuple[str, Box]]) -> str:
    lefts = [box.left for letter, box in drawn if not unicodedata.combining(letter)]
    onward = sum((after > before) - (after < before) for before, after in pairwise(lefts))
    if onward > 0:
        drawn.sort(key=lambda one: -one[1].left)
        return "".join(letter for letter, _ in drawn)
    letters = [letter for letter, _ in drawn]
    for place, (before, after) in enumerate(pairwise(drawn)):
        if before[0] in _ALEFS and after[0] == _LAM and before[1] == after[1]:  # one sign, a lam with an alef
            letters[place : place + 2] = [_LAM, before[0]]
    return "".join(letters)

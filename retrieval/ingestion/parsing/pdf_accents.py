"""Accents that a typesetter prints over their letters as signs of their own, as TeX does in its old encoding."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from retrieval.ingestion.parsing.pdf_line import Box, Line

_MARKS = {
    "`": "\u0300",
    "´": "\u0301",
    "ˆ": "\u0302",
    "˜": "\u0303",
    "¯": "\u0304",
    "˘": "\u0306",
    "˙": "\u0307",
    "¨": "\u0308",
    "˚": "\u030a",
    "˝": "\u030b",
    "ˇ": "\u030c",
    "¸": "\u0327",
    "˛": "\u0328",
}
_ACCENT = re.compile(f"[{''.join(_MARKS)}]")
_DOTLESS = {"ı": "i", "ȷ": "j"}
_MOST = 2000  # characters of a line: each accent is held against each letter
_OVER = 0.2  # of the font's size, between the middles of a letter and what is over it; beside it, they are farther
_SPACE = 0.15  # of the font's size: two letters that are nearer are of one word


def accented(line: Line, box_of: Callable[[Line, int], Box]) -> Line:
    """The line with its accents on their letters. `box_of` gives the place of the character at an offset."""
    if len(line.text) > _MOST or not _ACCENT.search(line.text):
        return line
    chars = list(line.text)
    boxes = [None if char.isspace() else box_of(line, offset) for offset, char in enumerate(chars)]
    for offset, char in enumerate(line.text):
        letter = _letter_under(offset, line, boxes) if char in _MARKS else None
        if letter is None:
            continue
        base = _DOTLESS.get(chars[letter], chars[letter])
        if len(composed := unicodedata.normalize("NFC", base + _MARKS[char])) == 1:
            chars[letter], chars[offset] = composed, ""
            _close(offset, chars, boxes, line.size)
    return replace(line, text="".join(chars).strip())


def _letter_under(offset: int, line: Line, boxes: Sequence[Box | None]) -> int | None:
    middle = _middle(boxes[offset])
    letters = [place for place, char in enumerate(line.text) if char.isalpha() and place != offset]
    nearest = min(letters, key=lambda place: abs(_middle(boxes[place]) - middle), default=None)
    if nearest is None or abs(_middle(boxes[nearest]) - middle) > _OVER * line.size:
        return None
    return nearest


def _middle(box: Box | None) -> float:
    return (box.left + box.right) / 2 if box else float("inf")


def _close(offset: int, chars: list[str], boxes: Sequence[Box | None], size: float) -> None:
    """Takes out the spaces around an accent that is gone, unless they part two words."""
    places = [place for place, char in enumerate(chars) if char.strip()]
    before = max((place for place in places if place < offset), default=None)
    after = min((place for place in places if place > offset), default=None)
    if before is None or after is None:
        return
    left, right = boxes[before], boxes[after]
    if left and right and right.left - left.right < _SPACE * size:
        chars[before + 1 : after] = [""] * (after - before - 1)

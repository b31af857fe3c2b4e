"""Numbers of footnotes, which stand raised behind their word and before their note: without a space, "members" would be
"members3", which nobody looks for."""

import re
from collections.abc import Callable
from dataclasses import replace

from retrieval.ingestion.parsing.pdf_line import Box, Line

_BEHIND = re.compile(r"\d(?<=[^\W\d_]{3}.)\d?(?!\w)")
_BEFORE = re.compile(r"^\d{1,2}(?=[^\W\d_]{2})")
_FOUND = range(0xFDD0, 0xFDDA)  # stand for raised digits until the line is whole, for "GOsa²" is one word
_RAISED = dict(zip(map(ord, "0123456789"), _FOUND, strict=True))
_SHOWN = dict(zip(_FOUND, "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_NUMBER = re.compile("^([\ufdd0-\ufdd9]+)|([\ufdd0-\ufdd9]+)")
_SMALLER = 0.85  # of the height of the letter beside it
_HIGHER = 0.15


def raised(line: Line, box_of: Callable[[Line, int], Box]) -> Line:
    """The line with its raised numbers marked for `apart`, digit for digit. `box_of` gives the place of the character
    at an offset."""
    text = line.text
    for found in (*_BEHIND.finditer(text), *_BEFORE.finditer(text)):
        start, end = found.span()
        letter = box_of(line, start - 1 if start else end)
        if _is_raised(box_of(line, start), letter):
            text = text[:start] + found[0].translate(_RAISED) + text[end:]
    return line if text == line.text else replace(line, text=text)


def apart(text: str) -> str:
    """With a space between a word and such a number."""
    return _NUMBER.sub(lambda found: f"{found[1]} " if found[1] else f" {found[2]}", text).translate(_SHOWN)


def _is_raised(digit: Box, letter: Box) -> bool:
    height = letter.top - letter.bottom
    smaller = digit.top - digit.bottom < _SMALLER * height
    return smaller and digit.bottom - letter.bottom > _HIGHER * height

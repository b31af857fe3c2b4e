"""Numbers of footnotes, which stand raised behind their word and before their note: without a space, "members" would be
"members3", which nobody looks for."""

import re
from collections.abc import Callable
from dataclasses import replace

from retrieval.ingestion.parsing.pdf_line import Box, Line

_BEHIND = re.compile(r"\d(?<=[^\W\d_]{3}.)\d?(?!\w)")
_BEFORE = re.compile(r"^\d{1,2}(?=[^\W\d_]{2})")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MARK = "([⁰¹²³⁴-⁹]+)"
_ANY = re.compile(_MARK)
_APART = re.compile(rf"(?<=[^\W\d_]{{3}}){_MARK}|^{_MARK}(?=[^\W\d_])")
_SMALLER = 0.85  # of the height of the letter beside it
_HIGHER = 0.15


def raised(line: Line, box_of: Callable[[Line, int], Box]) -> Line:
    """The line with the raised numbers in it as such, digit for digit. `box_of` gives the place of the character
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
    if not _ANY.search(text):
        return text
    return _APART.sub(lambda found: f" {found[1]}" if found[1] else f"{found[2]} ", text)


def _is_raised(digit: Box, letter: Box) -> bool:
    height = letter.top - letter.bottom
    smaller = digit.top - digit.bottom < _SMALLER * height
    return smaller and digit.bottom - letter.bottom > _HIGHER * height

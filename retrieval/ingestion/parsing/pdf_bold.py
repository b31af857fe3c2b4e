"""Headings that are as large as the text below them and only bolder, in a PDF whose writer tagged none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from retrieval.ingestion.parsing.pdf_line import Line

LONGEST = 90  # characters
_SHORTEST = 3
_MOST = 0.2  # of the lines: in a form or a price list all labels are bold
_LEAD = (
    0.3  # of a line's size, by which a heading is farther from the line above than lines of a paragraph are
)
_LOOSE = 0.65  # of its size, that a letter takes on average in a line with wide gaps: the header of a table
_LOOSE_CAPITALS = 0.85


def headed(pages: Sequence[list[Line]], level: int, body: float) -> list[list[Line]]:
    """The pages with such headings marked as of this level. `body` is the size of the text."""
    lines = [line for page in pages for line in page]
    if any(line.level for line in lines) or not any(line.bold for line in lines):
        return list(pages)
    gaps = [
        above.bottom - line.top for page in pages for above, line in pairwise(page) if above.size == line.size
    ]
    usual = median(gaps) if gaps else 0.0
    found = [set(_places(page, body, usual)) for page in pages]
    if sum(map(len, found)) > _MOST * sum(max(1, len(line.rows)) for line in lines):
        return list(pages)
    return [
        [replace(line, level=level) if place in places else line for place, line in enumerate(page)]
        for page, places in zip(pages, found, strict=True)
    ]


def _places(page: Sequence[Line], body: float, usual: float) -> Iterator[int]:
    for place, line in enumerate(page):
        if not line.bold or abs(line.size - body) > 0.1 * body or not _is_short(line):
            continue
        above = page[place - 1] if place else None
        below = page[place + 1] if place + 1 < len(page) else None
        if below is None or (below.bold and not _apart(line, below, usual)):
            continue
        if above is None or above.size > 1.1 * body or _apart(above, line, usual):
            yield place


def _apart(above: Line, line: Line, usual: float) -> bool:
    """Whether a line stands farther from the one above than in a paragraph, or higher: in the next column."""
    return above.bottom < line.bottom or above.bottom - line.top > usual + _LEAD * line.size


def _is_short(line: Line) -> bool:
    """Whether the line is one of a few words, and none of a table or within a sentence."""
    text = line.text
    if not _SHORTEST <= len(text) <= LONGEST or text.endswith((".", ",", ";")):
        return False
    loose = _LOOSE_CAPITALS if text.isupper() else _LOOSE
    if line.right - line.left > loose * line.size * len(text):
        return False
    return text[0].isupper() or text[0].isdigit() or (text[0].isalpha() and not text[0].islower())

"""Tables of a PDF's page with lines between rows alone, as in books and on the web: their columns are parted by the
spaces that go down through all of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from retrieval.ingestion.parsing.pdf_line import Box
from retrieval.ingestion.parsing.pdf_ruled import Grid, Rule
from retrieval.ingestion.parsing.pdf_tables import Reach, columns_of

_LEAST = 3  # lines
_ROWS = 4  # spaces between lines, of which each is a row; where there are fewer, a row may have none
_ALIKE = 5.0  # points by which the ends of lines differ
_SPACE = 0.5  # of a character's height: a space between columns
_ABOVE = 3  # rows above the first line, of a header
_MOSTLY = 0.6  # of the columns have something in it
_APART = 1.6  # heights of a character from one such row to the next
_MOST_WORDS = 3_000
_WORD = re.compile(r"\S+")


class _Part(NamedTuple):
    """Words of a row between two wide spaces: where they are on the page."""

    left: float
    right: float
    middle: float
    height: float


def stacks(across: Sequence[Rule]) -> list[list[Rule]]:
    """Lines one below the other that begin and end alike, from the top."""
    found: list[list[Rule]] = []
    for rule in sorted(across, key=lambda one: -one.at):
        for stack in found:
            if abs(stack[0].begin - rule.begin) < _ALIKE and abs(stack[0].end - rule.end) < _ALIKE:
                stack.append(rule)
                break
        else:
            found.append([rule])
    return [stack for stack in found if len(stack) >= _LEAST]


def lined(text: str, stacked: Sequence[Sequence[Rule]], box_at: Callable[[int], Box]) -> Iterator[Grid]:
    """The tables between such lines. `box_at` is the box of a character, by its place in the text."""
    words = list(_WORD.finditer(text)) if stacked else []
    if len(words) > _MOST_WORDS:
        return
    parts = list(_parts([(box_at(word.start()), box_at(word.end() - 1)) for word in words]))
    for stack in stacked:
        if grid := _grid(stack, parts):
            yield grid


def _parts(words: Sequence[tuple[Box, Box]]) -> Iterator[_Part]:
    held: _Part | None = None
    for first, last in words:
        height = first.top - first.bottom
        word = _Part(first.left, last.right, (first.top + first.bottom) / 2, height)
        if held and abs(held.middle - word.middle) < height / 2 and _close(held, word):
            held = held._replace(right=word.right)
            continue
        if held:
            yield held
        held = word
    if held:
        yield held


def _close(before: _Part, word: _Part) -> bool:
    return -word.height < word.left - before.right < _SPACE * word.height


def _grid(stack: Sequence[Rule], parts: Sequence[_Part]) -> Grid | None:
    heights = [rule.at for rule in stack]
    begin, end = stack[0].begin - _ALIKE, stack[0].end + _ALIKE
    beside = [part for part in parts if part.left < end and part.right > begin]
    within = [part for part in beside if heights[-1] < part.middle < heights[0]]
    columns = columns_of((part.left, part.right) for part in within)
    if len(columns) < 2 or columns[0][0] < begin or columns[-1][1] > end:
        return None
    head = _header(heights[0], [part for part in beside if part.middle > heights[0]], columns)
    columns = columns_of((part.left, part.right) for part in [*within, *head])
    rows = [max(part.middle + part.height for part in head), *heights] if head else heights
    down = (begin, *((one[1] + other[0]) / 2 for one, other in pairwise(columns)), end)
    across = tuple(_divided(rows, [part for part in within if part.left < down[1]]))
    places = [(row, column) for row in range(len(across) - 1) for column in range(len(columns))]
    return Grid(across, down, {place: place for place in places})


def _header(top: float, parts: Sequence[_Part], columns: Sequence[Reach]) -> list[_Part]:
    """What stands in the columns above the first line."""
    head: list[_Part] = []
    filled: set[Reach] = set()
    reached = top
    for row in _rows(parts)[:_ABOVE]:
        found = [[column for column in columns if _meet(part, column)] for part in row]
        if row[0].middle - reached > _APART * row[0].height or any(len(one) != 1 for one in found):
            break
        head += row
        filled.update(one for (one,) in found)
        reached = row[0].middle
    return head if len(filled) >= max(2, _MOSTLY * len(columns)) else []


def _meet(part: _Part, column: Reach) -> bool:
    return part.left < column[1] and part.right > column[0]


def _rows(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Parts of one height, from the foot upwards."""
    rows: list[list[_Part]] = []
    for part in sorted(parts, key=lambda one: one.middle):
        if rows and part.middle - rows[-1][0].middle < part.height / 2:
            rows[-1].append(part)
        else:
            rows.append([part])
    return rows


def _divided(edges: Sequence[float], first: Sequence[_Part]) -> Iterator[float]:
    """The edges of the rows from the top: the lines, and where these are few, also between what stands in the `first`
    column below the header."""
    bands = [
        _rows([part for part in first if lower < part.middle < upper])[::-1]
        for upper, lower in pairwise(edges)
    ]
    each_a_row = len(bands) >= _ROWS and median(map(len, bands[1:])) <= 2
    for place, (upper, band) in enumerate(zip(edges, bands, strict=False)):
        yield upper
        if place and not each_a_row:
            yield from (row[0].middle + row[0].height / 2 for row in band[1:])
    yield edges[-1]

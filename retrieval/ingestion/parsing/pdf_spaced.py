"""Tables of a PDF's page that neither tags nor rules show, by the spaces that go down between their columns."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from retrieval.ingestion.parsing.pdf_line import HYPHEN, Box, Line, stands_beside
from retrieval.ingestion.parsing.pdf_tables import columns_of, is_table

_LOOSE = 0.5  # of a line's size, that a character takes on average where there are wide spaces
_SPACE = 0.6  # of a line's size: a space between columns
_NEAR = 2.5  # font sizes between two rows
_LEAST = 3  # rows
_MOSTLY = 0.6  # of them have several cells
_FILLED = 0.4  # of the cells
_WORD = re.compile(r"\S+")
_NUMBER = re.compile(r"\d{1,9}\b")
_POINT = re.compile(r"\W*|\W?\w{1,3}[.)]")  # before an item of a list

FindBox = Callable[[Line, int], Box]
"""Of a character, by its line and its offset in it."""


class _Part(NamedTuple):
    """What stands in a row between two wide spaces: from where to where it reaches, and its text."""

    left: float
    right: float
    text: str


def in_rows(lines: Sequence[Line], box_of: FindBox) -> list[Line]:
    """The lines, with those that are the rows of a table put together."""
    found: list[Line] = []
    for run in _runs(lines):
        parts = [list(_parts(row, box_of)) for row in run] if len(run) >= _LEAST else []
        begin = next((place for place, row in enumerate(parts) if len(row) > 1), 0)  # behind a title
        within = [line for row in run[begin:] for line in row]
        rows = _rows(parts[begin:])
        found += [line for row in run[:begin] for line in row]
        found += [_table(within, rows)] if rows else within
    return found


def _runs(lines: Sequence[Line]) -> Iterator[list[list[Line]]]:
    """Rows with wide spaces, one below the other; and all others, each by itself."""
    run: list[list[Line]] = []
    for row in _beside(lines):
        if not (run and _is_loose(run[-1]) and _is_loose(row) and _goes_on(run[-1][0], row[0])):
            if run:
                yield run
            run = []
        run.append(row)
    if run:
        yield run


def _beside(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines, with those as one row that stand side by side: what is raised breaks a line."""
    row: list[Line] = []
    for line in lines:
        if row and not (stands_beside(row[-1], line) and not line.rows):
            yield row
            row = []
        row.append(line)
    if row:
        yield row


def _is_loose(row: Sequence[Line]) -> bool:
    if any(line.rows or line.level or HYPHEN in line.text for line in row):
        return False
    characters = sum(len(line.text) for line in row)
    wide = row[-1].right - row[0].left > _LOOSE * row[0].size * characters
    return wide and (len(row) > 1 or " " in row[0].text)


def _goes_on(above: Line, line: Line) -> bool:
    apart = above.bottom - line.top
    return above.turned == line.turned and -0.5 * line.size < apart < _NEAR * max(line.size, above.size)


def _parts(row: Sequence[Line], box_of: FindBox) -> Iterator[_Part]:
    words = [
        _Part(box_of(line, word.start()).left, box_of(line, word.end() - 1).right, word.group())
        for line in row
        for word in _WORD.finditer(line.text)
    ]
    wide, begin = _SPACE * row[0].size, 0
    for place, (before, after) in enumerate(pairwise(words), 1):
        if after.left - before.right > wide:
            yield _part(words[begin:place])
            begin = place
    yield _part(words[begin:])


def _part(words: Sequence[_Part]) -> _Part:
    return _Part(words[0].left, words[-1].right, " ".join(word.text for word in words))


def _rows(lines: Sequence[Sequence[_Part]]) -> tuple[tuple[str, ...], ...]:
    """The cells of each line in the columns of all; none where the spaces do not go down through them."""
    columns = columns_of((part.left, part.right) for line in lines for part in line)
    several = sum(len(line) > 1 for line in lines)
    if len(columns) < 2 or several < max(_LEAST, _MOSTLY * len(lines)):
        return ()
    rows = _under_heads(
        [" ".join(part.text for part in line if begin <= part.left <= end) for begin, end in columns]
        for line in lines
    )
    filled = sum(map(bool, (cell for row in rows for cell in row)))
    if filled < _FILLED * len(rows) * len(rows[0]) or _is_list(rows) or not is_table(rows):
        return ()
    return rows


def _under_heads(rows: Iterable[list[str]]) -> tuple[tuple[str, ...], ...]:
    """The rows, with a column that has nothing but its head as one with that beside it which has none: figures stand at
    its right, and their head at its left."""
    columns = list(zip(*rows, strict=True))
    place = 0
    while place + 1 < len(columns):
        pair = columns[place : place + 2]
        headed = [column for column in pair if column[0]]
        if len(headed) == 1 and not any(headed[0][1:]):
            columns[place : place + 2] = [tuple(one or other for one, other in zip(*pair, strict=True))]
        else:
            place += 1
    return tuple(zip(*columns, strict=True))


def _is_list(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the rows are points of a list, or lines of a program with their numbers."""
    if len(rows[0]) == 2 and all(_POINT.fullmatch(row[0]) for row in rows):
        return True
    numbers = [_NUMBER.match(row[0]) for row in rows]
    known = [int(number[0]) for number in numbers if number]
    return len(known) == len(rows) and all(after == before + 1 for before, after in pairwise(known))


def _table(run: Sequence[Line], rows: tuple[tuple[str, ...], ...]) -> Line:
    text = "\n".join(line.text for line in run)
    left, right = min(line.left for line in run), max(line.right for line in run)
    return replace(run[0], text=text, bottom=run[-1].bottom, left=left, right=right, rows=rows)

"""Tables of a PDF's page: the words of each cell, taken out of the page's text."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from retrieval.ingestion.headers import joined
from retrieval.ingestion.parsing.pdf_line import Line

_WORD = re.compile(r"\S+")
_DIGITS = re.compile(r"\d+")
_LONGEST = 1500  # characters of a cell: more is a page that was put into a table


Reach = tuple[float, float]
"""From the left to the right of what stands on a page."""


def columns_of(reaches: Iterable[Reach]) -> list[Reach]:
    """From the left: those that lie over each other are one column."""
    columns: list[Reach] = []
    for left, right in sorted(reaches):
        if columns and left <= columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


class Cell(NamedTuple):
    """Which table, and where in it; from 0."""

    table: int
    row: int
    column: int


CellAt = Callable[[int], Cell | None]
"""The cell of a character, by its place in the page's text."""


@dataclass(frozen=True, slots=True)
class Table:
    """`begin` and `last` are the places of its first and its last character in the page's text."""

    begin: int
    last: int
    rows: tuple[tuple[str, ...], ...]


class Word(NamedTuple):
    """Of a cell, and where it is in the page's text."""

    begin: int
    end: int
    cell: Cell


def tables_of(text: str, words: Iterable[Word]) -> tuple[str, list[Table]]:
    """The tables of a page, and its text with blanks in their place."""
    found: dict[int, list[Word]] = {}
    for word in words:
        found.setdefault(word.cell.table, []).append(word)
    tables: list[Table] = []
    blanked = list(text) if found else []
    for table in found.values():
        held = list(_within(table))
        rows = _rows(text, held)
        if is_table(rows):
            tables.append(Table(held[0].begin, held[-1].end - 1, rows))
            for begin, end, _ in held:
                blanked[begin:end] = " " * (end - begin)
    return "".join(blanked) if tables else text, tables


def words_in(text: str, cell_at: CellAt) -> Iterator[Word]:
    """Those in cells, and the parts of those that go on from one cell into the next."""
    for word in _WORD.finditer(text):
        begin, end = word.span()
        cell = cell_at(begin)
        if end - begin == 1 or cell == cell_at(end - 1):
            if cell:
                yield Word(begin, end, cell)
            continue
        for part, places in groupby(range(begin, end), cell_at):
            held = list(places)
            if part:
                yield Word(held[0], held[-1] + 1, part)


def _within(words: Sequence[Word]) -> Iterator[Word]:
    """Without the rows of one cell at its head and its foot: a title and notes, which read as the text around."""
    columns: dict[int, set[int]] = {}
    for word in words:
        columns.setdefault(word.cell.row, set()).add(word.cell.column)
    full = [row for row, filled in columns.items() if len(filled) > 1]
    for word in words:
        if full and min(full) <= word.cell.row <= max(full):
            yield word


def _rows(text: str, words: Sequence[Word]) -> tuple[tuple[str, ...], ...]:
    """Without rows and columns in which nothing stands."""
    cells: dict[tuple[int, int], list[str]] = {}
    for begin, end, cell in words:
        cells.setdefault((cell.row, cell.column), []).append(text[begin:end])
    columns = sorted({column for _, column in cells})
    rows = sorted({row for row, _ in cells})
    return tuple(tuple(" ".join(cells.get((row, column), ())) for column in columns) for row in rows)


def is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether it holds more than a line or a column, and no page that was put into a frame."""
    several = sum(sum(map(bool, row)) > 1 for row in rows)
    return several > 1 and max(len(cell) for row in rows for cell in row) <= _LONGEST


def with_tables(lines: Sequence[Line], tables: Sequence[Line]) -> list[Line]:
    """Each table behind the line that comes before it in the page's text."""
    placed = list(lines)
    for table in sorted(tables, key=lambda one: one.start):
        before = [place for place, line in enumerate(placed) if line.start < table.start]
        nearest = max(before, key=lambda place: placed[place].start, default=-1)
        placed.insert(nearest + 1, table)
    return placed


def continued(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """The pages with the header of a table in each page that it goes on in, between the lines that stand at the top and
    at the foot of both."""
    after: list[list[Line]] = []
    before: list[Line] = []
    for lines in pages:
        top, foot = _alike(before, lines), _alike(before[::-1], lines[::-1])
        above = before[: len(before) - foot]
        header = tuple(joined(above[-1].rows)[0]) if above and above[-1].rows else ()
        before = [*lines[:top], *_headed(lines[top:], header)] if header else lines
        after.append(before)
    return after


def _alike(one: Sequence[Line], other: Sequence[Line]) -> int:
    """How many lines both begin with, but for their numbers; a table is none of these."""
    for place, (line, twin) in enumerate(zip(one, other, strict=False)):
        if line.rows or _DIGITS.sub("", line.text) != _DIGITS.sub("", twin.text):
            return place
    return min(len(one), len(other))


def _headed(lines: list[Line], header: tuple[str, ...]) -> list[Line]:
    place = next((place for place, line in enumerate(lines) if line.rows), None)
    if place is None or len(lines[place].rows[0]) != len(header):
        return lines
    above = Counter(word for line in lines[:place] for word in line.text.split())
    if above and above != Counter(
        " ".join(header).split()
    ):  # what is repeated on each page may be tagged as no part
        return lines
    table = lines[place]
    if not above and _begins(table.rows):
        return lines
    if tuple(joined(table.rows)[0]) != header:
        table = replace(table, rows=(header, *table.rows))
    return [table, *lines[place + 1 :]]


def _begins(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is a header: words in each column, and below it in one of them numbers."""
    first, *others = rows
    if not all(first) or any(map(_has_digit, first)):
        return False
    return any(2 * sum(map(_has_digit, column)) > len(others) for column in zip(*others, strict=True))


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))

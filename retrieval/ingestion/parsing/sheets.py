"""What sheets have in common, of whatever program: the tables on one, with the titles above them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from retrieval.ingestion.blocks import HEADING, TEXT, Block, one_line, table_block, tidy

COLUMNS = 500
"""Those that are read of a sheet."""

_FIGURE = re.compile(r"\W*\d[\d\s.,:/'-]*\W*[A-Za-z]{0,3}$")
_YEAR = re.compile(r"(?:19|20)\d\d$")
_NAME_MOST = 60  # characters of the name of a column
_TITLE_MOST = 120

Row = Sequence[str]


def tables(rows: Iterable[Row]) -> Iterator[Block]:
    """The tables of a sheet, whose empty rows are among the `rows`. Behind one of these another table begins where
    there is another header; lines above a header are a heading and text. Columns without a value are left out."""
    held: list[Row] = []
    above: list[
        Row
    ] = []  # rows of one cell, of which it is not known yet whether they stand in a table or above one
    for run in _runs(rows):
        lines, rest = _parted(run)
        if rest and (not held or _begins(rest, held)):
            yield from _table(held)
            yield from _titles([*above, *lines])
            held, above = rest, []
        elif rest:
            held += [*above, *run]
            above = []
        else:
            above += run
    yield from _table([*held, *above])


def _runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    return (list(run) for filled, run in groupby(rows, lambda row: any(map(str.strip, row))) if filled)


def _parted(run: list[Row]) -> tuple[list[Row], list[Row]]:
    """What stands above the header, in one cell each, and the table; no table where all rows are of one cell."""
    first = next((place for place, row in enumerate(run) if len(_places(row)) > 1), None)
    if first is None:
        return run, []
    return (run[:first], run[first:]) if _is_header(run[first]) else ([], run)


def _places(row: Row) -> list[int]:
    return [place for place, cell in enumerate(row) if cell.strip()]


def _is_header(row: Row) -> bool:
    """Whether these may be the names of columns: short, and no figures but years."""
    cells = [cell.strip() for cell in row if cell.strip()]
    figures = [cell for cell in cells if _FIGURE.match(cell)]
    return (
        len(figures) < len(cells)
        and all(map(_YEAR.match, figures))
        and max(map(len, cells), default=0) <= _NAME_MOST
    )


def _begins(rest: list[Row], held: list[Row]) -> bool:
    """Whether what follows an empty row has a header of its own: it is in other columns, or a word of it above figures.
    (The groups of one table are parted by empty rows, too.)"""
    if len(rest) < 2 or not _is_header(rest[0]):
        return False
    places, before = _places(rest[0]), _places(held[0])
    if places[0] != before[0] or places[-1] > before[-1]:
        return True
    if len(places) < max(len(_places(row)) for row in rest):
        return False
    return any(_is_of_figures(rest, place) for place in places)


def _is_of_figures(rows: list[Row], place: int) -> bool:
    cells = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
    return len(cells) > 1 and not _FIGURE.match(cells[0]) and all(map(_FIGURE.match, cells[1:]))


def _titles(rows: list[Row]) -> Iterator[Block]:
    for place, row in enumerate(rows):
        text = tidy(" ".join(cell for cell in row if cell.strip()))
        if place == 0 and len(text) <= _TITLE_MOST:
            yield Block(HEADING, one_line(text), level=2)
        else:
            yield Block(TEXT, text)


def _table(rows: list[Row]) -> Iterator[Block]:
    width = max(map(len, rows), default=0)
    used = [False] * width
    for row in rows:
        for place, cell in enumerate(row):
            if cell:
                used[place] = True
    if not all(used):
        rows = [[cell for cell, shown in zip(row, used, strict=False) if shown] for row in rows]
    if block := table_block(rows):
        yield block


def warnings(wide: list[str], hidden: list[str]) -> tuple[str, ...]:
    """What an administrator should know, from the names of the sheets that are not read whole."""
    told = {
        f"Only the first {COLUMNS} columns were read of": wide,
        "Hidden sheets were left out": hidden,
    }
    return tuple(f"{note}: {_listed(names)}." for note, names in told.items() if names)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def letters(place: int) -> str:
    """The name of a column, from 0: A … Z, AA …"""
    name, left = "", place + 1
    while left:
        left, letter = divmod(left - 1, 26)
        name = chr(ord("A") + letter) + name
    return name

"""Rows of a tagged table whose empty cells its writer has left out, as browsers do: the others stand in the columns
under which they are printed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from retrieval.ingestion.parsing.pdf_line import Box
from retrieval.ingestion.parsing.pdf_tables import Cell, Reach, Word


def in_columns(words: Sequence[Word], box_at: Callable[[int], Box]) -> list[Word]:
    """The words, each in its column. `box_at` is the box of a character, by its place in the text."""
    tables: dict[int, dict[int, set[int]]] = {}
    for word in words:
        tables.setdefault(word.cell.table, {}).setdefault(word.cell.row, set()).add(word.cell.column)
    uneven = {table for table, rows in tables.items() if len(set(map(len, rows.values()))) > 1}
    reaches = _reaches((word for word in words if word.cell.table in uneven), box_at)
    moved = {before: after for table in uneven for before, after in _moved(tables[table], reaches, table)}
    return [word._replace(cell=moved.get(word.cell, word.cell)) for word in words]


def _reaches(words: Iterable[Word], box_at: Callable[[int], Box]) -> dict[Cell, Reach]:
    found: dict[Cell, Reach] = {}
    for word in words:
        boxes = [box_at(word.begin), box_at(word.end - 1)]
        known = found.get(word.cell, (boxes[0].left, boxes[0].right))
        left, right = min(box.left for box in boxes), max(box.right for box in boxes)
        found[word.cell] = min(known[0], left), max(known[1], right)
    return found


def _moved(
    rows: Mapping[int, set[int]], reaches: Mapping[Cell, Reach], table: int
) -> Iterator[tuple[Cell, Cell]]:
    """The cells of one table, and where they stand."""
    width = max(map(len, rows.values()))
    full = [row for row, columns in rows.items() if columns == set(range(width))]
    held = [[reaches[Cell(table, row, column)] for row in full] for column in range(width)]
    columns = [(min(one[0] for one in column), max(one[1] for one in column)) for column in held if column]
    if any(left[1] > right[0] for left, right in pairwise(sorted(columns))):
        return
    for row, filled in rows.items():
        cells = [Cell(table, row, column) for column in sorted(filled)]
        if columns and len(cells) < width and (places := _places([reaches[cell] for cell in cells], columns)):
            yield from zip(cells, (Cell(table, row, place) for place in places), strict=True)


def _places(cells: Sequence[Reach], columns: Sequence[Reach]) -> list[int]:
    """The column in which each stands; none where one goes over several, or two are in one."""
    places: list[int] = []
    for left, right in cells:
        within = [place for place, column in enumerate(columns) if left < column[1] and column[0] < right]
        apart = [max(column[0] - right, left - column[1]) for column in columns]
        if len(within) > 1:
            return []
        places += within or [apart.index(min(apart))]
    return places if all(before < after for before, after in pairwise(places)) else []

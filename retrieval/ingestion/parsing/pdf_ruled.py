"""Tables of a PDF's page that its writer has not tagged, by the lines that are drawn between their cells."""

import ctypes
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import neg
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.ingestion.parsing.pdf_line import Box
from retrieval.ingestion.parsing.pdf_tables import Cell, Word, words_in

_MOST_OBJECTS = 8_000  # of a page: more is a map or a drawing
_MOST_RULES = 300
_MOST_PLACES = 2_000  # of a grid
_LEAST = 2
_MOST_POINTS = 5_000  # of the page's paths
_THIN = 2.5  # points: what is not thicker is a rule
_SHORTEST = 5.0
_WIDE = 1.0  # of a character's height: a space between columns
_SET_IN_COLUMNS = 3  # such spaces in a cell
_FEW_ROWS, _LINES = 3, 3  # of a grid, and in a cell of it, where lines part columns alone
_FULL = 0.75  # of its column's width: what running text fills
_NEAR = 2.5  # between rules that are one, or that touch


class Rule(NamedTuple):
    """A line across or down: where it lies (its height, or its distance from the left), and from where to where."""

    at: float
    begin: float
    end: float


Turn = Callable[[float, float, float, float], Box]
"""A box, of left, right, bottom and top, as the page's text stands upright."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`across` are the heights of the rules between its rows, from the top downwards; `down` the places of those
    between its columns; `anchors` the cell, by row and column, to which each place of the grid belongs."""

    across: tuple[float, ...]
    down: tuple[float, ...]
    anchors: dict[tuple[int, int], tuple[int, int]]

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        if not (self.down[0] <= x < self.down[-1] and self.across[-1] < y <= self.across[0]):
            return None
        row = bisect_right(self.across, -y, key=neg) - 1
        return self.anchors.get((row, bisect_right(self.down, x) - 1))


def words_of(text: str, grids: Sequence[Grid], box_at: Callable[[int], Box]) -> list[Word]:
    """The words in the grids' cells. `box_at` is the box of a character, by its place in the text. A grid is a frame
    and no table where what stands in its cells is set in columns."""
    boxes: dict[int, Box] = {}

    def box(place: int) -> Box:
        return boxes.get(place) or boxes.setdefault(place, box_at(place))

    words = list(words_in(text, lambda place: _cell_of(grids, box(place))))
    parted: Counter[Cell] = Counter()
    for before, after in pairwise(words):
        if before.cell == after.cell and "\n" not in text[before.end : after.begin]:
            left, right = box(before.end - 1), box(after.begin)
            parted[before.cell] += right.left - left.right > _WIDE * (right.top - right.bottom)
    frames = {cell.table for cell, times in parted.items() if times >= _SET_IN_COLUMNS}
    frames |= {table for table, grid in enumerate(grids) if _holds_rows(table, grid, words, box)}
    return [word for word in words if word.cell.table not in frames]


def _holds_rows(table: int, grid: Grid, words: Sequence[Word], box: Callable[[int], Box]) -> bool:
    """Whether no lines part the rows of a table, but its columns alone: some rows of the grid, and in one of them many
    short lines, one below the other, in the first column and in others."""
    if len(grid.across) > _FEW_ROWS + 1:
        return False
    ends: dict[Cell, dict[int, float]] = {}
    for word in words:
        if word.cell.table == table:
            last = box(word.end - 1)
            lines = ends.setdefault(word.cell, {})
            height = round(last.bottom)
            lines[height] = max(lines.get(height, 0.0), last.right)
    full = grid.down[0] + _FULL * (grid.down[1] - grid.down[0])
    several = Counter(cell.row for cell, lines in ends.items() if len(lines) >= _LINES)
    return any(
        cell.column == 0
        and len(lines) >= _LINES
        and several[cell.row] > 1
        and 2 * sum(end > full for end in lines.values()) < len(lines)
        for cell, lines in ends.items()
    )


def _cell_of(grids: Sequence[Grid], box: Box) -> Cell | None:
    """The cell in which a character stands."""
    x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    for table, grid in enumerate(grids):
        if place := grid.place(x, y):
            return Cell(table, *place)
    return None


def ruled(page: pypdfium2.PdfPage, turn: Turn) -> tuple[list[Grid], list[Rule]]:
    """What is drawn on the page like a table, with at least two rows and two columns; and lines across that touch
    none down."""
    across, down = map(_merged, _rules(page, turn))
    if not _LEAST <= len(across) <= _MOST_RULES - len(down):
        return [], []
    groups = list(_joined(across, down))
    grids = (_grid(*group) for group in groups if group[1])
    alone = [rule for rows, columns in groups if not columns for rule in rows]
    return [grid for grid in grids if grid], alone


def _rules(page: pypdfium2.PdfPage, turn: Turn) -> tuple[list[Rule], list[Rule]]:
    across: list[Rule] = []
    down: list[Rule] = []
    points = _MOST_POINTS
    count = pdfium.FPDFPage_CountObjects(page)
    for place in range(count if count <= _MOST_OBJECTS else 0):
        drawn = pdfium.FPDFPage_GetObject(page, place)
        if pdfium.FPDFPageObj_GetType(drawn) == pdfium.FPDF_PAGEOBJ_PATH:
            points -= (own := pdfium.FPDFPath_CountSegments(drawn))
            for left, right, bottom, top in _strokes(drawn, own if points > 0 else 0):
                box = turn(left, right, bottom, top)
                wide, high = box.right - box.left, box.top - box.bottom
                if high <= _THIN and wide >= _SHORTEST:
                    across.append(Rule((box.top + box.bottom) / 2, box.left, box.right))
                elif wide <= _THIN and high >= _SHORTEST:
                    down.append(Rule((box.left + box.right) / 2, box.bottom, box.top))
    return across, down


def _strokes(path: object, points: int) -> Iterator[tuple[float, float, float, float]]:
    """The straight strokes between the first points of a path, and the edges of a filled one: left, right, bottom and
    top."""
    held = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(path, *held):
        return
    left, bottom, right, top = (one.value for one in held)
    if right - left <= _THIN or top - bottom <= _THIN:  # a line, or a thin rectangle
        yield left, right, bottom, top
        return
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path, matrix)
    before = begin = (0.0, 0.0)
    for place in range(points):
        segment = pdfium.FPDFPath_GetPathSegment(path, place)
        here = _point(segment, matrix)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            begin = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield _stroke(before, here)
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield _stroke(here, begin)
        before = here


def _point(segment: object, matrix: pdfium.FS_MATRIX) -> tuple[float, float]:
    x, y = ctypes.c_float(), ctypes.c_float()
    pdfium.FPDFPathSegment_GetPoint(segment, x, y)
    return (
        matrix.a * x.value + matrix.c * y.value + matrix.e,
        matrix.b * x.value + matrix.d * y.value + matrix.f,
    )


def _stroke(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), max(one[0], other[0]), min(one[1], other[1]), max(one[1], other[1])


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """Rules that lie on each other or go on in each other are one."""
    merged: list[Rule] = []
    for at, near in _lanes(rules):
        held: Rule | None = None
        for rule in sorted(near, key=lambda one: one.begin):
            if held and rule.begin <= held.end + _NEAR:
                held = Rule(at, held.begin, max(held.end, rule.end))
                continue
            if held:
                merged.append(held)
            held = Rule(at, rule.begin, rule.end)
        if held:
            merged.append(held)
    return merged


def _lanes(rules: Sequence[Rule]) -> Iterator[tuple[float, list[Rule]]]:
    """Rules of about the same height or distance."""
    lane: list[Rule] = []
    for rule in sorted(rules):
        if lane and rule.at - lane[0].at > _NEAR:
            yield lane[0].at, lane
            lane = []
        lane.append(rule)
    if lane:
        yield lane[0].at, lane


def _joined(across: Sequence[Rule], down: Sequence[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """The rules that touch each other, directly or by others."""
    rows, columns = set(across), set(down)
    while rows:
        held: tuple[list[Rule], list[Rule]] = ([], [])
        found = [(0, rows.pop())]
        while found:
            way, rule = found.pop()
            held[way].append(rule)
            rest = columns if way == 0 else rows
            near = [one for one in rest if (_touch(rule, one) if way == 0 else _touch(one, rule))]
            rest.difference_update(near)
            found += [(1 - way, one) for one in near]
        yield held


def _touch(row: Rule, column: Rule) -> bool:
    return (
        row.begin - _NEAR <= column.at <= row.end + _NEAR
        and column.begin - _NEAR <= row.at <= column.end + _NEAR
    )


def _grid(across: Sequence[Rule], down: Sequence[Rule]) -> Grid | None:
    """None where the rules part no two rows and no two columns."""
    heights = _apart([*(rule.at for rule in across), *(end for rule in down for end in rule[1:])])[::-1]
    places = _apart([*(rule.at for rule in down), *(end for rule in across for end in rule[1:])])
    rows, columns = len(heights) - 1, len(places) - 1
    if min(rows, columns) < _LEAST or rows * columns > _MOST_PLACES:
        return None
    above, before = [_at(height, across) for height in heights], [_at(place, down) for place in places]
    anchors: dict[tuple[int, int], tuple[int, int]] = {}
    for row in range(rows):
        middle = (heights[row] + heights[row + 1]) / 2
        for column in range(columns):
            centre = (places[column] + places[column + 1]) / 2
            anchor = (row, column)
            if column and not _parts(before[column], middle):
                anchor = anchors[row, column - 1]
            elif row and not _parts(above[row], centre):
                anchor = anchors[row - 1, column]
            anchors[row, column] = anchor
    return Grid(tuple(heights), tuple(places), anchors)


def _apart(places: Sequence[float]) -> list[float]:
    """In their order, those that are near each other once."""
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > _NEAR:
            kept.append(place)
    return kept


def _at(place: float, rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if abs(rule.at - place) <= _NEAR]


def _parts(rules: Sequence[Rule], where: float) -> bool:
    """Whether one of them goes past this point."""
    return any(rule.begin <= where <= rule.end for rule in rules)

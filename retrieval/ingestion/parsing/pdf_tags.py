"""Which parts of a PDF are headings and cells of tables, as its writer has tagged them: Word, browsers and LibreOffice
do."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.ingestion.parsing.pdf_tables import Cell

_HEADING = re.compile(r"H([1-6])?$")
_DEEPEST = 60  # of elements within elements
_MANY = 100  # parts of an element, of which a page has but some, side by side
_AROUND = 20  # parts of another page among those of one
_WIDEST = 20  # columns and rows over which a cell goes


@dataclass(frozen=True, slots=True)
class Tagged:
    """By the ids of a page's marked content: the level of the heading that it is part of, from 1, and its cell."""

    headings: dict[int, int] = field(default_factory=dict)
    cells: dict[int, Cell] = field(default_factory=dict)


@dataclass(slots=True)
class _Grid:
    """Where the next cell of a table is, and which places the cells before it go over."""

    table: int
    row: int = -1
    column: int = 0
    taken: set[tuple[int, int]] = field(default_factory=set)

    def next_row(self) -> None:
        self.row, self.column = self.row + 1, 0

    def next_cell(self, rows: int, columns: int) -> Cell:
        while (self.row, self.column) in self.taken:
            self.column += 1
        cell = Cell(self.table, max(self.row, 0), self.column)
        self.column += columns
        below = range(self.row + 1, self.row + rows)
        self.taken.update((row, cell.column + place) for row in below for place in range(columns))
        return cell


@dataclass(frozen=True, slots=True)
class _Where:
    """What the elements around one say of it."""

    depth: int = 0
    level: int = 0
    grid: _Grid | None = None
    cell: Cell | None = None


class Tags:
    """Of one document, whose pages are to be asked for in their order: most go on where the one before ended, and
    PDFium finds the parts of a page only by asking each part of the document."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}  # depth -> place of the part where the page before ended
        self._tables = 0

    def of(self, page: pypdfium2.PdfPage) -> Tagged:
        tagged = Tagged()
        tree = pdfium.FPDF_StructTree_GetForPage(page)
        if not tree:
            return tagged
        try:
            roots = range(pdfium.FPDF_StructTree_CountChildren(tree))
            elements = (pdfium.FPDF_StructTree_GetChildAtIndex(tree, place) for place in roots)
            for one in filter(None, elements):
                self._read(one, _Where(), tagged)
        finally:
            pdfium.FPDF_StructTree_Close(tree)
        return tagged

    def _read(self, element: object, around: _Where, tagged: Tagged) -> None:
        where = self._entered(element, around)
        parts = pdfium.FPDF_StructElement_CountChildren(element)
        if where.level or where.cell:
            for place in range(parts):
                content = pdfium.FPDF_StructElement_GetChildMarkedContentID(element, place)
                if content >= 0 and where.level:
                    tagged.headings[content] = where.level
                if content >= 0 and where.cell:
                    tagged.cells[content] = where.cell
        if where.depth < _DEEPEST:
            for child in self._children(element, parts, where.depth):
                self._read(child, where, tagged)

    def _entered(self, element: object, around: _Where) -> _Where:
        kind = _type(element)
        level, grid, cell = around.level, around.grid, around.cell
        if found := _HEADING.match(kind):
            level = int(found[1] or 1)
        if cell is None:  # a table within a cell is text of that cell
            if kind == "Table":
                self._tables += 1
                grid = _Grid(self._tables)
            elif grid and kind == "TR":
                grid.next_row()
            elif grid and kind in {"TH", "TD"}:
                cell = grid.next_cell(_number(element, b"RowSpan"), _number(element, b"ColSpan"))
        return _Where(around.depth + 1, level, grid, cell)

    def _children(self, element: object, parts: int, depth: int) -> Iterator[object]:
        """The elements in it that are on the page."""
        begin = max(0, self._last.get(depth, 0) - _AROUND) if parts > _MANY else 0
        found, last = False, 0
        for place in range(begin, parts):
            if child := pdfium.FPDF_StructElement_GetChildAtIndex(element, place):
                found, last = True, place
                yield child
            elif found and parts > _MANY and place > last + _AROUND:
                break
        if found and parts > _MANY:
            self._last[depth] = last


def _type(element: object) -> str:
    held = ctypes.create_string_buffer(32)
    size = pdfium.FPDF_StructElement_GetType(element, held, len(held))
    return held.raw[: size - 2].decode("utf-16-le", errors="replace") if 2 <= size <= len(held) else ""


def _number(element: object, name: bytes) -> int:
    """An attribute of a cell that is a whole number; 1 where it is not said."""
    held = ctypes.c_float()
    for place in range(pdfium.FPDF_StructElement_GetAttributeCount(element)):
        attribute = pdfium.FPDF_StructElement_GetAttributeAtIndex(element, place)
        value = pdfium.FPDF_StructElement_Attr_GetValue(attribute, name) if attribute else None
        if value and pdfium.FPDF_StructElement_Attr_GetNumberValue(value, held):
            return int(min(max(1.0, held.value), _WIDEST))  # it may be infinite, or no number
    return 1

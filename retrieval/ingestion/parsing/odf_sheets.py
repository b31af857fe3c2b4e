"""ODS: a heading a sheet, its rows as a table whose first row is the header; values as they are shown."""

from collections.abc import Iterator

from lxml import etree

from retrieval.errors import DocumentTooLarge
from retrieval.ingestion.blocks import HEADING, TEXT, Block, Limits, one_line, tidy
from retrieval.ingestion.parsing import odf_names as odf
from retrieval.ingestion.parsing.odf_text import Reader, rows
from retrieval.ingestion.parsing.sheets import COLUMNS, letters, tables

_MOST_ALIKE = 100  # rows that follow each other and say the same
_VALUES = ("date-value", "time-value", "boolean-value", "string-value", "value")
_CELLS = {f"{odf.TABLE}table-cell", f"{odf.TABLE}covered-table-cell"}
_ANNOTATION = f"{odf.OFFICE}annotation"


class Sheets:
    """Reads the sheets of one workbook. `wide` and `hidden` are the names of those that are not read whole."""

    def __init__(self, reader: Reader, limits: Limits) -> None:
        self.reader = reader
        self.rows, self.characters = limits.rows, limits.characters
        self.limits = limits
        self.wide: list[str] = []
        self.hidden: list[str] = []

    def blocks(self, body: etree._Element) -> Iterator[Block]:
        for table in body.iterchildren(f"{odf.TABLE}table"):
            name = one_line(table.get(f"{odf.TABLE}name", ""))
            if ("table", table.get(f"{odf.TABLE}style-name", "")) in self.reader.styles.hidden:
                self.hidden.append(name)
                continue
            notes: list[Block] = []
            found = [*tables([row[:COLUMNS] for row in self._rows(table, name, notes)]), *notes]
            for shapes in table.iterchildren(f"{odf.TABLE}shapes"):
                found += self.reader.aside(shapes)
            if found:
                yield from [Block(HEADING, name, level=1), *found]

    def _rows(self, table: etree._Element, name: str, notes: list[Block]) -> Iterator[list[str]]:
        number = 0
        for row in rows(table):
            times = odf.count(row.get(f"{odf.TABLE}number-rows-repeated"))
            cells = self._cells(row, number + 1, notes)
            number += times
            if len(cells) > COLUMNS and name not in self.wide:
                self.wide.append(name)
            if any(cells):
                for _ in range(min(times, _MOST_ALIKE)):
                    self._count(cells)
                    yield cells
            else:
                yield []

    def _count(self, cells: list[str]) -> None:
        self.rows -= 1
        self.characters -= sum(map(len, cells))
        if self.rows < 0:
            most = self.limits.rows
            raise DocumentTooLarge(f"The workbook has more than {most:,} rows. Divide it and try again.")
        if self.characters < 0:
            raise DocumentTooLarge(
                f"The workbook has more than {self.limits.characters:,} characters of text."
            )

    def _cells(self, row: etree._Element, number: int, notes: list[Block]) -> list[str]:
        """The row's values without the empty ones at its end: it comes with thousands."""
        cells: list[str] = []
        empty = 0
        for cell in row:
            if cell.tag not in _CELLS:
                continue
            times = odf.count(cell.get(f"{odf.TABLE}number-columns-repeated"))
            beside: list[etree._Element] = []
            text = self._shown(cell, beside) if len(cell) or cell.attrib else ""
            if text:
                cells += [""] * min(empty, COLUMNS + 1 - len(cells))
                place = len(cells)
                cells += [text] * min(times, COLUMNS + 1 - place)
                empty = 0
            else:
                place = len(cells) + empty
                empty += times
            notes += self._notes(beside, f"{letters(place)}{number}")
            if len(cells) > COLUMNS:
                break
        return cells

    def _shown(self, cell: etree._Element, beside: list[etree._Element]) -> str:
        if text := "\n".join(self.reader.lines(cell, beside)):
            return text
        return next(
            (cell.get(f"{odf.OFFICE}{name}", "") for name in _VALUES if cell.get(f"{odf.OFFICE}{name}")), ""
        )

    def _notes(self, beside: list[etree._Element], place: str) -> Iterator[Block]:
        for one in beside:
            for block in self.reader.aside(one):
                yield Block(TEXT, f"Note on {place}: {tidy(block.text)}") if one.tag == _ANNOTATION else block

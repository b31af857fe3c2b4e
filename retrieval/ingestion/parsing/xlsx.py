"""XLSX: a heading a sheet, its rows as a table whose first row is the header. Values, not formulas."""

import datetime
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from warnings import catch_warnings

from lxml import etree
from openpyxl import Workbook
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.constants import ARC_STYLE

from retrieval.errors import DocumentDamaged, DocumentTooLarge
from retrieval.ingestion.blocks import HEADING, Block, Limits, ParsedDocument, one_line
from retrieval.ingestion.parsing.archive import Archive, zipped
from retrieval.ingestion.parsing.openxml import transitional
from retrieval.ingestion.parsing.sheets import COLUMNS, tables, warnings
from retrieval.ingestion.parsing.xlsx_notes import notes
from retrieval.ingestion.parsing.xml import parse_xml

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# `[$€-407]`, `"EUR"`, `€`; a dollar in brackets begins a currency, or else a country.
_CURRENCY = re.compile(r'\[\$([^\]-]+)[^\]]*\]|"(\s*(?:[€$£¥]|[A-Z]{3})\s*)"|([€£¥]|(?<!\[)\$)')


# A formula whose value is not stored, as programs write them that cannot calculate; that of `t="str"` is an empty text.
_UNVALUED = re.compile(rb"<c\b(?![^>]*t=\"str\")[^>]*><f\b[^>]*>[^<]*</f>\s*(?:<v\s*/>|<v></v>)?\s*</c>")

_BEYOND = re.compile(
    rb'r="(?:[A-Z]{3}|S[G-Z]|[T-Z][A-Z])\d'
)  # the place of a cell in the 501st column or farther right


_FAULTS = (InvalidFileException, KeyError, ValueError, TypeError, AttributeError, IndexError)
_FORMATS = {"numFmts", "cellXfs"}


class _Reader(ExcelReader):  # type: ignore[misc]
    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """A sheet that is a chart has no cells; openpyxl fails on one whose chart is gone."""


def parse_xlsx(data: bytes, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    archive.check()
    data = transitional(data, archive)
    archive = Archive(data, limits)
    book = _book(data, archive)
    blocks: list[Block] = []
    wide: list[str] = []
    unvalued = 0
    left, characters = limits.rows, limits.characters
    hidden = [sheet for sheet in book.worksheets if sheet.sheet_state != "visible"]
    for sheet in book.worksheets:
        if sheet in hidden:
            continue
        missing, most = _looked_at(archive.read(sheet._worksheet_path))
        unvalued += missing
        sheet.reset_dimensions()  # a stated size may be wrong, and be 16,384 columns wide
        rows = list(_rows(sheet.iter_rows(max_col=most), left))
        left -= sum(map(bool, rows))
        characters -= sum(len(cell) for row in rows for cell in row)
        if left < 0:
            raise DocumentTooLarge(
                f"The workbook has more than {limits.rows:,} rows. Divide it and try again."
            )
        if characters < 0:
            raise DocumentTooLarge(f"The workbook has more than {limits.characters:,} characters of text.")
        if any(row[COLUMNS:] and row[COLUMNS] for row in rows):
            wide.append(one_line(sheet.title))
        found = [*tables(row[:COLUMNS] for row in rows), *notes(archive, sheet._worksheet_path)]
        if found:
            blocks += [Block(HEADING, one_line(sheet.title), level=1), *found]
    title = one_line(book.properties.title or "") if book.properties else ""
    told = _unvalued(unvalued) + warnings(wide, [one_line(sheet.title) for sheet in hidden])
    return ParsedDocument(title, tuple(blocks), _MEDIA_TYPE, warnings=told)


def _looked_at(sheet: bytes) -> tuple[int, int | None]:
    """How many formulas of a sheet have no value; and how many columns to read where it has more: else each row comes
    with as many cells."""
    return len(_UNVALUED.findall(sheet)), COLUMNS + 1 if _BEYOND.search(sheet) else None


def _unvalued(formulas: int) -> tuple[str, ...]:
    if not formulas:
        return ()
    cells = "the value of 1 formula" if formulas == 1 else f"the values of {formulas:,} formulas"
    return (f"The file does not hold {cells}: open it in Excel, save it, and replace it here.",)


def _book(data: bytes, archive: Archive) -> Workbook:
    try:
        return _opened(data)
    except _FAULTS:
        pass  # mostly of its fonts, colours and named styles, as some programs write them
    try:
        return _opened(_unstyled(archive))
    except _FAULTS as error:
        raise DocumentDamaged("The workbook is damaged: it cannot be opened.") from error


def _opened(data: bytes) -> Workbook:
    reader = _Reader(io.BytesIO(data), read_only=True, data_only=True)
    with catch_warnings(action="ignore"):  # of styles and the like that it leaves out
        reader.read()
    return reader.wb


def _unstyled(archive: Archive) -> bytes:
    """The file with no styles but the formats of numbers, in which dates and currencies stand."""
    members = {name: archive.read(name) for name in archive.names}
    if ARC_STYLE in members:
        root = parse_xml(members[ARC_STYLE])
        for part in list(root):
            if etree.QName(part).localname not in _FORMATS:
                root.remove(part)
        for style in root.iter("{*}xf"):
            form = style.get("numFmtId", "0")
            style.clear()
            style.set("numFmtId", form)
        members[ARC_STYLE] = etree.tostring(root)
    return zipped(members)


def _rows(rows: Iterable[tuple[Any, ...]], most: int) -> Iterator[list[str]]:
    """The rows, at most `most` with a value and one more, as a sign that there are. Of empty ones that follow each
    other the first."""
    given, before = 0, True
    empty: tuple[Any, ...] = ()
    for row in rows:
        if row is empty and not before:
            continue  # of a million rows that the file leaves out, each comes as the same one
        cells = [_shown(cell) for cell in row[: _filled(row)]]
        filled = any(cells)
        if filled or before:
            yield cells if filled else []
        before = filled
        empty = empty if filled else row
        given += filled
        if given > most:
            return


def _filled(row: tuple[Any, ...]) -> int:
    """The row's width without the empty cells at its end: a sheet of five columns comes with 500."""
    width = len(row)
    while width and row[width - 1].value is None:
        width -= 1
    return width


def _shown(cell: Any) -> str:
    """A cell as a person would read it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _formatted(value, cell.number_format)
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    if isinstance(value, datetime.datetime) and not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return str(value)


def _formatted(value: float, form: str) -> str:
    """With its per cent sign or currency, which stand in the cell's format alone."""
    if "%" in form:
        return f"{_number(value * 100.0)}%"
    currency = _CURRENCY.search(form)
    return f"{_number(value)} {currency[currency.lastindex or 0].strip()}" if currency else _number(value)


def _number(value: float) -> str:
    """With the 15 digits that Excel keeps, and as it is written by hand where that is not too long."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.15g}"
    return f"{Decimal(text):f}" if "e" in text and 1e-10 < abs(value) < 1e21 else text

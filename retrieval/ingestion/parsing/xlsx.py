"""XLSX: a heading a sheet, its rows as a table whose first row is the header. Values, not formulas."""

import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from retrieval.errors import DocumentDamaged, DocumentTooLarge
from retrieval.ingestion.blocks import HEADING, Block, Limits, ParsedDocument, one_line, table_block
from retrieval.ingestion.parsing.archive import Archive

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_COLUMNS = 500


def parse_xlsx(data: bytes, limits: Limits) -> ParsedDocument:
    Archive(data, limits).check()
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, KeyError, ValueError, TypeError) as error:
        raise DocumentDamaged("The workbook is damaged: it cannot be opened.") from error
    blocks: list[Block] = []
    left, characters = limits.rows, limits.characters
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # a stated size may be wrong, and be 16,384 columns wide
        rows = list(_rows(sheet.iter_rows(values_only=True, max_col=_COLUMNS), left))
        left -= len(rows)
        characters -= sum(len(cell) for row in rows for cell in row)
        if left < 0:
            raise DocumentTooLarge(
                f"The workbook has more than {limits.rows:,} rows. Divide it and try again."
            )
        if characters < 0:
            raise DocumentTooLarge(f"The workbook has more than {limits.characters:,} characters of text.")
        if block := table_block(rows):
            blocks += [Block(HEADING, one_line(sheet.title), level=1), block]
    title = one_line(book.properties.title or "") if book.properties else ""
    return ParsedDocument(title, tuple(blocks), _MEDIA_TYPE)


def _rows(rows: Iterable[tuple[Any, ...]], most: int) -> Iterator[list[str]]:
    """The rows with a value, at most `most` and one more, as a sign that there are."""
    given = 0
    for row in rows:
        if any(value not in {None, ""} for value in row):
            yield [_shown(value) for value in row]
            given += 1
            if given > most:
                return


def _shown(value: Any) -> str:
    """A cell as a person would read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime.datetime) and not (value.hour or value.minute or value.second):
        return value.date().isoformat()
    return str(value)

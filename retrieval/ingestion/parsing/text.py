"""Plain text and CSV."""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from retrieval.errors import DocumentTooLarge
from retrieval.ingestion.blocks import (
    HEADING,
    ITEM,
    TEXT,
    Block,
    Limits,
    ParsedDocument,
    clean,
    tidy,
)
from retrieval.ingestion.parsing.printed import without_running_heads
from retrieval.ingestion.parsing.sheets import tables

_UNDERLINE = re.compile(r"^([-=~*#^+\"'])\1{2,}$")
_FIRST_LEVEL = "=*#"  # of what headings are underlined with
_MARKED = re.compile(r"(={1,6})\s+(?=.*\w)(\S.{0,80}?)\s*=*$")  # as in AsciiDoc and wikis
_NUMBERED = re.compile(r"^\d+(\.\d+)*\.?\s+[^\W\d_]")
_BULLET = re.compile(r"^(?:[-*+•▪◦‣·–]|\d{1,3}[.)]|[a-z][.)])\s+\S")
_SIGN = re.compile(r"^[•▪◦‣·–]\s+")
_SHORT = 80
_DELIMITERS = ",;\t|"
_PUNCTUATION = ",;"
_NAME_MOST = 40
_FIGURE = re.compile(r"[-+]?\d[\d.,]*\W*$")
_STATED = re.compile(r"\s*\"?sep=([,;\t|])\"?[ \t]*\r?\n", re.IGNORECASE)  # for Excel, in the first line
_SAMPLE, _ROWS = 20_000, 30


def parse_text(text: str) -> ParsedDocument:
    """Paragraphs at empty lines; lines in capitals, underlined or numbered alone are headings."""
    blocks: list[Block] = []
    for paragraph in re.split(r"\n[^\S\n]*\n", clean(without_running_heads(text))):
        lines = [line for raw in paragraph.expandtabs().split("\n") if (line := _line(raw)).text]
        blocks.extend(_paragraph(lines))
    titled = bool(blocks) and blocks[0].kind == HEADING and blocks[0].level == 1
    return ParsedDocument(blocks[0].text if titled else "", tuple(blocks), "text/plain")


class _Line(NamedTuple):
    text: str
    indent: int


def _line(raw: str) -> _Line:
    return _Line(tidy(raw), len(raw) - len(raw.lstrip()))


def _paragraph(lines: list[_Line]) -> Iterator[Block]:
    if len(lines) >= 3 and _UNDERLINE.match(lines[0].text) and lines[2].text == lines[0].text:
        lines = lines[1:]  # the heading has a line above it, too
    if len(lines) >= 2 and _is_underlined(lines[0].text, lines[1].text):
        yield Block(HEADING, lines[0].text, level=1 if lines[1].text[0] in _FIRST_LEVEL else 2)
        lines = lines[2:]
    elif lines and (marked := _MARKED.match(lines[0].text)):
        yield Block(HEADING, marked[2], level=len(marked[1]))
        lines = lines[1:]
    elif len(lines) == 1 and _heading(lines[0].text):
        yield Block(HEADING, lines[0].text, level=2)
        return
    elif len(lines) > 1 and lines[1].indent > lines[0].indent and _capitals(lines[0].text):
        yield Block(HEADING, lines[0].text, level=2)  # of a manual
        lines = lines[1:]
    group: list[_Line] = []
    for line in lines:
        if _UNDERLINE.match(line.text):
            continue
        if group and not _goes_on(group[0], line):
            yield _block(group)
            group = []
        group.append(line)
    if group:
        yield _block(group)


def _is_underlined(text: str, line: str) -> bool:
    """Other signs than these also part a text where they are few."""
    if len(text) > _SHORT or not _UNDERLINE.match(line) or (text[:1], text[-1:]) == ("[", "]"):
        return False
    return line[0] in "=-~" or len(line) >= len(text)


def _goes_on(first: _Line, line: _Line) -> bool:
    """Whether the line belongs to what began with the first: to an item, if it stands further in or begins small."""
    if _BULLET.match(line.text):
        return False
    return line.indent > first.indent or line.text[:1].islower() or not _BULLET.match(first.text)


def _block(lines: list[_Line]) -> Block:
    text = "\n".join(line.text for line in lines)
    return Block(ITEM, _SIGN.sub("- ", text), level=1) if _BULLET.match(text) else Block(TEXT, text)


def _heading(line: str) -> bool:
    if len(line) > _SHORT or line.endswith((".", ",", ";", ":", "!")):
        return False
    return _capitals(line) or bool(_NUMBERED.match(line) and len(line.split()) <= 8)


def _capitals(line: str) -> bool:
    letters = [char for char in line if char.isalpha()]
    return len(line) <= _SHORT and len(letters) >= 4 and all(char.isupper() for char in letters)


def parse_csv(text: str, delimiter: str, limits: Limits) -> ParsedDocument:
    """A table whose first row is the header."""
    rows: list[list[str]] = []
    stated = _STATED.match(text)
    text = text[stated.end() :] if stated else text
    for row in csv.reader(io.StringIO(clean(text)), delimiter=delimiter):
        rows.append(row)
        if len(rows) > limits.rows:
            raise DocumentTooLarge(f"The table has more than {limits.rows:,} rows. Divide it and try again.")
    return ParsedDocument("", tuple(tables(rows)), "text/csv")


def csv_delimiter(text: str, *, named: bool) -> str:
    """The delimiter if the text is a table: at least two rows, each of the same two or more fields. Else empty. Prose
    has commas, too: where the file is not `named` as a table, its first row must be a header."""
    if stated := _STATED.match(text):
        return stated[1]
    lines = clean(text[:_SAMPLE]).split("\n")
    if len(text) > _SAMPLE:
        lines = lines[:-1]
    for delimiter in _DELIMITERS:
        rows = _first_rows(lines, delimiter, whole=len(text) <= _SAMPLE)
        if len(rows) < 2 or len(rows[0]) < 2 or len(set(map(len, rows))) > 1:
            continue
        if not named and sum(bool(cell.strip()) for cell in rows[0]) < 2:
            continue  # lines that are set in with tabs
        if named or delimiter not in _PUNCTUATION or _is_header(rows[0], len(rows)):
            return delimiter
    return ""


def _is_header(row: list[str], rows: int) -> bool:
    """Whether these are the names of columns: short, neither numbers nor the end of a sentence, and without the space
    that prose has behind a comma, but for three columns in as many rows."""
    names = [cell.strip() for cell in row]
    if not all(0 < len(name) <= _NAME_MOST and not _FIGURE.match(name) for name in names):
        return False
    if names[-1].endswith((".", "!", "?", ":")):
        return False
    spaced = any(cell[:1].isspace() for cell in row[1:])
    return not spaced or (len(row) >= 3 and rows >= 3)


def _first_rows(lines: list[str], delimiter: str, *, whole: bool) -> list[list[str]]:
    """The first rows; none when they are none. A row may take many lines, and the last one more than there are unless
    they are the `whole` text."""
    rows: list[list[str]] = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for row in itertools.islice((row for row in reader if any(map(str.strip, row))), _ROWS):
            rows.append(row)
    except csv.Error:
        return [] if whole or reader.line_num < len(lines) else rows
    return rows


csv.field_size_limit(10_000_000)

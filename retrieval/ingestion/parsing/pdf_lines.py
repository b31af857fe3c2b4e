"""The lines of a PDF's page in reading order, with what was filled into its form."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.ingestion.parsing.pdf_accents import accented
from retrieval.ingestion.parsing.pdf_bold import LONGEST
from retrieval.ingestion.parsing.pdf_columns import Gap, in_columns
from retrieval.ingestion.parsing.pdf_leftward import spelt
from retrieval.ingestion.parsing.pdf_ligatures import parted
from retrieval.ingestion.parsing.pdf_line import HYPHEN, Box, Line, middle_of, stands_beside, upright
from retrieval.ingestion.parsing.pdf_lined import lined, stacks
from retrieval.ingestion.parsing.pdf_raised import apart, raised
from retrieval.ingestion.parsing.pdf_ruled import ruled, words_of
from retrieval.ingestion.parsing.pdf_short_rows import in_columns as in_full_rows
from retrieval.ingestion.parsing.pdf_spaced import in_rows
from retrieval.ingestion.parsing.pdf_tables import Cell, Table, tables_of, with_tables, words_in
from retrieval.ingestion.parsing.pdf_tags import Tagged, Tags
from retrieval.ingestion.parsing.pdf_unmapped import check

_BOLD = re.compile(rb"bold|black|heavy|-demi|demi\b|CMBX", re.IGNORECASE)
_SAMPLE = 10  # characters
_NAME = ctypes.create_string_buffer(128)  # of a font
_FILLED_IN = {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP}


def lines_of(document: pypdfium2.PdfDocument, number: int, tags: Tags) -> list[Line]:
    """A page's lines; a page that is broken has none. Raises Unmapped."""
    try:
        with closing(document[number - 1]) as page:
            tagged = tags.of(page)
            lines = _printed(page, number, tagged)
            if not _is_filled_in(page):
                return lines
            pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        with closing(document[number - 1]) as page:  # what was flattened is seen by who opens it anew
            return _with_answers(lines, _printed(page, number, replace(tagged, headings={})))
    except pypdfium2.PdfiumError:
        return []


def _printed(page: pypdfium2.PdfPage, number: int, tagged: Tagged) -> list[Line]:
    text_page, headings = page.get_textpage(), tagged.headings
    check(text_page)
    found: list[Line] = []
    place = 0
    text, tables = _tables(page, text_page, tagged.cells)
    for raw in text.split("\n"):
        text = raw.strip()
        if any(char.isalnum() for char in text):
            first = place + len(raw) - len(raw.lstrip())
            found.append(_line(text_page, number, text, first))
        place += len(raw) + 1
    lines: list[Line] = []
    found = _on(page, found)
    found = in_columns(found, partial(_gap_at, text_page), partial(_parted, text_page))
    for line in in_rows(found, partial(_mark, text_page)):
        if line.rows:
            lines.append(line)
            continue
        if headings and (level := _level(text_page, line, headings)):
            line = replace(line, level=level)
        elif not headings and _is_bold(text_page, line):
            line = replace(line, bold=True)
        line = raised(line, partial(_mark, text_page))
        _append(lines, accented(line, partial(_mark, text_page)))
    lines = with_tables(lines, _on(page, [_as_line(text_page, number, table) for table in tables]))
    text_page.close()
    return _without_size_in_margins([_spelt(line) for line in lines])


def _on(page: pypdfium2.PdfPage, lines: list[Line]) -> list[Line]:
    """Those that are seen. Of a sheet that was cut into pages each has the text of all."""
    left, bottom, right, top = page.get_bbox()
    boxes = [upright(left, right, bottom, top, turned) for turned in range(4)]
    return [line for line in lines if _is_on(boxes[line.turned], line)]


def _is_on(page: Box, line: Line) -> bool:
    """Whether the line, its beginning or its end, which may be turned otherwise, is on the page."""
    if page.left < line.left < page.right and page.bottom < line.top < page.top:
        return True
    across = line.left < page.right and line.right > page.left and page.bottom < middle_of(line) < page.top
    return across or (page.left < line.right < page.right and page.bottom < line.bottom < page.top)


def _tables(
    page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage, cells: Mapping[int, Cell]
) -> tuple[str, list[Table]]:
    """The page's text, and the tables that are no longer in it."""
    text: str = text_page.get_text_range()
    turned = _usual_turn(text_page, text)
    box_at = lambda place: _box(text_page, _index(text_page, place), turned)  # noqa: E731
    text = spelt(text, box_at)
    if cells:
        words = list(words_in(text, lambda place: cells.get(_content(text_page, place))))
        return tables_of(text, in_full_rows(words, box_at))
    grids, lines = ruled(page, lambda left, right, bottom, top: upright(left, right, bottom, top, turned))
    grids += lined(text, stacks(lines), box_at)
    return tables_of(text, words_of(text, grids, box_at) if grids else ())


def _usual_turn(text_page: pypdfium2.PdfTextPage, text: str) -> int:
    """In quarters of a circle, of most of some characters."""
    places = [place for place, char in enumerate(text) if char.isalnum()]
    sample = places[:: max(1, len(places) // _SAMPLE)]
    turns = Counter(_turn(text_page, _index(text_page, place)) for place in sample)
    return max(turns, key=turns.__getitem__, default=0)


def _as_line(text_page: pypdfium2.PdfTextPage, number: int, table: Table) -> Line:
    text = "\n".join(" ".join(filter(None, row)) for row in table.rows)
    begin, end = (_line(text_page, number, "-", place) for place in (table.begin, table.last))
    return replace(begin, text=text, bottom=end.bottom, right=end.right, rows=table.rows)


def _spelt(line: Line) -> Line:
    text = apart(parted(line.text))
    if text == line.text:
        return line
    return replace(line, text=text, rows=tuple(tuple(map(parted, row)) for row in line.rows))


def _level(text_page: pypdfium2.PdfTextPage, line: Line, headings: Mapping[int, int]) -> int:
    return headings.get(_content(text_page, line.start), 0)


def _content(text_page: pypdfium2.PdfTextPage, place: int) -> int:
    """The id of the marked content that a character is in; -1 where it is in none."""
    index = _index(text_page, place)
    drawn = pdfium.FPDFText_GetTextObject(text_page, index)
    return int(pdfium.FPDFPageObj_GetMarkedContentID(drawn)) if drawn else -1


def _is_bold(text_page: pypdfium2.PdfTextPage, line: Line) -> bool:
    """Whether its first and its last character are, of a line that is short enough for a heading."""
    return len(line.text) <= LONGEST and all(
        _BOLD.search(_font(text_page, place)) for place in (line.start, line.start + len(line.text) - 1)
    )


def _font(text_page: pypdfium2.PdfTextPage, place: int) -> bytes:
    index = _index(text_page, place)
    pdfium.FPDFText_GetFontInfo(text_page, index, _NAME, len(_NAME), None)
    return _NAME.value


def _gap_at(text_page: pypdfium2.PdfTextPage, line: Line, middle: float) -> Gap | None:
    """The widest of the spaces next to the line's middle. None for what does not run from left to right."""
    marks = [offset for offset, char in enumerate(line.text) if not char.isspace()]
    if line.turned or not line.left < middle < line.right or HYPHEN in line.text[:-1]:
        return None
    low, high = 0, len(marks) - 1
    while high - low > 1:
        half = (low + high) // 2
        low, high = (half, high) if _mark(text_page, line, marks[half]).left <= middle else (low, half)
    near = marks[max(0, low - 2) : high + 3]
    boxes = [_mark(text_page, line, offset) for offset in near]
    gaps = [
        Gap(before.right, after.left, offset)
        for before, after, offset in zip(boxes, boxes[1:], near[1:], strict=False)
    ]
    return max(gaps, key=lambda gap: gap.right - gap.left, default=None)


def _mark(text_page: pypdfium2.PdfTextPage, line: Line, offset: int) -> Box:
    index = _index(text_page, line.start + offset)
    return _box(text_page, index, line.turned)


def _parted(text_page: pypdfium2.PdfTextPage, line: Line, offset: int) -> tuple[Line, Line]:
    left, right = line.text[:offset].rstrip(), line.text[offset:]
    return (
        _line(text_page, line.page, left, line.start),
        _line(text_page, line.page, right, line.start + offset),
    )


def _without_size_in_margins(lines: list[Line]) -> list[Line]:
    """What runs another way than most of the page is no heading, however large: a stamp along its edge."""
    ways = Counter[int]()
    for line in lines:
        ways[line.turned] += len(line.text)
    usual = max(ways, key=ways.__getitem__, default=0)
    return [line if line.turned == usual else replace(line, size=0.0) for line in lines]


def _line(text_page: pypdfium2.PdfTextPage, page: int, text: str, first: int) -> Line:
    index = _index(text_page, first)
    turned = _turn(text_page, index)
    begin = _box(text_page, index, turned)
    last = _index(text_page, first + len(text) - 1)
    end = _box(text_page, last, turned)
    return Line(
        page, text, _size(text_page, index), begin.top, end.bottom, begin.left, end.right, turned, first
    )


def _size(text_page: pypdfium2.PdfTextPage, index: int) -> float:
    """The character's font in points, as it is seen: most writers but TeX scale what they set, a browser by 3/4."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text_page, index, matrix)
    return float(pdfium.FPDFText_GetFontSize(text_page, index) * math.hypot(matrix.c, matrix.d))


def _append(lines: list[Line], line: Line) -> None:
    """Adds a line, or joins it to the one before when it stands right of that (a raised "2" breaks a
    line)."""
    if lines and stands_beside(lines[-1], line):
        lines[-1] = _joined(lines[-1], line)
    else:
        lines.append(line)


def _joined(before: Line, line: Line) -> Line:
    return replace(before, text=f"{before.text} {line.text}", right=line.right)


def _index(text_page: pypdfium2.PdfTextPage, place: int) -> int:
    """Of a character among those that PDFium has drawn, by its place in the page's text."""
    return int(pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, place))


def _turn(text_page: pypdfium2.PdfTextPage, index: int) -> int:
    """In quarters of a circle."""
    return round(float(pdfium.FPDFText_GetCharAngle(text_page, index)) / (math.pi / 2)) % 4


def _box(text_page: pypdfium2.PdfTextPage, index: int, turned: int) -> Box:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return upright(box.left, box.right, box.bottom, box.top, turned)


def _is_filled_in(page: pypdfium2.PdfPage) -> bool:
    """Whether a form or a typewriter's text lies on the page, which is none of its own text."""
    for place in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, place)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in _FILLED_IN:
            return True
    return False


def _with_answers(printed: list[Line], both: list[Line]) -> list[Line]:
    """What was filled in comes behind all that is printed, and is put beside its label, or else in its height."""
    if [line.text for line in both[: len(printed)]] != [line.text for line in printed]:
        return both
    lines = list(printed)
    for answer in both[len(printed) :]:
        labels = [place for place, line in enumerate(lines) if stands_beside(line, answer)]
        if labels:
            nearest = max(labels, key=lambda place: lines[place].right)
            lines[nearest] = _joined(lines[nearest], answer)
        else:
            below = (place for place, line in enumerate(lines) if line.top < middle_of(answer))
            lines.insert(next(below, len(lines)), answer)
    return lines

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
from retrieval.ingestion.parsing.pdf_ligatures import parted
from retrieval.ingestion.parsing.pdf_line import HYPHEN, Box, Line
from retrieval.ingestion.parsing.pdf_tags import Tags

NO_TAGS: Mapping[int, int] = {}
_BOLD = re.compile(rb"bold|black|heavy|-demi|demi\b|CMBX", re.IGNORECASE)
_NAME = ctypes.create_string_buffer(128)  # of a font
_FILLED_IN = {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP}


def lines_of(document: pypdfium2.PdfDocument, number: int, tags: Tags) -> list[Line]:
    """A page's lines; a page that is broken has none."""
    try:
        with closing(document[number - 1]) as page:
            lines = _printed(page, number, tags.headings(page))
            if not _is_filled_in(page):
                return lines
            pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        with closing(document[number - 1]) as page:  # what was flattened is seen by who opens it anew
            return _with_answers(lines, _printed(page, number))
    except pypdfium2.PdfiumError:
        return []


def _printed(page: pypdfium2.PdfPage, number: int, headings: Mapping[int, int] = NO_TAGS) -> list[Line]:
    text_page = page.get_textpage()
    found: list[Line] = []
    place = 0
    for raw in text_page.get_text_range().split("\n"):
        text = raw.strip()
        if any(char.isalnum() for char in text):
            first = place + len(raw) - len(raw.lstrip())
            found.append(_line(text_page, number, text, first))
        place += len(raw) + 1
    lines: list[Line] = []
    for line in in_columns(found, partial(_gap_at, text_page), partial(_parted, text_page)):
        if headings and (level := _level(text_page, line, headings)):
            line = replace(line, level=level)
        elif not headings and _is_bold(text_page, line):
            line = replace(line, bold=True)
        _append(lines, accented(line, partial(_mark, text_page)))
    text_page.close()
    return _without_size_in_margins([_spelt(line) for line in lines])


def _spelt(line: Line) -> Line:
    text = parted(line.text)
    return line if text == line.text else replace(line, text=text)


def _level(text_page: pypdfium2.PdfTextPage, line: Line, headings: Mapping[int, int]) -> int:
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, line.start)
    drawn = pdfium.FPDFText_GetTextObject(text_page, index)
    return headings.get(pdfium.FPDFPageObj_GetMarkedContentID(drawn), 0) if drawn else 0


def _is_bold(text_page: pypdfium2.PdfTextPage, line: Line) -> bool:
    """Whether its first and its last character are, of a line that is short enough for a heading."""
    return len(line.text) <= LONGEST and all(
        _BOLD.search(_font(text_page, place)) for place in (line.start, line.start + len(line.text) - 1)
    )


def _font(text_page: pypdfium2.PdfTextPage, place: int) -> bytes:
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, place)
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
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, line.start + offset)
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
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, first)
    turned = round(pdfium.FPDFText_GetCharAngle(text_page, index) / (math.pi / 2)) % 4
    begin = _box(text_page, index, turned)
    last = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, first + len(text) - 1)
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
    if lines and _goes_on(lines[-1], line):
        lines[-1] = _joined(lines[-1], line)
    else:
        lines.append(line)


def _goes_on(before: Line, line: Line) -> bool:
    middle = _middle(line)
    beside = before.bottom < middle < before.bottom + 1.3 * before.size
    return beside and line.left >= before.right - 1


def _middle(line: Line) -> float:
    return (line.top + line.bottom) / 2


def _joined(before: Line, line: Line) -> Line:
    return replace(before, text=f"{before.text} {line.text}", right=line.right)


def _box(text_page: pypdfium2.PdfTextPage, index: int, turned: int) -> Box:
    """The character's place, turned so that its text stands upright: a page that is shown turned has its text so."""
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    match turned:
        case 1:
            return Box(-box.top, -box.bottom, box.right, box.left)
        case 2:
            return Box(-box.right, -box.left, -box.bottom, -box.top)
        case 3:
            return Box(box.bottom, box.top, -box.left, -box.right)
        case _:
            return Box(box.left, box.right, box.top, box.bottom)


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
        labels = [place for place, line in enumerate(lines) if _goes_on(line, answer)]
        if labels:
            nearest = max(labels, key=lambda place: lines[place].right)
            lines[nearest] = _joined(lines[nearest], answer)
        else:
            below = (place for place, line in enumerate(lines) if line.top < _middle(answer))
            lines.insert(next(below, len(lines)), answer)
    return lines

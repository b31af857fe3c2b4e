"""PDF through PDFium: lines with their size and place become paragraphs, list items and headings."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.errors import DocumentDamaged, DocumentEmpty, DocumentEncrypted, DocumentTooLarge
from retrieval.ingestion.blocks import (
    HEADING,
    ITEM,
    TEXT,
    Block,
    Limits,
    ParsedDocument,
    one_line,
    table_block,
    tidy,
)
from retrieval.ingestion.parsing import ocr
from retrieval.ingestion.parsing.pdf_bold import headed
from retrieval.ingestion.parsing.pdf_line import Line, commonest, rounded, sizes_of
from retrieval.ingestion.parsing.pdf_lines import lines_of
from retrieval.ingestion.parsing.pdf_repeats import without_repeats
from retrieval.ingestion.parsing.pdf_tables import continued
from retrieval.ingestion.parsing.pdf_tags import Tags
from retrieval.ingestion.parsing.pdf_unmapped import Unmapped
from retrieval.ingestion.parsing.pdf_words import Words, words_of

SCANNED = "No text was found: scanned? Run it through text recognition (OCR) first."
UNMAPPED = (
    "The fonts of this PDF do not say which letters they show, so its text cannot be read."
    " Run it through text recognition (OCR), or make it anew from its source."
)
SHAPES = "scans, or in fonts that do not say which letters they show"
_DEEPEST = 6  # level of a heading: of many sizes, the largest are those of a cover
_HYPHENS = ("\ufffe", "\x02", "\xad", "-", "‐")
_BULLET = re.compile(
    r"^(?:[•▪◦‣·●○■□➢✓–\uf0b7\uf0a7]|[-*](?=\s)|o(?=\s[A-Z])|\(?\d{1,3}[.)](?=\s)|\(?[a-z][.)](?=\s))\s*\S"
)
_POINT = re.compile(r"[•▪◦‣·●○■□➢✓–\uf0b7\uf0a7]")
_SIGN = re.compile(rf"^(?:{_POINT.pattern}\s*|o\s+(?=[A-Z]))")
_JUNK_TITLE = re.compile(r"^(untitled|microsoft|document\d*|slide \d)|\.\w{2,5}$|^\W*$", re.IGNORECASE)


def parse_pdf(data: bytes, limits: Limits) -> ParsedDocument:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
            reason = "The PDF is encrypted. Save it without its password and try again."
            raise DocumentEncrypted(reason) from error
        raise DocumentDamaged("The PDF is damaged: it cannot be opened.") from error
    with document:
        document.init_forms()  # else fields are not drawn whose writer has not done so
        return _parse(document, limits)


def _parse(document: pypdfium2.PdfDocument, limits: Limits) -> ParsedDocument:
    count = len(document)
    if count > limits.pages:
        raise DocumentTooLarge(f"The PDF has {count:,} pages, over the limit of {limits.pages:,}.")
    pages: list[list[Line]] = []
    characters, tags, unmapped = 0, Tags(), set[int]()
    for number in range(1, count + 1):
        try:
            pages.append(lines_of(document, number, tags))
        except Unmapped:
            pages.append([])
            unmapped.add(number)
        characters += sum(len(line.text) for line in pages[-1])
        if characters > limits.characters:
            raise DocumentTooLarge(f"The PDF has more than {limits.characters:,} characters of text.")
    without, warnings = _recognised(document, pages, limits, SHAPES if unmapped else "scans")
    illegible = unmapped.intersection(without)
    if illegible and len(without) == count:
        raise DocumentEmpty(UNMAPPED)
    if len(without) == count:
        raise DocumentEmpty(f"None of the {count:,} pages has text. {SCANNED}" if count > 1 else SCANNED)
    blocks = tuple(_blocks(continued(without_repeats(pages))))
    if not any(char.isalnum() for block in blocks for char in block.text):
        raise DocumentEmpty(SCANNED)
    if empty := len(without) - len(illegible):
        warnings += (f"{empty:,} of {count:,} pages have no text: scanned or empty.",)
    if illegible:
        told = "cannot be read: their fonts do not say which letters they show."
        warnings += (f"{len(illegible):,} of {count:,} pages {told}",)
    return ParsedDocument(_title(document, blocks), blocks, "application/pdf", count, warnings)


def _recognised(
    document: pypdfium2.PdfDocument, pages: list[list[Line]], limits: Limits, kind: str
) -> tuple[list[int], tuple[str, ...]]:
    """Fills in the text of pages without any where it can be recognised; gives the pages (from 1) that have none, and
    what an administrator should know. `kind` says what these pages are."""
    without = [number for number, lines in enumerate(pages, 1) if not lines]
    if not (without and ocr.available()):
        return without, ()
    read = ocr.recognise(document, without, seconds=limits.ocr_seconds, languages=limits.ocr_languages)
    for number, lines in read.lines.items():
        pages[number - 1] = [Line(number, text, 0) for text in lines]
    note = read.note(len(pages), kind)
    return [number for number in without if number not in read.lines], (note,) if note else ()


@dataclass(frozen=True, slots=True)
class _Style:
    """What is learned from the whole document: the size of its text, which sizes are headings of which level, and its
    words."""

    body: float
    levels: dict[float, int]
    words: Words


def _style(lines: Sequence[Line]) -> _Style:
    sizes = sizes_of(lines)
    body = commonest(sizes)
    larger = sorted((size for size in sizes if size >= 1.15 * body and size > 0), reverse=True)
    levels = _beside_tags(lines, larger) or {
        size: min(level, _DEEPEST) for level, size in enumerate(larger, 1)
    }
    return _Style(body, levels, words_of([line.text for line in lines]))


def _beside_tags(lines: Iterable[Line], larger: Sequence[float]) -> dict[float, int]:
    """The levels of what is set larger than the text and not tagged, such as a title, in a document whose writer has
    tagged its headings; none in another."""
    tagged: dict[float, int] = {}
    for line in lines:
        if line.level:
            size = rounded(line.size)
            tagged[size] = min(line.level, tagged.get(size, _DEEPEST))
    deeper = min(max(tagged.values(), default=0) + 1, _DEEPEST)
    return {
        size: min((level for held, level in tagged.items() if held <= size), default=deeper)
        for size in larger
        if tagged
    }


def _blocks(pages: Sequence[list[Line]]) -> Iterator[Block]:
    style = _style([line for lines in pages for line in lines])
    deepest = min(max(style.levels.values(), default=0) + 1, _DEEPEST)
    for lines in headed(pages, deepest, style.body):
        parts = [part for line in lines for part in line.text.split("\ufffe")]
        width = max((len(part) for part in parts), default=0)
        for group in _paragraphs(lines, style.levels):
            table = _table(group[0], style) if group[0].rows else None
            yield table or _block(group, style, width)


def _paragraphs(lines: Sequence[Line], levels: dict[float, int]) -> Iterator[list[Line]]:
    held: list[Line] = []
    for line in lines:
        if held and _begins(held[-1], line, levels):
            yield held
            held = []
        held.append(line)
    if held:
        yield held


def _begins(before: Line, line: Line, levels: dict[float, int]) -> bool:
    """Whether a new paragraph, item or heading begins with this line."""
    if (
        before.rows
        or line.rows
        or before.level != line.level
        or _level(before, levels) != _level(line, levels)
    ):
        return True
    if _BULLET.match(line.text):
        return True
    gap = before.bottom - line.top
    if gap < -1.5 * max(line.size, 1):  # up again: the next column
        return before.text.endswith((".", "!", "?", ":"))
    return gap > 0.85 * max(line.size, 1)


def _level(line: Line, levels: dict[float, int]) -> int:
    """From 1 for what is set larger than the text and is short, else 0."""
    if line.level:
        return line.level
    if (
        line.rows
        or len(line.text) > 150
        or _POINT.match(line.text)
        or not any(char.isalpha() for char in line.text)
    ):
        return 0
    return levels.get(rounded(line.size), 0)


def _table(line: Line, style: _Style) -> Block | None:
    return table_block([[style.words.mended(cell) for cell in row] for row in line.rows], line.page)


def _block(group: list[Line], style: _Style, width: int) -> Block:
    level = _level(group[0], style.levels)
    page = group[0].page
    if level and len(group) <= 3:
        heading = one_line(style.words.mended(" ".join(line.text for line in group)))
        if len(heading) <= 200:
            return Block(HEADING, heading, page, level=level)
    text = tidy(_joined([line.text for line in group], width, style))
    return (
        Block(ITEM, _SIGN.sub("- ", text), page, level=1) if _BULLET.match(text) else Block(TEXT, text, page)
    )


def _joined(lines: Sequence[str], width: int, style: _Style) -> str:
    """Lines as running text: a full line goes on in the next, a short one ends (addresses, rows of
    tables)."""
    text = lines[0]
    for before, line in pairwise(lines):
        if before.endswith(_HYPHENS) and line[:1].islower():
            text = text[:-1] + "\ufffe" + line
        else:
            last = before.rsplit("\ufffe", 1)[-1]
            text += (" " if len(last) >= 0.8 * width or line[:1].islower() else "\n") + line
    return style.words.mended(text)


def _title(document: pypdfium2.PdfDocument, blocks: Sequence[Block]) -> str:
    """The title that the file states, unless it is a writer's default; else that of its cover, or the largest
    heading of its first page."""
    stated = one_line(document.get_metadata_value("Title"))
    if " " in stated and not _JUNK_TITLE.search(stated):
        return stated
    first = [block for block in blocks if block.page == blocks[0].page]
    named = [block for block in first if block.kind == HEADING and "@" not in block.text]
    cover = ": ".join(block.text for block in named)
    if len(named) == len(first) and len(cover) <= 150:
        return cover
    return min(named, key=lambda block: block.level).text if named else ""

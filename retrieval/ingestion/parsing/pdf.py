"""PDF through PDFium: lines with their size and place become paragraphs, list items and headings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from retrieval.errors import DocumentDamaged, DocumentEmpty, DocumentEncrypted, DocumentTooLarge
from retrieval.ingestion.blocks import HEADING, ITEM, TEXT, Block, Limits, ParsedDocument, one_line, tidy
from retrieval.ingestion.parsing import ocr

SCANNED = "No text was found: scanned? Run it through text recognition (OCR) first."
_EDGE = 3  # lines at a page's top and bottom among which repeated headers and footers are looked for
_HYPHENS = ("\ufffe", "\x02", "\xad", "-", "‐")
_BROKEN = re.compile("([^\\W\\d_]+)[\ufffe\x02]([^\\W\\d_]+)")
_BULLET = re.compile(
    r"^(?:[•▪◦‣·●○■□➢✓–\uf0b7\uf0a7]|[-*](?=\s)|o(?=\s[A-Z])|\(?\d{1,3}[.)](?=\s)|\(?[a-z][.)](?=\s))\s*\S"
)
_NUMBER = re.compile(r"^\s*\d{1,5}\b|\b\d{1,5}\s*$")
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-–]?\s*\d{1,5}\s*(?:(?:of|/)\s*\d{1,5})?\s*[-–]?$", re.IGNORECASE)
_JUNK_TITLE = re.compile(r"^(untitled|microsoft|document\d*|slide \d)|\.\w{2,5}$|^\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Line:
    """`size` is the font's in points; `top` is of the first character and `bottom` of the last, from the
    page's foot; a line that ends in a hyphen comes with the next, joined by U+FFFE."""

    page: int
    text: str
    size: float
    top: float = 0
    bottom: float = 0
    right: float = 0


def parse_pdf(data: bytes, limits: Limits) -> ParsedDocument:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
            reason = "The PDF is encrypted. Save it without its password and try again."
            raise DocumentEncrypted(reason) from error
        raise DocumentDamaged("The PDF is damaged: it cannot be opened.") from error
    with document:
        return _parse(document, limits)


def _parse(document: pypdfium2.PdfDocument, limits: Limits) -> ParsedDocument:
    count = len(document)
    if count > limits.pages:
        raise DocumentTooLarge(f"The PDF has {count:,} pages, over the limit of {limits.pages:,}.")
    pages: list[list[_Line]] = []
    characters = 0
    for number in range(1, count + 1):
        pages.append(_lines(document, number))
        characters += sum(len(line.text) for line in pages[-1])
        if characters > limits.characters:
            raise DocumentTooLarge(f"The PDF has more than {limits.characters:,} characters of text.")
    without, warnings = _recognised(document, pages, limits)
    if len(without) == count:
        raise DocumentEmpty(f"None of the {count:,} pages has text. {SCANNED}" if count > 1 else SCANNED)
    blocks = tuple(_blocks(_without_repeats(pages)))
    if not any(char.isalnum() for block in blocks for char in block.text):
        raise DocumentEmpty(SCANNED)
    if without:
        warnings += (f"{len(without):,} of {count:,} pages have no text: scanned or empty.",)
    return ParsedDocument(_title(document, blocks), blocks, "application/pdf", count, warnings)


def _recognised(
    document: pypdfium2.PdfDocument, pages: list[list[_Line]], limits: Limits
) -> tuple[list[int], tuple[str, ...]]:
    """Fills in the text of scanned pages where it can be recognised; gives the pages (from 1) that have none, and what
    an administrator should know."""
    without = [number for number, lines in enumerate(pages, 1) if not lines]
    if not (without and ocr.available()):
        return without, ()
    read = ocr.recognise(document, without, seconds=limits.ocr_seconds, languages=limits.ocr_languages)
    for number, lines in read.lines.items():
        pages[number - 1] = [_Line(number, text, 0) for text in lines]
    note = read.note(len(pages))
    return [number for number in without if number not in read.lines], (note,) if note else ()


def _lines(document: pypdfium2.PdfDocument, number: int) -> list[_Line]:
    """A page's lines in reading order; a page that is broken has none."""
    try:
        page = document[number - 1]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return []
    lines: list[_Line] = []
    place = 0
    for raw in text_page.get_text_range().split("\n"):
        text = raw.strip()
        if any(char.isalnum() for char in text):
            first = place + len(raw) - len(raw.lstrip())
            _append(lines, text_page, number, text, first)
        place += len(raw) + 1
    text_page.close()
    page.close()
    return lines


def _append(lines: list[_Line], text_page: pypdfium2.PdfTextPage, page: int, text: str, first: int) -> None:
    """Adds a line, or joins it to the one before when it stands right of that (a raised "2" breaks a
    line)."""
    index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, first)
    begin = _box(text_page, index)
    end = _box(text_page, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, first + len(text) - 1))
    before = lines[-1] if lines else None
    middle = (begin.top + begin.bottom) / 2
    if (
        before
        and before.bottom < middle < before.bottom + 1.3 * before.size
        and begin.left >= before.right - 1
    ):
        lines[-1] = replace(before, text=f"{before.text} {text}", right=end.right)
        return
    size = pdfium.FPDFText_GetFontSize(text_page, index)
    height = begin.top - begin.bottom
    # Some writers scale a font of one point by a matrix: then the height of a character tells.
    seen = height / 1.2 if size <= 2 and height > 2 else size
    lines.append(_Line(page, text, seen, begin.top, end.bottom, end.right))


def _box(text_page: pypdfium2.PdfTextPage, index: int) -> pdfium.FS_RECTF:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return box


def _without_repeats(pages: Sequence[list[_Line]]) -> list[list[_Line]]:
    """The pages without headers, footers and page numbers: what stands at the edge of most pages."""
    full = [lines for lines in pages if lines]
    seen = Counter(key for lines in full for key in {_key(line) for line in _edges(lines)})
    often = {key for key, times in seen.items() if len(full) >= 4 and times > 0.5 * len(full)}
    return [
        [line for n, line in enumerate(lines) if not (_at_edge(n, lines) and _repeated(line, often))]
        for lines in pages
    ]


def _at_edge(place: int, lines: list[_Line]) -> bool:
    edge = min(_EDGE, max(1, len(lines) // 3))
    return place < edge or place >= len(lines) - edge


def _edges(lines: list[_Line]) -> list[_Line]:
    return [line for place, line in enumerate(lines) if _at_edge(place, lines)]


def _key(line: _Line) -> str:
    """The line without a page number before or after it."""
    return _NUMBER.sub("", line.text)


def _repeated(line: _Line, often: set[str]) -> bool:
    return _key(line) in often or bool(_PAGE_NUMBER.match(line.text))


@dataclass(frozen=True, slots=True)
class _Style:
    """What is learned from the whole document: which sizes are headings of which level, which words there
    are, and whether its writer breaks words (a typesetter does, a word processor's hyphens are its
    author's)."""

    levels: dict[float, int]
    words: frozenset[str]
    breaks_words: bool


def _style(lines: Sequence[_Line]) -> _Style:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[_rounded(line.size)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted((size for size in sizes if size >= 1.15 * body and size > 0), reverse=True)
    levels = {size: min(level, 4) for level, size in enumerate(larger, 1)}
    words = frozenset(word for line in lines for word in line.text.split())
    broken = sum(line.text.count("\ufffe") for line in lines)
    return _Style(levels, words, broken > 0.03 * len(lines))


def _blocks(pages: Sequence[list[_Line]]) -> Iterator[Block]:
    style = _style([line for lines in pages for line in lines])
    for lines in pages:
        parts = [part for line in lines for part in line.text.split("\ufffe")]
        width = max((len(part) for part in parts), default=0)
        for group in _paragraphs(lines, style.levels):
            yield _block(group, style, width)


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _paragraphs(lines: Sequence[_Line], levels: dict[float, int]) -> Iterator[list[_Line]]:
    held: list[_Line] = []
    for line in lines:
        if held and _begins(held[-1], line, levels):
            yield held
            held = []
        held.append(line)
    if held:
        yield held


def _begins(before: _Line, line: _Line, levels: dict[float, int]) -> bool:
    """Whether a new paragraph, item or heading begins with this line."""
    if _level(before, levels) != _level(line, levels) or _BULLET.match(line.text):
        return True
    gap = before.bottom - line.top
    if gap < -1.5 * max(line.size, 1):  # up again: the next column
        return before.text.endswith((".", "!", "?", ":"))
    return gap > 0.85 * max(line.size, 1)


def _level(line: _Line, levels: dict[float, int]) -> int:
    """1 to 4 for what is set larger than the text and is short, else 0."""
    if len(line.text) > 150 or not any(char.isalpha() for char in line.text):
        return 0
    return levels.get(_rounded(line.size), 0)


def _block(group: list[_Line], style: _Style, width: int) -> Block:
    level = _level(group[0], style.levels)
    page = group[0].page
    heading = one_line(" ".join(line.text for line in group))
    if level and len(group) <= 3 and len(heading) <= 200:
        return Block(HEADING, heading, page, level=level)
    text = tidy(_joined([line.text for line in group], width, style))
    return Block(ITEM, text, page, level=1) if _BULLET.match(text) else Block(TEXT, text, page)


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
    return _BROKEN.sub(lambda found: _mended(found[1], found[2], style), text)


def _mended(left: str, right: str, style: _Style) -> str:
    """A word broken at a line's end, with its hyphen ("cutting-edge") or without, as it stands elsewhere."""
    whole, hyphenated = left + right, f"{left}-{right}"
    if whole in style.words:
        return whole
    if hyphenated in style.words or not right[:1].islower() or not style.breaks_words:
        return hyphenated
    return whole


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

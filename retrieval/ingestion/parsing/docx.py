"""DOCX: headings, paragraphs, lists, tables, footnotes and page headers. Read from the XML itself, in one pass:
python-docx, an object for every run, takes six times as long (2.5 s for a handbook of 872 pages)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

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
from retrieval.ingestion.parsing.archive import Archive
from retrieval.ingestion.parsing.docx_numbers import Numbering, is_count, numbering, value
from retrieval.ingestion.parsing.docx_numbers import W as _W
from retrieval.ingestion.parsing.docx_styles import Style, styles
from retrieval.ingestion.parsing.openxml import document_of, parts_of, transitional
from retrieval.ingestion.parsing.xml import parse_xml

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SKIPPED = {f"{_W}{name}" for name in ("del", "moveFrom", "instrText", "delText", "pPr", "rPr", "rt")}
_PAGE_PARTS = ("word/header", "word/footer")
_NOTES = {
    "footnotes": f"{_W}footnoteReference",
    "endnotes": f"{_W}endnoteReference",
    "comments": f"{_W}commentReference",
}
_REFERENCES = set(_NOTES.values())
_READ = {"styles", "numbering", *_NOTES}
_GALLERY = f"{_W}sdtPr/{_W}docPartObj/{_W}docPartGallery"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_FALLBACK = f"{_MC}Fallback"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_BOX = f"{_W}txbxContent"
# What stands around paragraphs, rows and cells: content controls, tracked insertions, newer and older wordings.
_AROUND = {
    *(f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")),
    f"{_MC}AlternateContent",
    f"{_MC}Choice",
}
_HEADING_MOST = 200
_COLUMNS = 63  # Word's own limit


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the paragraphs of a document refer to; notes are by what refers to them and their id."""

    styles: Mapping[str, Style]
    numbers: Numbering
    notes: Mapping[tuple[str, str], etree._Element]


def parse_docx(data: bytes, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    archive = Archive(transitional(data, archive), limits)
    document = document_of(archive) or "word/document.xml"
    body = parse_xml(archive.read(document)).find(f"{_W}body")
    parts = _parts(archive, document)
    blocks = list(_blocks(body, parts)) if body is not None else []
    seen = {block.text for block in blocks}
    # What nothing refers to is read at the end.
    referred = set(_references(body))
    sides = [note for key, note in parts.notes.items() if key not in referred]
    sides += [parse_xml(archive.read(name)) for name in sorted(archive.names) if name.startswith(_PAGE_PARTS)]
    for side in sides:
        for block in _aside(side, parts):
            if block.text not in seen and any(char.isalpha() for char in block.text):
                seen.add(block.text)
                blocks.append(block)
    title = next((text for text, kind in _titled(body, parts) if kind == "title"), "") or _core_title(archive)
    return ParsedDocument(title, tuple(block for block in blocks if block.text), _MEDIA_TYPE)


def _parts(archive: Archive, document: str) -> _Parts:
    paths = {kind: f"word/{kind}.xml" for kind in _READ} | parts_of(archive, document)
    roots = {kind: parse_xml(archive.read(paths[kind])) for kind in _READ if paths[kind] in archive.names}
    notes = {
        (reference, note.get(f"{_W}id", "")): note
        for kind, reference in _NOTES.items()
        for note in roots.get(kind, ())
    }
    return _Parts(styles(roots.get("styles")), numbering(roots.get("numbering")), notes)


def _blocks(parent: etree._Element, parts: _Parts) -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{_W}p":
            yield from _paragraph(child, parts)
        elif child.tag == f"{_W}tbl":
            yield from _table(child, parts)
        elif child.tag in _AROUND and value(child, _GALLERY) != "Table of Contents":
            yield from _blocks(child, parts)


def _table(table: etree._Element, parts: _Parts) -> Iterator[Block]:
    """A table of one cell is a frame around what is in it."""
    rows = list(_found(table, f"{_W}tr"))
    cells = list(_found(rows[0], f"{_W}tc")) if len(rows) == 1 else []
    if len(cells) == 1:
        yield from _blocks(cells[0], parts)
        return
    if block := table_block(list(_rows(table))):
        yield block
    yield from _notes(table, parts)


def _paragraph(paragraph: etree._Element, parts: _Parts) -> Iterator[Block]:
    """The paragraph, then its notes and the boxes that hang on it; their headings are plain text, for they head no
    section."""
    text = tidy("".join(_text(paragraph, boxes=False)))
    if text and (block := _block(text, paragraph.find(f"{_W}pPr"), parts)):
        yield block
    yield from _notes(paragraph, parts)
    for box in _boxes(paragraph):
        yield from _aside(box, parts)


def _aside(side: etree._Element, parts: _Parts) -> Iterator[Block]:
    for block in _blocks(side, parts):
        yield block if block.kind != HEADING else Block(TEXT, block.text)


def _notes(element: etree._Element, parts: _Parts) -> Iterator[Block]:
    """Footnotes and comments stand after what they are about, under its heading."""
    for reference in _references(element):
        if reference in parts.notes:
            yield from _aside(parts.notes[reference], parts)


def _references(element: etree._Element | None) -> Iterator[tuple[str, str]]:
    for child in element if element is not None else ():
        if child.tag in _REFERENCES:
            yield child.tag, child.get(f"{_W}id", "")
        elif child.tag not in _SKIPPED and child.tag not in {_FALLBACK, _BOX}:
            yield from _references(child)


def _boxes(element: etree._Element) -> Iterator[etree._Element]:
    for child in element:
        if child.tag == _BOX:
            yield child
        elif child.tag not in _SKIPPED and child.tag != _FALLBACK:
            yield from _boxes(child)


def _block(text: str, properties: etree._Element | None, parts: _Parts) -> Block | None:
    """None for a line of the table of contents."""
    style = parts.styles.get(value(properties, f"{_W}pStyle"), Style()) if properties is not None else Style()
    kind = _kind(properties, style)
    if kind == "contents":
        return None
    label, level = _number(properties, style, parts)
    if kind == "title":
        return Block(HEADING, one_line(text), level=1)
    if kind.isdigit() and len(text) <= _HEADING_MOST:
        return Block(HEADING, one_line(f"{label} {text}"), level=int(kind))
    if kind == "item" or label:
        return Block(ITEM, f"{'  ' * min(level, 8)}{label or '-'} {text}", level=level + 1)
    return Block(TEXT, text)


def _number(properties: etree._Element | None, style: Style, parts: _Parts) -> tuple[str, int]:
    """The paragraph's number, if it has one, and its level, from 0."""
    own = f"{_W}numPr/{_W}"
    number_id = value(properties, f"{own}numId") if properties is not None else ""
    level = value(properties, f"{own}ilvl") if properties is not None else ""
    level = level or style.level
    depth = int(level) if is_count(level) else int(style.kind) - 1 if style.kind.isdigit() else 0
    return parts.numbers.label(number_id or style.number_id, depth), depth


def _kind(properties: etree._Element | None, style: Style) -> str:
    if properties is None:
        return ""
    outline = value(properties, f"{_W}outlineLvl")
    if style.kind.isdigit() or style.kind in {"title", "contents"}:
        return style.kind
    if outline.isdigit() and int(outline) < 9:
        return str(int(outline) + 1)
    numbered = value(properties, f"{_W}numPr/{_W}numId")
    if numbered == "0":  # taken out of the list of its style
        return ""
    return "item" if numbered else style.kind


def _text(element: etree._Element, *, boxes: bool = True) -> Iterator[str]:
    """The text as it stands after all tracked changes."""
    for child in element:
        if child.tag in _SKIPPED or child.tag == _FALLBACK or (child.tag == _BOX and not boxes):
            continue
        if child.tag == f"{_W}r" and _is_hidden(child):
            continue
        if child.tag in {f"{_W}t", _MATH}:
            yield child.text or ""
        elif child.tag in {f"{_W}tab", f"{_W}ptab"}:
            yield "\t"
        elif child.tag in {f"{_W}br", f"{_W}cr"}:
            yield "\n"
        elif child.tag == f"{_W}noBreakHyphen":
            yield "-"
        else:
            yield from _text(child, boxes=boxes)
            if child.tag == f"{_W}p":
                yield "\n"


def _is_hidden(run: etree._Element) -> bool:
    vanish = run.find(f"{_W}rPr/{_W}vanish")
    return vanish is not None and vanish.get(f"{_W}val", "1") not in {"0", "false", "off"}


def _rows(table: etree._Element) -> Iterator[list[str]]:
    """The rows with a value for each column: a cell that spans several is followed by empty ones."""
    for row in _found(table, f"{_W}tr"):
        if row.find(f"{_W}trPr/{_W}del") is not None:
            continue
        cells = [""] * _columns(row, f"{_W}trPr/{_W}gridBefore", 0)
        for cell in _found(row, f"{_W}tc"):
            cells.append("".join(_text(cell)))
            cells += [""] * (_columns(cell, f"{_W}tcPr/{_W}gridSpan", 1) - 1)
        yield cells


def _found(parent: etree._Element, tag: str) -> Iterator[etree._Element]:
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _AROUND:
            yield from _found(child, tag)


def _columns(element: etree._Element, path: str, default: int) -> int:
    stated = value(element, path)
    return min(int(stated), _COLUMNS) if stated.isascii() and stated.isdigit() else default


def _titled(body: etree._Element | None, parts: _Parts) -> Iterator[tuple[str, str]]:
    for paragraph in list(body.iterchildren(f"{_W}p"))[:20] if body is not None else ():
        style = parts.styles.get(value(paragraph, f"{_W}pPr/{_W}pStyle"), Style())
        yield one_line("".join(_text(paragraph, boxes=False))), style.kind


def _core_title(archive: Archive) -> str:
    if "docProps/core.xml" not in archive.names:
        return ""
    title = parse_xml(archive.read("docProps/core.xml")).findtext("{http://purl.org/dc/elements/1.1/}title")
    return one_line(title or "")

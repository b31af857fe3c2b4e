"""DOCX: headings, paragraphs, lists, tables, footnotes and page headers. Read from the XML itself, in one pass:
python-docx, an object for every run, takes six times as long (2.5 s for a handbook of 872 pages)."""

from collections.abc import Iterator

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
from retrieval.ingestion.parsing.xml import parse_xml

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SKIPPED = {f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}delText", f"{_W}pPr", f"{_W}rPr"}
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


def parse_docx(data: bytes, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    styles = _styles(archive)
    body = _root(archive, "word/document.xml").find(f"{_W}body")
    blocks = list(_blocks(body, styles)) if body is not None else []
    seen = {block.text for block in blocks}
    for name in sorted(archive.names):
        if name.startswith(
            ("word/header", "word/footer", "word/footnotes", "word/endnotes", "word/comments.xml")
        ):
            blocks.extend(_side(_root(archive, name), styles, seen))
    title = next((text for text, kind in _titled(body, styles) if kind == "title"), "") or _core_title(
        archive
    )
    return ParsedDocument(title, tuple(block for block in blocks if block.text), _MEDIA_TYPE)


def _root(archive: Archive, name: str) -> etree._Element:
    data = archive.read(name)
    # The strict variant of the format differs in the names of its namespaces alone.
    return parse_xml(data.replace(_STRICT, _W[1:-1].encode()) if _STRICT in data[:4096] else data)


def _styles(archive: Archive) -> dict[str, str]:
    """Style id -> `title`, `1` … `9` for a heading, `item`."""
    if "word/styles.xml" not in archive.names:
        return {}
    found: dict[str, str] = {}
    parents: dict[str, str] = {}
    for style in _root(archive, "word/styles.xml").iterfind(f"{_W}style"):
        key = style.get(f"{_W}styleId", "")
        name = _value(style, f"{_W}name").lower()
        outline = _value(style, f"{_W}pPr/{_W}outlineLvl")
        parents[key] = _value(style, f"{_W}basedOn")
        if name == "title":
            found[key] = "title"
        elif name.startswith("heading ") and name[8:].isdigit():
            found[key] = name[8:]
        elif outline.isdigit() and int(outline) < 9:
            found[key] = str(int(outline) + 1)
        elif name.startswith("list "):
            found[key] = "item"
    for key in parents:
        if key not in found and parents[key] in found:
            found[key] = found[parents[key]]
    return found


def _value(element: etree._Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get(f"{_W}val", "")


def _blocks(parent: etree._Element, styles: dict[str, str]) -> Iterator[Block]:
    for child in parent:
        if child.tag == f"{_W}p":
            yield from _paragraph(child, styles)
        elif child.tag == f"{_W}tbl":
            if block := table_block(list(_rows(child))):
                yield block
        elif child.tag in _AROUND:
            yield from _blocks(child, styles)


def _paragraph(paragraph: etree._Element, styles: dict[str, str]) -> Iterator[Block]:
    """The paragraph, then the boxes that hang on it; their headings are plain text, for they head no section."""
    if text := tidy("".join(_text(paragraph, boxes=False))):
        yield _block(text, paragraph.find(f"{_W}pPr"), styles)
    for box in _boxes(paragraph):
        for block in _blocks(box, styles):
            yield block if block.kind != HEADING else Block(TEXT, block.text)


def _boxes(element: etree._Element) -> Iterator[etree._Element]:
    for child in element:
        if child.tag == _BOX:
            yield child
        elif child.tag not in _SKIPPED and child.tag != _FALLBACK:
            yield from _boxes(child)


def _block(text: str, properties: etree._Element | None, styles: dict[str, str]) -> Block:
    kind = _kind(properties, styles)
    if kind == "title":
        return Block(HEADING, one_line(text), level=1)
    if kind.isdigit() and len(text) <= _HEADING_MOST:
        return Block(HEADING, one_line(text), level=int(kind))
    if kind == "item":
        depth = _value(properties, f"{_W}numPr/{_W}ilvl") if properties is not None else ""
        level = int(depth) + 1 if depth.isdigit() else 1
        return Block(ITEM, f"{'  ' * min(level - 1, 8)}- {text}", level=level)
    return Block(TEXT, text)


def _kind(properties: etree._Element | None, styles: dict[str, str]) -> str:
    if properties is None:
        return ""
    style = styles.get(_value(properties, f"{_W}pStyle"), "")
    outline = _value(properties, f"{_W}outlineLvl")
    if style.isdigit() or style == "title":
        return style
    if outline.isdigit() and int(outline) < 9:
        return str(int(outline) + 1)
    return "item" if properties.find(f"{_W}numPr") is not None else style


def _text(element: etree._Element, *, boxes: bool = True) -> Iterator[str]:
    """The text as it stands after all tracked changes."""
    for child in element:
        if child.tag in _SKIPPED or child.tag == _FALLBACK or (child.tag == _BOX and not boxes):
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


def _rows(table: etree._Element) -> Iterator[list[str]]:
    """The rows with a value for each column: a cell that spans several is followed by empty ones."""
    for row in _parts(table, f"{_W}tr"):
        if row.find(f"{_W}trPr/{_W}del") is not None:
            continue
        cells = [""] * _columns(row, f"{_W}trPr/{_W}gridBefore", 0)
        for cell in _parts(row, f"{_W}tc"):
            cells.append("".join(_text(cell)))
            cells += [""] * (_columns(cell, f"{_W}tcPr/{_W}gridSpan", 1) - 1)
        yield cells


def _parts(parent: etree._Element, tag: str) -> Iterator[etree._Element]:
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _AROUND:
            yield from _parts(child, tag)


def _columns(element: etree._Element, path: str, default: int) -> int:
    stated = _value(element, path)
    return min(int(stated), _COLUMNS) if stated.isascii() and stated.isdigit() else default


def _side(root: etree._Element, styles: dict[str, str], seen: set[str]) -> Iterator[Block]:
    """Headers, footers and notes, each text once. Their headings are plain text here."""
    holders = [root] if root.tag in {f"{_W}hdr", f"{_W}ftr"} else list(root)
    for holder in holders:
        for block in _blocks(holder, styles):
            if block.text not in seen and any(char.isalpha() for char in block.text):
                seen.add(block.text)
                yield block if block.kind != HEADING else Block(TEXT, block.text)


def _titled(body: etree._Element | None, styles: dict[str, str]) -> Iterator[tuple[str, str]]:
    for paragraph in list(body.iterchildren(f"{_W}p"))[:20] if body is not None else ():
        yield one_line("".join(_text(paragraph, boxes=False))), _kind(paragraph.find(f"{_W}pPr"), styles)


def _core_title(archive: Archive) -> str:
    if "docProps/core.xml" not in archive.names:
        return ""
    title = parse_xml(archive.read("docProps/core.xml")).findtext("{http://purl.org/dc/elements/1.1/}title")
    return one_line(title or "")

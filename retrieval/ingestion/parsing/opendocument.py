"""OpenDocument (ODT, ODS, ODP) and EPUB: zip files of XML and HTML."""

import posixpath
import urllib.parse
from collections.abc import Iterator

from lxml import etree

from retrieval.errors import DocumentDamaged, DocumentEncrypted
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
from retrieval.ingestion.parsing.encodings import decode
from retrieval.ingestion.parsing.html import parse_html
from retrieval.ingestion.parsing.xml import parse_xml

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_OPF = "{http://www.idpf.org/2007/opf}"
_SKIPPED = {f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}table-of-content"}
_MOST_REPEATS = 100


def parse_opendocument(data: bytes, media_type: str, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    if "META-INF/manifest.xml" in archive.names and b"encryption-data" in archive.read(
        "META-INF/manifest.xml"
    ):
        raise DocumentEncrypted("The file is protected by a password. Save it without one and try again.")
    body = parse_xml(archive.read("content.xml")).find(f"{_OFFICE}body")
    if body is None:
        raise DocumentDamaged("The file is damaged: it has no body.")
    title = ""
    if "meta.xml" in archive.names:
        title = one_line(
            next(parse_xml(archive.read("meta.xml")).iter(f"{_DC}title"), etree.Element("x")).text or ""
        )
    blocks = tuple(_blocks(body, 0))
    return ParsedDocument(title, blocks, media_type)


def _blocks(parent: etree._Element, depth: int) -> Iterator[Block]:
    for child in parent:
        if child.tag in _SKIPPED:
            continue
        if child.tag == f"{_TEXT}h":
            level = child.get(f"{_TEXT}outline-level", "1")
            if text := one_line(_plain(child)):
                yield Block(HEADING, text, level=int(level) if level.isdigit() else 1)
        elif child.tag == f"{_TEXT}p":
            if text := tidy(_plain(child)):
                yield (
                    Block(ITEM, f"{'  ' * (depth - 1)}- {text}", level=depth) if depth else Block(TEXT, text)
                )
        elif child.tag == f"{_TABLE}table":
            yield from _table(child)
        else:
            yield from _blocks(child, depth + 1 if child.tag == f"{_TEXT}list" else depth)


def _table(table: etree._Element) -> Iterator[Block]:
    rows = []
    for row in table.iter(f"{_TABLE}table-row"):
        cells: list[str] = []
        for cell in row.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            times = cell.get(f"{_TABLE}number-columns-repeated", "1")
            text = "\n".join(_plain(part) for part in cell.iter(f"{_TEXT}p"))
            cells += [text] * min(int(times) if times.isdigit() else 1, _MOST_REPEATS)
        rows.append(cells)
    if block := table_block(rows):
        name = one_line(table.get(f"{_TABLE}name", ""))
        if table.getparent() is not None and table.getparent().tag == f"{_OFFICE}spreadsheet" and name:
            yield Block(HEADING, name, level=1)
        yield block


def _plain(element: etree._Element) -> str:
    parts = [element.text or ""]
    for child in element:
        if child.tag == f"{_TEXT}s":
            parts.append(" ")
        elif child.tag in {f"{_TEXT}tab", f"{_TEXT}line-break"}:
            parts.append("\t" if child.tag.endswith("tab") else "\n")
        elif child.tag not in _SKIPPED:
            parts.append(_plain(child))
        parts.append(child.tail or "")
    return "".join(parts)


def parse_epub(data: bytes, limits: Limits) -> ParsedDocument:
    """The book's chapters in the order in which it is read."""
    archive = Archive(data, limits)
    if "META-INF/encryption.xml" in archive.names and b"EncryptedData" in archive.read(
        "META-INF/encryption.xml"
    ):
        raise DocumentEncrypted("The book is protected against copying and cannot be read.")
    container = parse_xml(archive.read("META-INF/container.xml"))
    package_name = next(container.iter(f"{_CONTAINER}rootfile"), etree.Element("x")).get("full-path", "")
    package = parse_xml(archive.read(package_name))
    folder = posixpath.dirname(package_name)
    places = {item.get("id"): item.get("href", "") for item in package.iter(f"{_OPF}item")}
    blocks: list[Block] = []
    for reference in package.iter(f"{_OPF}itemref"):
        place = urllib.parse.unquote(places.get(reference.get("idref"), ""))
        name = posixpath.normpath(posixpath.join(folder, place))
        if place and name in archive.names:
            blocks.extend(parse_html(decode(archive.read(name))).blocks)
    title = one_line(next(package.iter(f"{_DC}title"), etree.Element("x")).text or "")
    return ParsedDocument(title, tuple(blocks), "application/epub+zip")

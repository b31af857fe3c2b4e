"""EPUB: a zip file of HTML, in the order in which it is read."""

import posixpath
import urllib.parse

from lxml import etree

from retrieval.errors import DocumentEncrypted
from retrieval.ingestion.blocks import Block, Limits, ParsedDocument, one_line
from retrieval.ingestion.parsing.archive import Archive
from retrieval.ingestion.parsing.encodings import decode
from retrieval.ingestion.parsing.html import parse_html
from retrieval.ingestion.parsing.xml import parse_xml

_DC = "{http://purl.org/dc/elements/1.1/}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_ENCRYPTION = "META-INF/encryption.xml"
_OPF = "{http://www.idpf.org/2007/opf}"


def parse_epub(data: bytes, limits: Limits) -> ParsedDocument:
    """The book's chapters in the order in which it is read."""
    archive = Archive(data, limits)
    locked = _locked(archive)
    container = parse_xml(archive.read("META-INF/container.xml"))
    package_name = _path(
        next(container.iter(f"{_CONTAINER}rootfile"), etree.Element("x")).get("full-path", "")
    )
    package = parse_xml(archive.read(package_name))
    folder = posixpath.dirname(package_name)
    places = {item.get("id"): item.get("href", "") for item in package.iter(f"{_OPF}item")}
    blocks: list[Block] = []
    for reference in package.iter(f"{_OPF}itemref"):
        place = _path(urllib.parse.unquote(places.get(reference.get("idref"), "")))
        name = posixpath.normpath(posixpath.join(folder, place))
        if name in locked:
            raise DocumentEncrypted("The book is protected against copying and cannot be read.")
        if place and name in archive.names:
            blocks.extend(parse_html(decode(archive.read(name))).blocks)
    title = one_line(next(package.iter(f"{_DC}title"), etree.Element("x")).text or "")
    return ParsedDocument(title, tuple(blocks), "application/epub+zip")


def _locked(archive: Archive) -> set[str]:
    """The parts that are encrypted; of many books these are fonts alone, and all can be read."""
    if _ENCRYPTION not in archive.names:
        return set()
    references = parse_xml(archive.read(_ENCRYPTION)).iter("{*}CipherReference")
    return {posixpath.normpath(_path(urllib.parse.unquote(one.get("URI", "")))) for one in references}


def _path(written: str) -> str:
    """As the archive has it; some write it as Windows does."""
    return written.replace("\\", "/")

"""OpenDocument (ODT, ODS, ODP): zip files of XML, or one file of XML with all in it."""

import posixpath

from lxml import etree

from retrieval.errors import DocumentDamaged, DocumentEncrypted, DocumentUnsupported
from retrieval.ingestion.blocks import HEADING, Block, Limits, ParsedDocument, one_line
from retrieval.ingestion.parsing import odf_names as odf
from retrieval.ingestion.parsing.archive import Archive
from retrieval.ingestion.parsing.odf_sheets import Sheets
from retrieval.ingestion.parsing.odf_slides import slides
from retrieval.ingestion.parsing.odf_styles import Styles, styles_of
from retrieval.ingestion.parsing.odf_text import Reader
from retrieval.ingestion.parsing.sheets import warnings
from retrieval.ingestion.parsing.xml import parse_xml

_STYLES, _AUTOMATIC = f"{odf.OFFICE}styles", f"{odf.OFFICE}automatic-styles"
_MANIFEST = "META-INF/manifest.xml"


def parse_opendocument(data: bytes, media_type: str, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    if _MANIFEST in archive.names and b"encryption-data" in archive.read(_MANIFEST):
        raise DocumentEncrypted("The file is protected by a password. Save it without one and try again.")
    content = parse_xml(archive.read("content.xml"))
    styles = parse_xml(archive.read("styles.xml")) if "styles.xml" in archive.names else None
    meta = parse_xml(archive.read("meta.xml")) if "meta.xml" in archive.names else None
    return _Parts(archive, content, styles, meta).parsed(media_type, limits)


def is_flat(root: etree._Element) -> bool:
    return bool(root.tag == f"{odf.OFFICE}document")


def parse_flat(root: etree._Element, limits: Limits) -> ParsedDocument:
    """A document that is one file of XML (FODT, FODS, FODP)."""
    media_type = root.get(f"{odf.OFFICE}mimetype", "application/vnd.oasis.opendocument.text")
    return _Parts(None, root, root, root).parsed(media_type, limits)


class _Parts:
    def __init__(
        self,
        archive: Archive | None,
        content: etree._Element,
        styles: etree._Element | None,
        meta: etree._Element | None,
    ) -> None:
        self.archive = archive
        self.content, self.styles, self.meta = content, styles, meta

    def parsed(self, media_type: str, limits: Limits) -> ParsedDocument:
        body = self.content.find(f"{odf.OFFICE}body")
        if body is None:
            raise DocumentDamaged("The file is damaged: it has no body.")
        styles = self._styles(self.content)
        reader = Reader(styles, self._object)
        if (text := body.find(f"{odf.OFFICE}text")) is not None:
            blocks = list(reader.blocks(text))
            title = reader.title or self._stated_title()
            return ParsedDocument(title, (*blocks, *self._sides(blocks)), media_type)
        if (book := body.find(f"{odf.OFFICE}spreadsheet")) is not None:
            # A chart on a sheet repeats its figures.
            sheets = Sheets(Reader(styles, lambda _: None), limits)
            blocks = list(sheets.blocks(book))
            told = warnings(sheets.wide, sheets.hidden)
            return ParsedDocument(self._stated_title(), tuple(blocks), media_type, warnings=told)
        if (show := body.find(f"{odf.OFFICE}presentation")) is not None:
            blocks = list(slides(reader, show))
            first = next((block.text for block in blocks if block.kind == HEADING), "")
            pages = len(show.findall(f"{odf.DRAW}page"))
            return ParsedDocument(self._stated_title() or first, tuple(blocks), media_type, pages)
        raise DocumentUnsupported("Such OpenDocument files are not read. Save it as PDF and try again.")

    def _styles(self, automatic: etree._Element) -> Styles:
        """Those of the content and those of page headers have names of their own."""
        common = self.styles.find(_STYLES) if self.styles is not None else None
        own = automatic.find(_AUTOMATIC)
        return styles_of(container for container in (common, own) if container is not None)

    def _sides(self, blocks: list[Block]) -> list[Block]:
        """The headers and footers of the pages, at the end."""
        masters = self.styles.find(f"{odf.OFFICE}master-styles") if self.styles is not None else None
        if self.styles is None or masters is None:
            return []
        seen = {block.text for block in blocks}
        found: list[Block] = []
        for block in Reader(self._styles(self.styles), self._object).aside(masters):
            if block.text not in seen and any(char.isalpha() for char in block.text):
                seen.add(block.text)
                found.append(block)
        return found

    def _stated_title(self) -> str:
        found = next(self.meta.iter(f"{odf.DC}title"), None) if self.meta is not None else None
        return one_line(found.text or "") if found is not None else ""

    def _object(self, element: etree._Element) -> etree._Element | None:
        """What an embedded object holds: it stands in the element itself, or in a part of its own."""
        stated = element.get(f"{odf.XLINK}href", "")
        if not stated:
            return element[0] if len(element) else None
        place = posixpath.normpath(stated).lstrip("/")
        name = f"{place}/content.xml"
        if self.archive is None or name not in self.archive.names:
            return None
        try:
            return parse_xml(self.archive.read(name))
        except DocumentDamaged:  # the text beside it is still to be had
            return None

"""What a file is, told by its first bytes and, for zip files, by its members."""

import re
from enum import Enum

from retrieval.errors import DocumentEncrypted, DocumentUnsupported
from retrieval.ingestion.blocks import Limits
from retrieval.ingestion.parsing.archive import Archive, is_zipped
from retrieval.ingestion.parsing.openxml import document_of

_OPENXML = "application/vnd.openxmlformats-officedocument."
_OPENDOCUMENT = "application/vnd.oasis.opendocument."


class Kind(Enum):
    PDF = "application/pdf"
    DOCX = _OPENXML + "wordprocessingml.document"
    PPTX = _OPENXML + "presentationml.presentation"
    XLSX = _OPENXML + "spreadsheetml.sheet"
    ODT = _OPENDOCUMENT + "text"
    ODS = _OPENDOCUMENT + "spreadsheet"
    ODP = _OPENDOCUMENT + "presentation"
    EPUB = "application/epub+zip"
    TEXT = "text/plain"


_MEMBERS = {
    "word/document.xml": Kind.DOCX,
    "ppt/presentation.xml": Kind.PPTX,
    "xl/workbook.xml": Kind.XLSX,
    "META-INF/container.xml": Kind.EPUB,
}
_FOLDERS = {"word": Kind.DOCX, "ppt": Kind.PPTX, "xl": Kind.XLSX}
# Zip files that are no archives to those who have them, by a member of theirs.
_OTHERS = {
    "xl/workbook.bin": "This is a binary Excel workbook (.xlsb). Save it as .xlsx and try again.",
    "visio/document.xml": "This is a Visio drawing. Save it as PDF and try again.",
    "Index/Document.iwa": "This is a Pages, Numbers or Keynote file. Export it to PDF and try again.",
    "Index.zip": "This is a Pages, Numbers or Keynote file. Export it to PDF and try again.",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Streams of the old Office format, by which its files tell themselves apart.
_STREAMS = (
    ("__substg1.0", "This is an Outlook message (.msg). Save it as PDF, HTML or text and try again."),
    ("WordDocument", "This is an old Word document (.doc). Save it as .docx or PDF and try again."),
    ("PowerPoint Document", "This is an old PowerPoint file (.ppt). Save it as .pptx or PDF and try again."),
    ("Workbook", "This is an old Excel workbook (.xls). Save it as .xlsx and try again."),
    ("Book", "This is an old Excel workbook (.xls). Save it as .xlsx and try again."),
)
_REFUSED = (
    (b"{\\rtf", "RTF is not read. Save it as .docx or PDF and try again."),
    (b"\x89PNG", "This is a picture. Run it through text recognition (OCR) first."),
    (b"\xff\xd8\xff", "This is a picture. Run it through text recognition (OCR) first."),
    (b"GIF8", "This is a picture. Run it through text recognition (OCR) first."),
    (b"II*\x00", "This is a picture. Run it through text recognition (OCR) first."),
    (b"MM\x00*", "This is a picture. Run it through text recognition (OCR) first."),
    (b"\x1f\x8b", "Archives are not read. Unpack it and add the files in it."),
    (b"7z\xbc\xaf\x27\x1c", "Archives are not read. Unpack it and add the files in it."),
    (b"Rar!", "Archives are not read. Unpack it and add the files in it."),
    (b"\x7fELF", "This is a program, not a document."),
    (b"MZ", "This is a program, not a document."),
)
_HTML_NAMES = {".html", ".htm", ".xhtml", ".shtml", ".php", ".asp", ".aspx", ".jsp"}
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
# Comments are taken at once (?>: tried in all their divisions, thirty of them take minutes.
_HTML = re.compile(
    r"\s*(?>(?:<!--.*?-->\s*)*)<(?:\?xml|!doctype\s+html|html|head|body|article|main)\b",
    re.IGNORECASE | re.DOTALL,
)
_PARTS = re.compile(r"</(?:p|div|table|ul|ol|h[1-6]|span|td)>", re.IGNORECASE)
_HEADERS = re.compile(r"(?:From .*\n)?(?:[A-Za-z][A-Za-z0-9-]*:.*\n(?:[ \t].*\n)*)+")
_SENT = re.compile(r"^(?:MIME-Version|Message-ID|Received):", re.IGNORECASE | re.MULTILINE)

_SAVED = re.compile(r"^(?:Snapshot-Content-Location:|From: <Saved by)", re.IGNORECASE | re.MULTILINE)


def detect(data: bytes, limits: Limits) -> Kind:
    """Raises DocumentUnsupported for what is known and not read, DocumentEncrypted and DocumentDamaged."""
    if b"%PDF-" in data[:1024]:
        return Kind.PDF
    if is_zipped(data):
        return _zipped(Archive(data, limits))
    if data.startswith(_OLE):
        raise _old_office(data)
    for magic, reason in _REFUSED:
        if data.startswith(magic) and not (magic == b"MZ" and data.isascii()):
            raise DocumentUnsupported(reason)
    return Kind.TEXT


def is_html(beginning: str, suffix: str) -> bool:
    """Whether a text that begins so is a page, or a part of one. A tag in the midst does not make it one: the text may
    be about tags."""
    if suffix in _HTML_NAMES:
        return bool(_TAG.search(beginning))
    begins = beginning.lstrip("\ufeff \t\r\n").startswith("<")
    return begins and bool(_HTML.match(beginning) or len(_PARTS.findall(beginning)) >= 2)


def refuse_mail(beginning: str) -> None:
    """Raises DocumentUnsupported for a message as it was sent: most of it may be files in Base64."""
    headers = _HEADERS.match(beginning.replace("\r\n", "\n"))
    if headers and _SENT.search(headers[0]):
        if _SAVED.search(headers[0]):
            raise DocumentUnsupported(
                "This is a web page in one file (.mht). Save it as HTML or PDF and try again."
            )
        raise DocumentUnsupported("This is an e-mail. Save it as PDF, HTML or text and try again.")


def _zipped(archive: Archive) -> Kind:
    if "mimetype" in archive.names:
        stated = archive.read("mimetype").decode("ascii", errors="replace").strip()
        for kind in (Kind.ODT, Kind.ODS, Kind.ODP, Kind.EPUB):
            if stated in {kind.value, f"{kind.value}-template"}:
                return kind
        if stated.startswith(_OPENDOCUMENT):  # a drawing, a formula, a database
            raise DocumentUnsupported("Such OpenDocument files are not read. Save it as PDF and try again.")
    for member, kind in _MEMBERS.items():
        if member in archive.names:
            return kind
    for member, reason in _OTHERS.items():
        if member in archive.names:
            raise DocumentUnsupported(reason)
    folder = document_of(archive).partition("/")[0]
    if folder in _FOLDERS:
        return _FOLDERS[folder]
    raise DocumentUnsupported("Archives are not read. Unpack it and add the files in it.")


def _old_office(data: bytes) -> DocumentEncrypted | DocumentUnsupported:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return DocumentEncrypted("The file is protected by a password. Save it without one and try again.")
    for stream, reason in _STREAMS:
        if stream.encode("utf-16-le") in data:
            return DocumentUnsupported(reason)
    return DocumentUnsupported("This is an old Office file. Save it in a current format and try again.")

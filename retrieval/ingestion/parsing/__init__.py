"""Bytes -> ParsedDocument, by what the bytes are and not by what the file is called. Pure, and free of
Django.

The name decides among kinds of text only: whether a text is Markdown, a table or plain prose cannot always
be seen."""

import re
from pathlib import PurePath

from retrieval.errors import DocumentDamaged, DocumentEmpty, DocumentError, DocumentTooLarge, ParserLimit
from retrieval.ingestion.blocks import Limits, ParsedDocument, megabytes, one_line
from retrieval.ingestion.parsing.archive import is_zipped, straightened
from retrieval.ingestion.parsing.detection import Kind, detect, is_html, refuse_mail
from retrieval.ingestion.parsing.docx import parse_docx
from retrieval.ingestion.parsing.encodings import decode
from retrieval.ingestion.parsing.epub import parse_epub
from retrieval.ingestion.parsing.html import parse_html
from retrieval.ingestion.parsing.markdown import parse_markdown
from retrieval.ingestion.parsing.opendocument import parse_opendocument
from retrieval.ingestion.parsing.pdf import parse_pdf
from retrieval.ingestion.parsing.pptx import parse_pptx
from retrieval.ingestion.parsing.records import is_xml, parse_records
from retrieval.ingestion.parsing.text import csv_delimiter, parse_csv, parse_text
from retrieval.ingestion.parsing.xlsx import parse_xlsx

DEFAULTS = Limits()

_MARKS = re.compile(r"^(?:#{1,6} \S|```|\* \S|- \S|\d\. \S|> \S|\|.*\|$|\S.*\]\(\S+\))", re.MULTILINE)
# Lists and quotes alone are marks of any plain text, whose indented lines are no code.
_MARKDOWN = re.compile(r"^(?:#{1,6} \S|```|\|.*\|$|\S.*\]\(\S+\))", re.MULTILINE)
_COMMENTS = re.compile(r"^# .*\n# ", re.MULTILINE)  # of a script or a setting, and no headings
_TABLE_NAMES = {".csv", ".tsv", ".tab"}
_MARKDOWN_NAMES = {".md", ".markdown", ".mdx", ".erb", ".mdown", ".qmd"}


def parse(data: bytes, name: str, limits: Limits = DEFAULTS) -> ParsedDocument:
    """The document's text. Raises DocumentError, with a reason that an administrator understands."""
    if len(data) > limits.file_bytes:
        size, most = megabytes(len(data)), megabytes(limits.file_bytes)
        raise DocumentTooLarge(f"The file has {size}, over the limit of {most}.")
    if not data.strip(b"\x00 \t\r\n"):
        raise DocumentEmpty("The file is empty.")
    try:
        document = _parse(data, name, limits)
    except DocumentError:
        raise
    except MemoryError as error:
        raise ParserLimit("Reading the file takes too much memory. Divide it and try again.") from error
    except RecursionError as error:
        raise DocumentDamaged("The file is nested too deeply to be read.") from error
    except Exception as error:
        raise DocumentDamaged(
            f"The file is damaged or not what it seems ({type(error).__name__})."
        ) from error
    return _checked(document, limits)


def _parse(data: bytes, name: str, limits: Limits) -> ParsedDocument:
    if is_zipped(data):
        data = straightened(data, limits)
    kind = detect(data, limits)
    match kind:
        case Kind.PDF:
            return parse_pdf(data, limits)
        case Kind.DOCX:
            return parse_docx(data, limits)
        case Kind.PPTX:
            return parse_pptx(data, limits)
        case Kind.XLSX:
            return parse_xlsx(data, limits)
        case Kind.EPUB:
            return parse_epub(data, limits)
        case Kind.ODT | Kind.ODS | Kind.ODP:
            return parse_opendocument(data, kind.value, limits)
        case _:
            return _parse_text(decode(data), PurePath(name).suffix.lower(), limits)


def _parse_text(text: str, suffix: str, limits: Limits) -> ParsedDocument:
    if len(text) > limits.characters:
        raise DocumentTooLarge(f"The file has more than {limits.characters:,} characters of text.")
    beginning = text[:4096]
    if suffix in _MARKDOWN_NAMES:
        return parse_markdown(text)
    if is_xml(beginning):
        return parse_records(text, limits)
    if is_html(beginning, suffix):
        return parse_html(text)
    refuse_mail(beginning)
    named = suffix in _TABLE_NAMES
    if (named or suffix in {"", ".txt"}) and (delimiter := csv_delimiter(text, named=named)):
        return parse_csv(text, delimiter, limits)
    if suffix not in {".csv", ".tsv", ".log"} and _is_markdown(beginning):
        return parse_markdown(text)
    return parse_text(text)


def _is_markdown(beginning: str) -> bool:
    beginning = beginning.replace("\r\n", "\n")
    if len(_MARKS.findall(beginning)) < 3 or not _MARKDOWN.search(beginning):
        return False
    return not _COMMENTS.search(beginning)


def _checked(document: ParsedDocument, limits: Limits) -> ParsedDocument:
    characters = sum(len(block.text) for block in document.blocks)
    if characters > limits.characters:
        raise DocumentTooLarge(f"The document has more than {limits.characters:,} characters of text.")
    if not any(char.isalnum() for block in document.blocks for char in block.text):
        raise DocumentEmpty("No text was found in the file.")
    return ParsedDocument(
        one_line(document.title)[:400],
        tuple(block for block in document.blocks if block.text.strip()),
        document.media_type,
        document.pages,
        document.warnings,
    )

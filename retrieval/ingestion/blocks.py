"""What a parser makes of a file: a title and blocks of text in reading order. Pure, and free of Django, for
the parser's child process imports this."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.ingestion.headers import joined

HEADING, TEXT, ITEM, TABLE, CODE = "heading", "text", "item", "table", "code"

# Control characters other than tab and newline, soft hyphens (which part words that are shown whole), marks that change
# the direction of what follows (they hide text from a reader), zero-width spaces, the byte order mark, lone surrogates
# and the characters that are none.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_TERMINAL = re.compile("\x1b\\[[0-9;]*[A-Za-z]")
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[^\\S\n]+")
_MANY_BREAKS = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What parsing one file may cost. Bytes, seconds and counts."""

    file_bytes: int = 50 * 2**20
    unpacked_bytes: int = 100 * 2**20
    memory_bytes: int = 1024 * 2**20
    cpu_seconds: int = 60
    wall_seconds: float = 90.0
    characters: int = 20_000_000
    rows: int = 200_000
    pages: int = 20_000
    ocr_seconds: float = 60.0
    ocr_languages: str = ""


def megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB" if size >= 10 * 2**20 else f"{size / 2**20:,.1f} MB"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, table or piece of code. `level` is a heading's depth or an item's
    nesting, from 1; `header` is the number of a table's first lines that its parts repeat; `page` is from
    1."""

    kind: str
    text: str
    page: int | None = None
    level: int = 0
    header: int = 0


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """`title` is empty where the file names none; `pages` is 0 for what has no pages."""

    title: str
    blocks: tuple[Block, ...]
    media_type: str
    pages: int = 0
    warnings: tuple[str, ...] = ()


def clean(text: str) -> str:
    """NFC, line ends as newlines, no control or direction characters; spaces stay as they are."""
    return unicodedata.normalize("NFC", _UNWANTED.sub("", _TERMINAL.sub("", _BREAKS.sub("\n", text))))


def tidy(text: str) -> str:
    """A paragraph: clean, runs of spaces are one, no spaces around line ends."""
    lines = (_SPACES.sub(" ", line).strip() for line in clean(text).split("\n"))
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def table_block(rows: Sequence[Sequence[str]], page: int | None = None) -> Block | None:
    """A Markdown table whose first row, or first two, are the header. None when it has no text."""
    cells = [[one_line(cell).replace("|", "\\|") for cell in row] for row in rows]
    cells = joined([row for row in cells if any(row)])
    width = max((_filled(row) for row in cells), default=0)
    if not width:
        return None
    lines = ["| " + " | ".join(row[:width] + [""] * (width - len(row))) + " |" for row in cells]
    lines.insert(1, "|" + " --- |" * width)
    return Block(TABLE, "\n".join(lines), page, header=2)


def _filled(row: Sequence[str]) -> int:
    """The row's width without the empty cells at its end."""
    return max((place for place, cell in enumerate(row, 1) if cell), default=0)

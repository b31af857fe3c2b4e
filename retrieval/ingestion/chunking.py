"""Blocks -> chunks, pure and deterministic.

Text is packed under its heading up to about `target` tokens. Chunks do not overlap; a table repeats its
header in each of its parts; what is left over and tiny joins a neighbour under the same heading."""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT, Block, ParsedDocument

SEPARATOR = " › "
FENCE = "```"

# A token per eight Latin letters or three digits; any other letter and every sign is one.
_TOKENS = re.compile(r"[A-Za-z]{1,8}|[0-9]{1,3}|[^\W\d_A-Za-z]|_|[^\w\s]|\d")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"”»)\]])\s+|\n+|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class Sizes:
    """In tokens: what a chunk aims at, may reach, and is too small to stand alone."""

    target: int = 220
    most: int = 380
    small: int = 60


DEFAULTS = Sizes()


@dataclass(frozen=True, slots=True)
class Chunk:
    """`heading` is a path such as `A › B`; `page` is that of its first line, from 1."""

    ordinal: int
    heading: str
    page: int | None
    text: str

    @property
    def content_hash(self) -> str:
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that is not divided further, and the headings above it."""

    path: tuple[str, ...]
    page: int | None
    text: str
    tokens: int
    kind: str


def indexed_text(title: str, heading: str, text: str) -> str:
    """What is indexed and embedded of a chunk: its title and headings stand in front of it."""
    front = SEPARATOR.join(part for part in (title.strip(), heading.strip()) if part)
    return f"{front}\n{text}" if front else text


def count_tokens(text: str) -> int:
    """About how many tokens an embedding model makes of the text."""
    return len(_TOKENS.findall(text))


def chunk(document: ParsedDocument, sizes: Sizes = DEFAULTS) -> list[Chunk]:
    """The chunks of a document, in order; none when it has no text."""
    sections = (
        _pack(list(pieces), sizes) for _, pieces in groupby(_pieces(document, sizes), lambda p: p.path)
    )
    packed = [group for section in sections for group in section]
    # A document that is its title alone is found by that.
    alone = [[_Piece((), one.page, one.text, count_tokens(one.text), TEXT)] for one in document.blocks[:1]]
    merged = _join_small(packed, sizes) or alone
    return [
        Chunk(ordinal, SEPARATOR.join(_shared(group)), group[0].page, _render(group))
        for ordinal, group in enumerate(merged)
    ]


def _pieces(document: ParsedDocument, sizes: Sizes) -> Iterator[_Piece]:
    path: list[tuple[int, str]] = []
    unused: _Piece | None = None
    for block in document.blocks:
        if block.kind == HEADING:
            if unused and block.level <= path[-1][0]:
                yield unused
            unused = None
            while path and path[-1][0] >= block.level:
                path.pop()
            if block.text.casefold() == document.title.casefold() and not path:
                continue
            # A heading with nothing under it is kept as text, for else it would be lost.
            parents = tuple(text for _, text in path)
            unused = _Piece(parents, block.page, block.text, count_tokens(block.text), TEXT)
            path.append((block.level, block.text))
        else:
            unused = None
            titles = tuple(text for _, text in path)
            for text, tokens in _divide(block, sizes):
                yield _Piece(titles, block.page, text, tokens, block.kind)
    if unused:
        yield unused


def _divide(block: Block, sizes: Sizes) -> list[tuple[str, int]]:
    """The block's text in parts of at most `sizes.most` tokens, and how many each has."""
    tokens, fences = count_tokens(block.text), 2 * len(FENCE)
    if tokens <= sizes.most - fences:
        return [(_fenced(block.text), tokens + fences)] if block.kind == CODE else [(block.text, tokens)]
    return [(text, count_tokens(text)) for text in _divide_long(block, sizes)]


def _divide_long(block: Block, sizes: Sizes) -> list[str]:
    if block.kind == TABLE:
        return _divide_table(block, sizes)
    if block.kind == CODE:
        lines = block.text.split("\n")
        return [_fenced(part) for part in _fill(lines, "\n", sizes.target)]
    return _fill(_sentences(block.text), " ", sizes.target)


def _divide_table(block: Block, sizes: Sizes) -> list[str]:
    lines = block.text.split("\n")
    header, rows = "\n".join(lines[: block.header]), lines[block.header :]
    room = sizes.target - count_tokens(header)
    if room < sizes.small:
        # A header this wide cannot be repeated: it is then text like the rows.
        return _fill(lines, "\n", sizes.target)
    return [f"{header}\n{part}" if header else part for part in _fill(rows, "\n", room)]


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCES.split(text) if part and part.strip()]


def _fill(parts: Iterable[str], joint: str, room: int) -> list[str]:
    """Joins parts up to `room` tokens; a longer part is cut, between words where it can be."""
    filled: list[str] = []
    held: list[str] = []
    tokens = 0
    for part in parts:
        for bit in [part] if count_tokens(part) <= room else _cut(part, room):
            cost = count_tokens(bit)
            if held and tokens + cost > room:
                filled.append(joint.join(held))
                held, tokens = [], 0
            held.append(bit)
            tokens += cost
    if held:
        filled.append(joint.join(held))
    return [part for part in filled if part.strip()]


def _cut(text: str, room: int) -> list[str]:
    starts = [match.start() for match in _TOKENS.finditer(text)]
    parts: list[str] = []
    begin = 0
    while begin + room < len(starts):
        end = begin + room
        space = text.rfind(" ", starts[begin] + 1, starts[end])
        if starts[end] - space < 80:
            end = bisect_left(starts, space)
        parts.append(text[starts[begin] : starts[end]].strip())
        begin = end
    return [*parts, text[starts[begin] :].strip()]


def _fenced(code: str) -> str:
    return f"{FENCE}\n{code}\n{FENCE}"


def _pack(pieces: list[_Piece], sizes: Sizes) -> list[list[_Piece]]:
    """One section's pieces in groups of about `sizes.target` tokens; a page ends a group that is large
    enough."""
    groups: list[list[_Piece]] = []
    held: list[_Piece] = []
    for piece in pieces:
        tokens = _tokens(held)
        new_page = bool(held) and piece.page != held[-1].page and tokens >= sizes.small
        if held and (tokens + piece.tokens > sizes.target or new_page):
            kept = [] if new_page else _introduction(held, sizes.most - piece.tokens)
            groups.append(held[: len(held) - len(kept)])
            held = kept
        held.append(piece)
    if held:
        groups.append(held)
    return groups


def _introduction(held: list[_Piece], room: int) -> list[_Piece]:
    """The last line when it announces what follows ("The following are covered:"): it goes with that."""
    last = held[-1]
    return [last] if len(held) > 1 and last.tokens < min(40, room) and last.text.endswith(":") else []


def _join_small(groups: list[list[_Piece]], sizes: Sizes) -> list[list[_Piece]]:
    """Joins what is too small to stand alone with a neighbour under the same parent."""
    joined: list[list[_Piece]] = []
    for group in groups:
        if joined and _belong_together(joined[-1], group, sizes):
            joined[-1] = joined[-1] + group
        else:
            joined.append(group)
    return joined


def _belong_together(before: list[_Piece], after: list[_Piece], sizes: Sizes) -> bool:
    if min(_tokens(before), _tokens(after)) >= sizes.small:
        return False
    a, b = _shared(before), _shared(after)
    same = a == b
    if before[-1].page != after[0].page and not (same and _tokens(after) < sizes.small // 2):
        return False
    if len(_shared(before + after)) < max(len(a), len(b)) - 1:
        return False
    room = sizes.most if same else sizes.target
    return _tokens(before) + _tokens(after) <= room and count_tokens(_render(before + after)) <= room


def _tokens(group: list[_Piece]) -> int:
    return sum(piece.tokens for piece in group)


def _shared(group: list[_Piece]) -> tuple[str, ...]:
    """The headings that all of the group's pieces stand under."""
    path = group[0].path
    for piece in group[1:]:
        common = 0
        while common < min(len(path), len(piece.path)) and path[common] == piece.path[common]:
            common += 1
        path = path[:common]
    return path


def _render(group: list[_Piece]) -> str:
    """The group's text; headings that not all of it stands under appear where they begin."""
    above = _shared(group)
    lines: list[str] = []
    path, kind = above, ""
    for piece in group:
        if piece.path != path:
            lines.append(SEPARATOR.join(piece.path[len(above) :]))
        elif piece.kind == kind == ITEM:
            lines[-1] = f"{lines[-1]}\n{piece.text}"
            continue
        lines.append(piece.text)
        path, kind = piece.path, piece.kind
    return "\n\n".join(line for line in lines if line)

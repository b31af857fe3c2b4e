"""Markdown: headings, lists, tables and code become blocks; the marks of links and emphasis go."""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.ingestion.blocks import (
    CODE,
    HEADING,
    ITEM,
    TEXT,
    Block,
    ParsedDocument,
    clean,
    one_line,
    table_block,
    tidy,
)
from retrieval.ingestion.parsing.html_converter import as_commonmark

HEADING_MOST = 200
"""Characters. A longer heading is a paragraph in disguise."""

_FRONT = re.compile(r"\A---[^\S\n]*\n(.*?)\n(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[^\S\n]*(.+)$", re.MULTILINE | re.IGNORECASE)
# Comments and a template's tags begin so, unless they are code (the first group), where they are what is written about.
_UNSEEN = re.compile(
    r"(^[ \t>]*(?P<fence>`{3,}|~{3,})[^`\n]*$.*?(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(?P<ticks>`++)[^`\n]+(?P=ticks)(?!`))"
    r"|<!--|<%|\{%",
    re.DOTALL | re.MULTILINE,
)
_ENDS = {"<!--": "-->", "<%": "%>", "{%": "%}"}
_PARSER = MarkdownIt("commonmark").enable("table")
_PARSER.normalizeLink = str  # type: ignore[assignment, method-assign]  # addresses are left out, in whatever spelling


def parse_markdown(text: str, title: str = "", media_type: str = "text/markdown") -> ParsedDocument:
    """The title is that of the front matter, else the first heading of level 1."""
    text = clean(text)
    if front := _FRONT.match(text):
        text = text[front.end() :]
        if named := _FRONT_TITLE.search(front[1]):
            title = title or one_line(named[1]).strip("\"'")
    return parse_commonmark(_seen(text), title, media_type)


def _seen(text: str) -> str:
    """The text without comments and a template's tags. What is never closed is neither, and told by where the last end
    is: to look for an end from each beginning takes minutes where there are thousands."""
    last = {begin: text.rfind(end) for begin, end in _ENDS.items()}
    kept: list[str] = []
    done = place = 0
    while found := _UNSEEN.search(text, place):
        place = found.end()
        if found[1] is None and place <= last[found[0]]:
            kept.append(text[done : found.start()])
            done = place = text.index(_ENDS[found[0]], place) + len(_ENDS[found[0]])
    return "".join(kept) + text[done:]


def parse_commonmark(text: str, title: str = "", media_type: str = "text/markdown") -> ParsedDocument:
    """Without front matter, comments and templates."""
    blocks = _Blocks().of(_PARSER.parse(text))
    title = title or next((block.text for block in blocks if block.kind == HEADING and block.level == 1), "")
    return ParsedDocument(title, tuple(blocks), media_type)


class _Blocks:
    """Walks the tokens once, keeping how deep in lists it is."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.numbers: list[int | None] = []  # of each open list: its next number, or None for bullets
        self.marker = ""  # of the item that has begun and has no text yet

    def of(self, tokens: Sequence[Token]) -> list[Block]:
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if token.type == "heading_open":
                self._heading(int(token.tag[1]), _plain(tokens[place + 1]))
                place += 2
            elif token.type == "table_open":
                end = _closing(tokens, place)
                self._table(tokens[place:end])
                place = end
            else:
                self._one(token)
            place += 1
        return self.blocks

    def _one(self, token: Token) -> None:
        if token.type == "bullet_list_open":
            self.numbers.append(None)
        elif token.type == "ordered_list_open":
            start = token.attrGet("start")
            self.numbers.append(1 if start is None else int(start))
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            self.numbers.pop()
        elif token.type == "list_item_open":
            self._begin_item()
        elif token.type in {"fence", "code_block"}:
            self._add(CODE, token.content.strip("\n"))
        elif token.type == "inline":
            self._add(TEXT, tidy(_plain(token)))
        elif token.type == "html_block":
            self._html(token.content)

    def _begin_item(self) -> None:
        number = self.numbers[-1]
        self.marker = "- " if number is None else f"{number}. "
        if number is not None:
            self.numbers[-1] = number + 1

    def _add(self, kind: str, text: str) -> None:
        if not text.strip():
            return
        if self.numbers and kind == TEXT:
            indent = "  " * (len(self.numbers) - 1)
            self.blocks.append(Block(ITEM, f"{indent}{self.marker or '  '}{text}", level=len(self.numbers)))
            self.marker = ""
        else:
            self.blocks.append(Block(kind, text))

    def _html(self, html: str) -> None:
        """Headings, tables and lists that are written as HTML are such."""
        if "<" not in html:
            self._add(TEXT, tidy(html))
            return
        for block in parse_commonmark(as_commonmark(html)[1]).blocks:
            if block.kind == TEXT:
                self._add(TEXT, block.text)
            else:
                self.blocks.append(block)

    def _heading(self, level: int, text: str) -> None:
        text = one_line(text)
        if text and len(text) <= HEADING_MOST and not self.numbers:
            self.blocks.append(Block(HEADING, text, level=level))
        else:
            self._add(TEXT, text)

    def _table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(_plain(token))
        if block := table_block(rows):
            self.blocks.append(block)


def _closing(tokens: Sequence[Token], place: int) -> int:
    level = tokens[place].level
    return next(
        n for n in range(place + 1, len(tokens)) if tokens[n].level == level and tokens[n].nesting == -1
    )


def _plain(token: Token) -> str:
    """An inline token's text without marks. Addresses that links point to are left out; those in the text
    stay."""
    return "".join(_plain_child(child) for child in token.children or ())


def _plain_child(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "image":
        return _plain(token)
    if token.type == "html_inline":
        return "\n" if token.content.lower().startswith("<br") else ""
    return token.content

"""Chunks as safe HTML, for the document page."""

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_TAGS = {
    *("p", "br", "hr", "blockquote", "code", "pre"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"),
}
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True})
    .enable("table")
    # A text that begins with "# " or is underlined is no heading of the page, no picture is fetched, and the signs of
    # `__init__` and `C:\_temp` are the text's own: what was marked in the original came without its marks.
    .disable(
        ["heading", "lheading", "image", "link", "autolink", "reference", "entity", "emphasis", "escape"]
    )
)
_WRAPPED = 60
"""Characters of a line from which on its end is taken for a wrap."""


def _keep_numbers(state: StateCore) -> None:
    """Items keep the numbers that the text has: a passage may begin with the fifth, and "1984. A novel" is no first
    item."""
    for token in state.tokens:
        if token.type == "list_item_open" and token.info:
            token.attrSet("value", token.info)


def _unwrap(state: StateCore) -> None:
    """A line as long as those of a text that was wrapped by hand ends in a space; a short one, as in an address,
    ends where it ends."""
    for block in state.tokens:
        length = 0
        for token in block.children or ():
            if token.type != "softbreak":
                length += len(token.content)
                continue
            if length >= _WRAPPED:
                token.type, token.content = "text", " "
            length = 0


_MARKDOWN.core.ruler.push("keep_numbers", _keep_numbers)
_MARKDOWN.core.ruler.push("unwrap", _unwrap)


def to_html(text: str) -> str:
    """Lists, tables and code as such, everything else as text. No links, pictures or scripts."""
    return nh3.clean(_MARKDOWN.render(text), tags=_TAGS, attributes={"li": {"value"}})

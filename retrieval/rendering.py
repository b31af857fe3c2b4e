"""Chunks as safe HTML, for the document page."""

import nh3
from markdown_it import MarkdownIt

_TAGS = {
    *("p", "br", "hr", "blockquote", "strong", "em", "code", "pre"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"),
}
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True})
    .enable("table")
    # A text that begins with "# " or is underlined is no heading of the page, and no picture is fetched.
    .disable(["heading", "lheading", "image", "link", "autolink", "reference", "entity"])
)


def to_html(text: str) -> str:
    """Lists, tables and code as such, everything else as text. No links, pictures or scripts."""
    return nh3.clean(_MARKDOWN.render(text), tags=_TAGS, attributes={})

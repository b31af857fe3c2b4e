"""HTML: what a reader sees of the page's main part, by way of Markdown."""

import re
import warnings

from bs4 import BeautifulSoup, Comment, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning
from markdownify import MarkdownConverter

from retrieval.ingestion.blocks import ParsedDocument, clean, one_line
from retrieval.ingestion.parsing.grid import align, span
from retrieval.ingestion.parsing.markdown import parse_commonmark

_UNSEEN = [
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "math",
    "canvas",
    "iframe",
    "object",
    "embed",
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "button",
    "select",
    "input",
    "textarea",
    "dialog",
    "menu",
    "head",
]
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CLUTTER = {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar"}
_MAIN_SHARE = 0.4
_LAID_OUT = ["table", "h1", "h2", "h3", "h4", "h5", "h6", "pre"]
_SECTIONS = ["article", "main", "section"]
_BAR = re.compile(r"(?<!\\)((?:\\\\)*)\|")

warnings.filterwarnings("ignore", category=MarkupResemblesLocatorWarning)
warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)


class _Converter(MarkdownConverter):
    """Markdown with `#` headings; links and pictures leave their text alone."""

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return str(el.get("alt") or "")

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        shown = _BAR.sub(r"\1\\|", " ".join(text.split()))  # bars in code, where nothing is escaped
        return f" {shown}" + " |" * span(el, "colspan")

    convert_th = convert_td

    def convert_ol(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Lists that follow each other stay apart, else the second goes on with the numbers of the first."""
        converted: str = super().convert_ol(el, text, parent_tags)  # type: ignore[misc]
        after = el.find_next_sibling()
        if after is None or after.name not in {"ol", "ul"} or "li" in parent_tags:
            return converted
        return f"{converted}\n\n<!-- -->\n\n"

    convert_ul = convert_ol


def parse_html(text: str, media_type: str = "text/html") -> ParsedDocument:
    soup = BeautifulSoup(text, "lxml")
    title = one_line(soup.title.get_text()) if soup.title else ""
    body = soup.body or soup
    _strip(body)
    main = _main(body)
    # Escaped, so that what a reader sees as `<main>`, `# 1` or `a | b` is not taken for a mark.
    converter = _Converter(heading_style="ATX", bullets="-", strip=["img"], escape_misc=True)
    return parse_commonmark(clean(converter.convert_soup(main)), title, media_type)


def _strip(body: Tag) -> None:
    """Takes out what is no text of the page: scripts, navigation, what is hidden; and the frames of tables that only
    place things."""
    for comment in body.find_all(string=lambda found: isinstance(found, Comment)):
        comment.extract()
    for tag in body.find_all(_UNSEEN):
        if not tag.decomposed and not _holds_all(tag, body):
            tag.decompose()
    for tag in body.find_all(True):
        if tag.decomposed:
            continue
        style = str(tag.get("style") or "")
        hidden = tag.has_attr("hidden") or _HIDDEN.search(style) or tag.get("role") in _CLUTTER
        if hidden and not _holds_all(tag, body):
            tag.decompose()
    for foot in body.find_all("tfoot"):
        foot.name = "tbody"  # else its first row is taken for another header
    for table in body.find_all("table"):
        if table.find(_LAID_OUT):
            _unframe(table)
        else:
            align(table)


def _unframe(table: Tag) -> None:
    """A table that holds tables or headings is a layout, and its cells are parts of the page."""
    parts = table.find_all(["thead", "tbody", "tfoot", "tr", "td", "th", "caption"])
    for tag in [part for part in parts if part.find_parent("table") is table]:
        tag.name = "div"
    table.name = "div"


def _holds_all(tag: Tag, body: Tag) -> bool:
    """Some pages put everything in one <form>: what holds a heading of the page and most of its text
    stays. So does the header of an article, which is no banner of the page."""
    if tag.name == "header" and tag.find_parent(_SECTIONS):
        return True
    if tag.name not in {"form", "header", "aside"}:
        return False
    return len(tag.get_text()) > 0.7 * len(body.get_text())


def _main(body: Tag) -> Tag:
    """The page's main part where it marks one that holds enough of the text, else all of it."""
    whole = len(body.get_text(" ", strip=True))
    for name in ("main", "article"):
        found = body.find_all(name)
        if len(found) == 1 and len(found[0].get_text(" ", strip=True)) >= _MAIN_SHARE * whole:
            return found[0]
    return body

"""What a reader sees of an HTML page: its main part without scripts, navigation, forms and hidden text."""

import re
import warnings

from bs4 import BeautifulSoup, Comment, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning

from retrieval.ingestion.parsing.grid import align, straighten

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
_CLUTTER = {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "dialog"}
# The classes that generators of manuals give to the bars of links above and below a page.
_BARS = {
    "nav",
    "navbar",
    "navheader",
    "navfooter",
    "navigation",
    "nav-panel",
    "navpath",
    "breadcrumbs",
    "footer",
}
_CONTENTS = re.compile(r"MsoToc\d$")  # of lines that Word writes for the table of contents
_WAYS = {"prev", "previous", "next", "up", "home", "start", "top", "contents", "index"}
_KEYS = set("pnuh")  # of links to the page before, after and above this one, and to the first
_MOST_OF_A_BAR = 0.3
_PERMALINKS = {"¶", "§", "#", "🔗", "\uf0c1"}
_MAIN_SHARE = 0.4
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_LAID_OUT = ["table", "pre", *_HEADINGS]
_SECTIONS = ["article", "main", "section"]
_PARTS = ["p", "ul", "ol", "dl", "div"]

warnings.filterwarnings("ignore", category=MarkupResemblesLocatorWarning)
warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)


def seen(soup: BeautifulSoup) -> Tag:
    body = soup.body or soup
    _strip(body)
    return _main(body)


def _strip(body: Tag) -> None:
    """Takes out what is no text of the page: scripts, navigation, what is hidden; and the frames of tables that only
    place things."""
    for comment in body.find_all(string=lambda found: isinstance(found, Comment)):
        comment.extract()
    for line in body.find_all("p", class_=_CONTENTS):
        line.extract()
    for tag in body.find_all(_UNSEEN):
        if not _holds_all(tag, body):
            tag.extract()
    for tag in body.find_all(True):
        style = str(tag.get("style") or "")
        hidden = tag.has_attr("hidden") or _HIDDEN.search(style) or tag.get("role") in _CLUTTER
        if hidden and not _holds_all(tag, body):
            tag.extract()
    _strip_bars(body)
    for table in body.find_all("table"):
        if _is_layout(table):
            _unframe(table)
        else:
            straighten(table)
            align(table)


def _strip_bars(body: Tag) -> None:
    """Takes out the marks beside headings that link to themselves, and the bars that link to the pages around."""
    most = _MOST_OF_A_BAR * len(body.get_text())
    for tag in body.find_all(["div", "p", "ul", "ol", "table", "a"]):
        if tag.name != "a":
            bar = tag if _BARS.intersection(map(str, tag.get_attribute_list("class"))) else None
        elif str(tag.get("href")).startswith("#") and tag.get_text().strip() in _PERMALINKS:
            tag.extract()
            continue
        else:
            bar = tag.find_parent(["table", "div", "p", "ul"]) if _leads_on(tag) else None
            bar = bar if bar and all(map(_leads_on, bar.find_all("a", href=True))) else None
        if bar and len(bar.get_text()) < most and not bar.find(_HEADINGS):
            bar.extract()


def _leads_on(link: Tag) -> bool:
    """Whether the link says of itself that it leads to the page before, after or above this one."""
    keys, ways = (map(str, link.get_attribute_list(name)) for name in ("accesskey", "rel"))
    return not _KEYS.isdisjoint(keys) or any(way.lower() in _WAYS for way in ways)


def _is_layout(table: Tag) -> bool:
    """Whether a table only places things: it holds tables or headings, or has but one column, or one row of
    paragraphs."""
    if table.find(_LAID_OUT):
        return True
    rows = [row.find_all(["td", "th"], recursive=False) for row in table.find_all("tr")]
    if max(map(len, rows), default=0) < 2 and (len(rows) < 3 or not table.find("th")):
        return True
    return len(rows) == 1 and any(len(cell.find_all(_PARTS)) > 1 for cell in rows[0])


def _unframe(table: Tag) -> None:
    """The cells of a layout are parts of the page."""
    parts = table.find_all(["thead", "tbody", "tfoot", "tr", "td", "th", "caption"])
    for tag in [part for part in parts if part.find_parent("table") is table]:
        tag.name = "div"
    table.name = "div"


def _holds_all(tag: Tag, body: Tag) -> bool:
    """Some pages put everything in one <form>: what holds a heading of the page and most of its text
    stays. So does the header of an article, which is no banner of the page, and what stands aside in it: notes."""
    if tag.name == "header" and tag.find_parent(_SECTIONS):
        return True
    if tag.name == "aside" and tag.find_parent(_SECTIONS) and not _is_of_links(tag):
        return True
    if tag.name not in {"form", "header", "aside"}:
        return False
    return len(tag.get_text()) > 0.7 * len(body.get_text())


def _is_of_links(tag: Tag) -> bool:
    return 2 * sum(len(link.get_text()) for link in tag.find_all("a")) > len(tag.get_text())


def _main(body: Tag) -> Tag:
    """The page's main part where it marks one that holds enough of the text, else all of it."""
    whole = len(body.get_text(" ", strip=True))
    for name in ("main", "article"):
        found = body.find_all(name)
        if len(found) == 1 and len(found[0].get_text(" ", strip=True)) >= _MAIN_SHARE * whole:
            return found[0]
    return body

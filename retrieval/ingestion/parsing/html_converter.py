"""HTML -> CommonMark, which the Markdown parser then makes blocks of."""

import re

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from retrieval.ingestion.blocks import clean, one_line
from retrieval.ingestion.parsing.grid import span
from retrieval.ingestion.parsing.page import seen

_BAR = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_FENCES = re.compile("`{3,}")
_BLOCK = re.compile(r"```|[-*+#|] |\d+[.)] |\n")  # what cannot stand behind a colon


class _Converter(MarkdownConverter):
    """Markdown with `#` headings; links, pictures and emphasis leave their text alone. (Of emphasis that ends within a
    word the marks would be read as text.)"""

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return text

    convert_b = convert_strong = convert_i = convert_em = convert_a
    convert_del = convert_s = convert_a

    def convert_center(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A block, whose words must not run into those of the next."""
        converted: str = super().convert_div(el, text, parent_tags)  # type: ignore[misc]
        return converted

    convert_main = convert_header = convert_footer = convert_aside = convert_center
    convert_address = convert_fieldset = convert_figure = convert_summary = convert_details = convert_center

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "pre" in parent_tags:
            return "\n"
        converted: str = super().convert_br(el, text, parent_tags)  # type: ignore[misc]
        return converted

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Its fence is longer than those that it shows."""
        fence = "`" + max([*_FENCES.findall(text), "``"], key=len)
        code = text.rstrip().lstrip("\n")
        return f"\n\n{fence}\n{code}\n{fence}\n\n" if code else ""

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """The term of a definition, or the next of its terms."""
        converted: str = super().convert_dt(el, text, parent_tags)  # type: ignore[misc]
        before = el.find_previous_sibling(["dt", "dd"])
        return converted.lstrip("\n") if before is not None and before.name == "dt" else converted

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """What defines a term, below it. Its parts are those of the page: they are not indented, else they are code."""
        text = text.strip()
        if "_inline" in parent_tags:
            return f" {text} "
        mark = "" if _BLOCK.match(text) else ": "
        return f"{mark}{text}\n\n" if text else "\n"

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


def as_commonmark(html: str) -> tuple[str, str]:
    """The title of a page, or of a part of one, and what a reader sees of it."""
    soup = BeautifulSoup(html, "lxml")
    title = one_line(soup.title.get_text()) if soup.title else ""
    # Escaped, so that what a reader sees as `<main>`, `# 1` or `a | b` is not taken for a mark.
    # `wrap` to no width: the ends of the source's lines are no more than spaces.
    converter = _Converter(
        heading_style="ATX", bullets="-", strip=["img"], escape_misc=True, wrap=True, wrap_width=None
    )
    return title, clean(converter.convert_soup(seen(soup)))

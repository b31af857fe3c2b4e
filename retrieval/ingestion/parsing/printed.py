"""Plain text that was set in pages for a printer, with form feeds between them."""

import re
from collections import Counter

_LEAST_PAGES = 4
_OFTEN = 0.4  # of the pages: those of books differ on the left and on the right
_NUMBERS = re.compile(r"\d+|\b[ivxlc]+\b")


def without_running_heads(text: str) -> str:
    """The text without the line at the top and at the foot of most pages, which differs but in its numbers. A paragraph
    that goes on over a page is one."""
    pages = [page.strip("\n").split("\n") for page in text.replace("\r\n", "\n").split("\f") if page.strip()]
    if len(pages) < _LEAST_PAGES:
        return text
    heads, feet = (_frequent([_key(page[place]) for page in pages]) for place in (0, -1))
    kept = ""
    for page in pages:
        begin = _key(page[0]) in heads
        end = len(page) > 1 and _key(page[-1]) in feet
        shown = "\n".join(page[begin : len(page) - end]).strip("\n")
        kept += _joint(kept, shown) + shown
    return kept


def _frequent(keys: list[str]) -> set[str]:
    return {key for key, times in Counter(keys).items() if times > _OFTEN * len(keys)}


def _key(line: str) -> str:
    return " ".join(_NUMBERS.sub("", line).split())


def _joint(before: str, after: str) -> str:
    if not before:
        return ""
    return "\n" if before[-1:].isalnum() and after.lstrip()[:1].islower() else "\n\n"

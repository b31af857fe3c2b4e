"""Headers, footers and page numbers of a PDF, which say nothing on each page."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from retrieval.ingestion.parsing.pdf_line import Line, commonest, rounded, sizes_of

_EDGE = 3  # lines at a page's top and bottom among which repeated headers and footers are looked for
_NUMBER = re.compile(r"^\s*\d{1,5}\b|\b\d{1,5}\s*$")
_OF_ALL = re.compile(r"\s*(?:/|\bof\b)\s*\d{1,5}\s*$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-–]?\s*\d{1,5}\s*(?:(?:of|/)\s*\d{1,5})?\s*[-–]?$", re.IGNORECASE)


def without_repeats(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """The pages without headers, footers and page numbers: what stands at the edge of most pages, and what stands first
    or last on a few of them with the number of the page. A long table among these stays where it stands first: it
    may say what is said nowhere else, such as what signs mean."""
    full = [lines for lines in pages if lines]
    seen = Counter(key for lines in full for key in {_key(lines[place]) for place in _edges(lines)})
    often = {key for key, times in seen.items() if len(full) >= 4 and times > 0.5 * len(full)}
    often |= _running_heads(full)
    told: set[str] = set()
    return [list(_without(lines, often, told)) for lines in pages]


def _without(lines: list[Line], often: set[str], told: set[str]) -> Iterator[Line]:
    """A page's lines without what is there `often`, but for long tables that are not `told` yet."""
    edges = _edges(lines)
    for place, line in enumerate(lines):
        if not (place in edges and _repeated(line, often)):
            yield line
        elif len(line.rows) > _EDGE and (key := _key(line)) not in told:
            told.add(key)
            yield line


def _running_heads(pages: Sequence[list[Line]]) -> set[str]:
    """The keys of lines at the top or the foot of two pages or more, such as the name of a chapter, that bear the
    number of their page."""
    ahead = _numbered_ahead(pages)
    body = commonest(sizes_of(line for lines in pages for line in lines))
    bearing = (line for lines in pages for line in {lines[0], lines[-1]} if ahead in _ahead(line))
    times = Counter(_key(line) for line in bearing if rounded(line.size) <= body)
    return {key for key, seen in times.items() if seen > 1 and key.strip()}


def _numbered_ahead(pages: Sequence[list[Line]]) -> int | None:
    """By how much the numbers that most pages bear at their top or foot are ahead of the places of the pages."""
    found = Counter(ahead for lines in pages for ahead in _ahead(lines[0]) | _ahead(lines[-1]))
    ahead, times = found.most_common(1)[0] if found else (0, 0)
    return ahead if times >= max(4, 0.5 * len(pages)) else None


def _ahead(line: Line) -> set[int]:
    numbers = _NUMBER.findall(_OF_ALL.sub("", line.text))
    return {int(number) - line.page for number in numbers}


def _edges(lines: list[Line]) -> set[int]:
    """The places of the lines at a page's top and foot; a table is as high as its rows."""
    high = sum(max(1, len(line.rows)) for line in lines)
    edge, count = min(_EDGE, max(1, high // 3)), len(lines)
    return {place for place in range(count) if place < edge or place >= count - edge}


def _key(line: Line) -> str:
    """The line without a page number before or after it; of a table without that number wherever it stands, but with
    all others, in which the pages of a form may differ."""
    if line.rows:
        return re.sub(rf"\b{line.page}\b", "", line.text, count=1)
    return _NUMBER.sub("", _OF_ALL.sub("", line.text))


def _repeated(line: Line, often: set[str]) -> bool:
    return _key(line) in often or bool(_PAGE_NUMBER.match(line.text))

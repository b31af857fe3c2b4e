"""Headers, footers and page numbers of a PDF, which say nothing on each page."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from retrieval.ingestion.parsing.pdf_line import Line, commonest, rounded, sizes_of

_EDGE = 3  # lines at a page's top and bottom among which repeated headers and footers are looked for
_TITLE = 1.2  # times the size of a header: what says the same on a cover
_NUMBER = re.compile(r"^\s*\d{1,5}\b|\b\d{1,5}\s*$")
_OF_ALL = re.compile(r"\s*(?:/|\bof\b)\s*\d{1,5}\s*$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-–]?\s*\d{1,5}\s*(?:(?:of|/)\s*\d{1,5})?\s*[-–]?$", re.IGNORECASE)


def without_repeats(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """The pages without headers, footers and page numbers: what stands at the edge of most pages, and what stands first
    or last on a few of them with the number of the page. What is at the edge of most pages and said nowhere else, such
    as a version, follows once at the end; a long table of that kind, and a title in larger letters, stay where they
    stand first."""
    full = [lines for lines in pages if lines]
    sizes: dict[str, list[float]] = {}
    for lines in full:
        edge = {_key(lines[place]): lines[place].size for place in _edges(lines)}
        for key, size in edge.items():
            sizes.setdefault(key, []).append(size)
    often = {key: min(held) for key, held in sizes.items() if len(full) >= 4 and len(held) > 0.5 * len(full)}
    repeats = _Repeats(often, _running_heads(full) - often.keys())
    if often:
        rest = _letters("\n".join(line.text for lines in full for line in lines if line not in repeats))
        repeats.told = {key for key in often if _letters(key) in rest or key.lower().strip() == "page"}
    kept = [list(repeats.left_out(lines)) for lines in pages]
    return kept + [[line] for line in repeats.untold]


class _Repeats:
    """What is repeated at the edges of pages: the least size of each key that is there `often`, and the keys of running
    heads. `told` are those that have been read, `untold` what is to be read behind all pages."""

    def __init__(self, often: Mapping[str, float], heads: Set[str]) -> None:
        self.often, self.heads = often, heads
        self.told: set[str] = set()
        self.untold: list[Line] = []

    def __contains__(self, line: Line) -> bool:
        """Whether a line at a page's edge is one."""
        key = _key(line)
        larger = line.size > _TITLE * self.often.get(key, line.size)
        return (key in self.often and not larger) or key in self.heads or bool(_PAGE_NUMBER.match(line.text))

    def left_out(self, lines: list[Line]) -> Iterator[Line]:
        """A page's lines without them."""
        edges = _edges(lines)
        for place, line in enumerate(lines):
            if place not in edges or line not in self:
                yield line
            elif (key := _key(line)) in self.often and key not in self.told:
                self.told.add(key)
                if len(line.rows) > _EDGE:
                    yield line
                else:
                    self.untold.append(replace(line, size=0.0, bold=False, level=0))  # no heading


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


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()

"""Two columns of a PDF's page that its writer drew row by row, so that their lines come as one."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from retrieval.ingestion.parsing.pdf_line import HYPHEN, Line

_LEAST = 6  # lines that reach over the gap between the columns
_SAMPLE = 4
_GAP = 0.8  # of the font's size: the space between two words is a third of it
_FULL = 0.85  # of its column's width: what running text fills, and the cells of a table do not
_MOSTLY = 0.6
_SPOKEN = 0.75  # of what stands between spaces is words
_WORDS = 4  # in a line
_AMIDST = 0.3  # of the lines begin amidst a sentence; the cells of a table do not
_SIGNS = ".,;:!?()[]\"'“”‘’«»-\ufffe"
_NEAR = 3.0  # font sizes between two lines of a column, and between its text and what stands above


@dataclass(frozen=True, slots=True)
class Gap:
    """The widest space of a line near a place: from where to where it reaches, and the offset of what follows."""

    left: float
    right: float
    offset: int


FindGap = Callable[[Line, float], Gap | None]
Part = Callable[[Line, int], tuple[Line, Line]]


def in_columns(lines: Sequence[Line], gap_at: FindGap, part: Part) -> list[Line]:
    """The lines as they are, or with those that reach over both columns parted, the left column before the right.
    `gap_at` finds a line's space at a place, and `part` parts it at an offset."""
    middle = _gutter(lines, gap_at)
    if middle is None:
        return list(lines)
    rows = list(_rows(lines, part))
    gaps = [gap_at(row, middle) for row in rows]
    parted = [
        part(row, gap.offset) if gap and _is_wide(gap, row) else None
        for row, gap in zip(rows, gaps, strict=True)
    ]
    halves = [both for both in parted if both]
    if len(halves) < _LEAST or not all(map(_runs, zip(*halves, strict=True))):
        return list(lines)
    return _ordered(rows, parted, middle)


def _rows(lines: Sequence[Line], part: Part) -> Iterator[Line]:
    """The lines, each but one row of the page: one that ends in a hyphen came with the next."""
    for line in lines:
        rest = line
        while HYPHEN in rest.text[:-1]:
            row, rest = part(rest, rest.text.index(HYPHEN) + 1)
            yield row
        yield rest


def _gutter(lines: Sequence[Line], gap_at: FindGap) -> float | None:
    """Where most of the page's long lines have a wide space; None where they have none."""
    if len(lines) < _LEAST:
        return None
    begin, end = min(line.left for line in lines), max(line.right for line in lines)
    middle, reach = (begin + end) / 2, (end - begin) / 5
    long = [
        line
        for line in lines
        if line.left < middle - reach and line.right > middle + reach and HYPHEN not in line.text
    ]
    if len(long) < _LEAST:
        return None
    sample = long[:: max(1, len(long) // _SAMPLE)]
    found = [gap for line in sample if (gap := gap_at(line, middle)) and _is_wide(gap, line)]
    if len(found) < _MOSTLY * len(sample):
        return None
    return median((max(gap.left, begin) + gap.right) / 2 for gap in found)


def _is_wide(gap: Gap, line: Line) -> bool:
    return gap.right - gap.left > _GAP * line.size > 0


def _runs(side: Sequence[Line]) -> bool:
    """Whether a column is running text: words that fill it and begin where it does."""
    begin = Counter(round(line.left) for line in side).most_common(1)[0][0]
    width = max(line.right for line in side) - begin
    full = sum(line.right - begin > _FULL * width for line in side)
    aligned = sum(abs(line.left - begin) < 2 for line in side)
    words = [word for line in side for word in line.text.split()]
    spoken = sum(word.strip(_SIGNS).isalpha() for word in words)
    amidst = sum(line.text[:1].islower() for line in side)
    if spoken < _SPOKEN * len(words) or len(words) < _WORDS * len(side) or amidst < _AMIDST * len(side):
        return False
    return min(full, aligned) > _MOSTLY * len(side)


def _ordered(lines: Sequence[Line], parted: Sequence[tuple[Line, Line] | None], middle: float) -> list[Line]:
    """Each stretch of columns between lines over the whole width: its left column, then its right one."""
    ordered: list[Line] = []
    columns: tuple[list[Line], list[Line]] = ([], [])
    for place, line in enumerate(lines):
        both = parted[place]
        if both and _stands_alone(place, lines):
            both = None
        if both:
            columns[0].append(both[0])
            columns[1].append(both[1])
        elif line.right <= middle or line.left >= middle:
            columns[line.left >= middle].append(line)
        else:
            ordered += [*columns[0], *columns[1], line]
            columns = ([], [])
    return [*ordered, *columns[0], *columns[1]]


def _stands_alone(place: int, lines: Sequence[Line]) -> bool:
    """Whether a line is far from those around it, as a page's header is."""
    line = lines[place]
    around = [lines[near] for near in (place - 1, place + 1) if 0 <= near < len(lines)]
    return all(abs(other.bottom - line.bottom) > _NEAR * line.size for other in around)

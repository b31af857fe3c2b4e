"""A line of a PDF's page, and where a character of it stands."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

HYPHEN = "\ufffe"
"""What stands for a hyphen at the end of a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """`size` is the font's in points; `top` is of the first character and `bottom` of the last, from the
    page's foot as the text stands upright; a line that ends in a hyphen comes with the next, joined by U+FFFE. `start`
    is the place of its first character in the page's text; `level` that of the heading that its writer says it is. A
    table comes as one line, with its `rows`."""

    page: int
    text: str
    size: float
    top: float = 0
    bottom: float = 0
    left: float = 0
    right: float = 0
    turned: int = 0  # quarters of a circle
    start: int = 0
    level: int = 0
    bold: bool = False
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    right: float
    top: float
    bottom: float


def middle_of(line: Line) -> float:
    """Its height on the page."""
    return (line.top + line.bottom) / 2


def stands_beside(before: Line, line: Line) -> bool:
    """Whether a line stands right of the one before."""
    beside = before.bottom < middle_of(line) < before.bottom + 1.3 * before.size
    return beside and line.left >= before.right - 1


def upright(left: float, right: float, bottom: float, top: float, turned: int) -> Box:
    """A place on a page, turned so that its text stands upright: a page that is shown turned has its text so."""
    match turned:
        case 1:
            return Box(-top, -bottom, right, left)
        case 2:
            return Box(-right, -left, -bottom, -top)
        case 3:
            return Box(bottom, top, -left, -right)
        case _:
            return Box(left, right, top, bottom)


def sizes_of(lines: Iterable[Line]) -> Counter[float]:
    """How much text there is in each size."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[rounded(line.size)] += len(line.text)
    return sizes


def commonest(sizes: Counter[float]) -> float:
    """The size of most text, in points; 0 of none."""
    return sizes.most_common(1)[0][0] if sizes else 0.0


def rounded(size: float) -> float:
    """To half a point."""
    return round(size * 2) / 2

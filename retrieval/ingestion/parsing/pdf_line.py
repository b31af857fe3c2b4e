"""A line of a PDF's page, and where a character of it stands."""

from dataclasses import dataclass

HYPHEN = "\ufffe"
"""What stands for a hyphen at the end of a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """`size` is the font's in points; `top` is of the first character and `bottom` of the last, from the
    page's foot as the text stands upright; a line that ends in a hyphen comes with the next, joined by U+FFFE. `start`
    is the place of its first character in the page's text; `level` that of the heading that its writer says it is."""

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


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    right: float
    top: float
    bottom: float

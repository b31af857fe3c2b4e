"""Shapes of a slide in the order in which they are read."""

from collections.abc import Callable, Iterable
from typing import TypeVar

ROW = 5.0
"""Millimetres: what begins so close in height stands side by side."""

_Shape = TypeVar("_Shape")


def in_reading_order(
    shapes: Iterable[_Shape], place: Callable[[_Shape], tuple[float, float]]
) -> list[_Shape]:
    """From top to bottom, and from left to right in a row. `place` is a shape's top and left, in millimetres."""
    rows: list[list[tuple[float, float, _Shape]]] = []
    for top, left, shape in sorted(((*place(shape), shape) for shape in shapes), key=lambda one: one[:2]):
        if rows and top - rows[-1][0][0] < ROW:
            rows[-1].append((top, left, shape))
        else:
            rows.append([(top, left, shape)])
    return [shape for row in rows for _, _, shape in sorted(row, key=lambda one: one[1])]

"""Headers of tables that go over two rows: groups of columns, and below each what its columns are."""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

_LONGEST = 60  # characters of a label; longer is what stands in a table
_FIGURE = re.compile(r"[^\w\s]{0,2}\d")
_YEAR = re.compile(r"(?:19|20)\d\d")


def joined(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows with a header of two as one: "Express, up to 5 kg" above each column. All others as they are."""
    if len(rows) < 3:
        return [list(row) for row in rows]
    pairs = list(zip_longest(rows[0], rows[1], fillvalue=""))
    if not _is_grouped(pairs, rows[2:]):
        return [list(row) for row in rows]
    return [list(_labels(pairs)), *(list(row) for row in rows[2:])]


def _is_grouped(pairs: Sequence[tuple[str, str]], body: Sequence[Sequence[str]]) -> bool:
    """Whether groups of columns stand above labels, and not a header above the first row of the table: that has a name
    in its first column, unless the labels stand above figures alone."""
    groups = [place for place, (above, _) in enumerate(pairs) if above and place]
    parts = [place for place, (above, below) in enumerate(pairs) if below and not above and place]
    if (
        not groups
        or not parts
        or parts[0] < groups[0]
        or any(len(one) > _LONGEST for two in pairs for one in two)
    ):
        return False
    if not all(pairs[place][1] for place in _heads(groups, parts)):
        return False
    under = [place for place, (_, below) in enumerate(pairs) if below and place]
    labels = [pairs[place][1] for place in under]
    named = not any(_FIGURE.match(label) and not _YEAR.fullmatch(label) for label in labels)
    if not pairs[0][1]:
        return named or len(set(labels)) < len(labels)
    figures = [row[place] for row in body for place in under if place < len(row) and row[place]]
    return not pairs[0][0] and named and len(figures) > 1 and all(map(_FIGURE.match, figures))


def _heads(groups: Sequence[int], parts: Sequence[int]) -> set[int]:
    """Of the groups that go over several columns, the first."""
    return {max(group for group in groups if group < part) for part in parts}


def _labels(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    group = ""
    for place, (above, below) in enumerate(pairs):
        group = above or (group if below and place else "")
        yield ", ".join(filter(None, (group, below)))

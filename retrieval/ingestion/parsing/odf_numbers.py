"""The numbers that an OpenDocument text shows before headings and list items, which the file does not hold."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from retrieval.ingestion.parsing.docx_numbers import formed
from retrieval.ingestion.parsing.odf_names import TEXT, XML
from retrieval.ingestion.parsing.odf_styles import Level

_DEEPEST = 10
_FORMS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_PLACE = re.compile(r"%(\d{1,2})%")

Counts = list[int | None]
"""The last number of each level, from 1; None where there is none yet."""


@dataclass(slots=True)
class Numbers:
    """Counts along a document: each item is to be told once, in its order."""

    by_id: dict[str, Counts] = field(default_factory=dict)
    by_style: dict[str, Counts] = field(default_factory=dict)
    outline: Counts = field(default_factory=lambda: _none())

    def begun(self, element: etree._Element, style: str) -> Counts:
        """The counts of a list that begins: those of the list that it goes on with, if it does."""
        before = self.by_id.get(element.get(f"{TEXT}continue-list", ""))
        if before is None and element.get(f"{TEXT}continue-numbering") == "true":
            before = self.by_style.get(style)
        counts = _none() if before is None else before
        self.by_style[style] = counts
        if key := element.get(f"{XML}id"):
            self.by_id[key] = counts
        return counts


def _none() -> Counts:
    return [None] * (_DEEPEST + 1)


def label(levels: Mapping[int, Level], counts: Counts, depth: int, start: int | None = None) -> str:
    """The next number at the depth (from 1), as it is shown; empty for a bullet or where there is none."""
    depth = max(1, min(depth, _DEEPEST))
    for place in range(1, depth + 1):
        before, begin = counts[place], levels.get(place, Level()).start
        if place == depth:
            counts[place] = start if start is not None else begin if before is None else before + 1
        elif before is None:
            counts[place] = begin
    counts[depth + 1 :] = [None] * (_DEEPEST - depth)
    level = levels.get(depth, Level())
    if level.pattern:
        shown = _PLACE.sub(lambda found: _number(int(found[1]), levels, counts), level.pattern)
        return " ".join(shown.split()) if level.form else ""
    first = max(1, depth - level.shown + 1)
    parts = [_number(place, levels, counts) for place in range(first, depth + 1)]
    text = ".".join(part for part in parts if part)
    return " ".join(f"{level.prefix}{text}{level.suffix}".split()) if level.form else ""


def _number(place: int, levels: Mapping[int, Level], counts: Counts) -> str:
    form = levels.get(place, Level()).form
    number = counts[place] if place <= _DEEPEST else None
    return formed(number or 0, _FORMS.get(form[:1], "decimal")) if form else ""

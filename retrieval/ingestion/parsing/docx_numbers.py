"""The numbers that Word puts before headings, clauses and list items; the text of a document does not have them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
_MOST = 32_767  # Word's own limit
_PLACE = re.compile(r"%([1-9])")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""


@dataclass(frozen=True, slots=True)
class _List:
    """What a number id stands for; lists of one `series` go on where the other stopped, but for a `restart`."""

    series: str
    levels: Mapping[int, _Level]
    restart: Mapping[int, int]


@dataclass(slots=True)
class Numbering:
    """Counts along the document: each paragraph in a list is to be told once, in its order."""

    lists: Mapping[str, _List] = field(default_factory=dict)
    counts: dict[str, list[int | None]] = field(default_factory=dict)
    begun: set[tuple[str, int]] = field(default_factory=set)

    def label(self, number_id: str, level: int) -> str:
        """The next number of the list at the level (from 0), as it is shown; empty for a bullet or where there is
        none."""
        found = self.lists.get(number_id)
        if found is None or not 0 <= level < _LEVELS:
            return ""
        counts = self.counts.setdefault(found.series, [None] * _LEVELS)
        if level in found.restart and (number_id, level) not in self.begun:
            counts[level] = found.restart[level] - 1
        self.begun.add((number_id, level))
        for place in range(level + 1):
            start = found.levels.get(place, _Level()).start
            if place == level:
                before = counts[place]
                counts[place] = start if before is None else before + 1
            elif counts[place] is None:
                counts[place] = start
        counts[level + 1 :] = [None] * (_LEVELS - level - 1)
        return self._shown(found, counts, level)

    @staticmethod
    def _shown(found: _List, counts: list[int | None], level: int) -> str:
        shown = found.levels.get(level, _Level(text=""))
        if shown.form in {"bullet", "none"}:
            return ""

        def number(place: re.Match[str]) -> str:
            at = int(place[1]) - 1
            return formed(counts[at] or 0, found.levels.get(at, _Level()).form)

        return " ".join(_PLACE.sub(number, shown.text).split())


def numbering(root: etree._Element | None) -> Numbering:
    """From numbering.xml; nothing has a number where there is none."""
    if root is None:
        return Numbering()
    series = {
        one.get(f"{W}abstractNumId", ""): {at: _level(lvl) for at, lvl in _levels(one)}
        for one in root.iterfind(f"{W}abstractNum")
    }
    lists: dict[str, _List] = {}
    for one in root.iterfind(f"{W}num"):
        key = value(one, f"{W}abstractNumId")
        levels, restart = dict(series.get(key, {})), {}
        for override in one.iterfind(f"{W}lvlOverride"):
            levels |= {at: _level(lvl) for at, lvl in _levels(override)}
            start = value(override, f"{W}startOverride")
            if is_count(start):
                restart[int(override.get(f"{W}ilvl", "0"))] = int(start)
        lists[one.get(f"{W}numId", "")] = _List(key, levels, restart)
    return Numbering(lists)


def _levels(parent: etree._Element) -> list[tuple[int, etree._Element]]:
    found = ((lvl.get(f"{W}ilvl", ""), lvl) for lvl in parent.iterfind(f"{W}lvl"))
    return [(int(at), lvl) for at, lvl in found if is_count(at)]


def _level(lvl: etree._Element) -> _Level:
    start = value(lvl, f"{W}start")
    form = value(lvl, f"{W}numFmt") or "decimal"
    return _Level(int(start) if is_count(start) else 1, form, value(lvl, f"{W}lvlText"))


def is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:6]) <= _MOST


def value(element: etree._Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get(f"{W}val", "")


def formed(number: int, form: str) -> str:
    match form:
        case "lowerLetter" | "upperLetter" if number > 0:
            text = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman":
            text = _roman(number)
        case "decimalZero":
            text = f"{number:02}"
        case _:
            text = str(number)
    return text.upper() if form.startswith("upper") else text


def _roman(number: int) -> str:
    text = ""
    for worth, letters in _ROMAN:
        text += letters * (number // worth)
        number %= worth
    return text

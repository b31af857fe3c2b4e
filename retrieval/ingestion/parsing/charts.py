"""Charts of slides, of each kind that PowerPoint has: their title, and their values as a table."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import groupby, islice

from lxml import etree
from openpyxl.styles.numbers import is_date_format
from openpyxl.utils.datetime import from_excel

from retrieval.ingestion.blocks import TEXT, Block, table_block, tidy

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_LABELS = (f"{_C}cat", f"{_C}xVal")
_VALUES = (f"{_C}val", f"{_C}yVal", f"{_C}bubbleSize")
_MOST = 10_000  # points of a series; their numbers are whatever the file says


def charted(space: etree._Element, page: int) -> Iterator[Block]:
    """The blocks of a chart. Read from its XML: python-pptx knows no charts in three dimensions."""
    title = space.find(f"{_C}chart/{_C}title")
    if title is not None and (text := _text(title)):
        yield Block(TEXT, text, page)
    # What is drawn over each other stands in one table, if it has the same labels.
    for labels, group in groupby(space.iter(f"{_C}ser"), lambda series: _points(series, _LABELS)):
        series = list(group)
        columns = [_points(one, (kind,)) for one in series for kind in _VALUES if one.find(kind) is not None]
        names = [_name(one) for one in series for kind in _VALUES if one.find(kind) is not None]
        rows = [
            [labels.get(place, ""), *(column.get(place, "") for column in columns)]
            for place in sorted(set(labels).union(*columns))
        ]
        if block := table_block([["", *names], *rows], page):
            yield block


def _points(series: etree._Element, kinds: tuple[str, ...]) -> Mapping[int, str]:
    """The labels or values by their places. Of labels in several levels the innermost."""
    held = next((found for kind in kinds if (found := series.find(kind)) is not None), None)
    if held is None:
        return {}
    level = held.find(f".//{_C}lvl")
    numbers = next(held.iter(f"{_C}numCache", f"{_C}numLit"), None)
    form = None if numbers is None else numbers.findtext(f"{_C}formatCode") or "General"
    points = (held if level is None else level).iter(f"{_C}pt")
    return {
        int(point.get("idx", "0")): _shown(point.findtext(f"{_C}v") or "", form)
        for point in islice(points, _MOST)
    }


def _shown(value: str, form: str | None) -> str:
    """A text, or a number in such a form: dates are stored as days, and numbers with more digits than Excel keeps."""
    with suppress(ValueError, OverflowError):
        if form and is_date_format(form):
            return str(from_excel(float(value))).removesuffix(" 00:00:00")
        return f"{float(value):.15g}" if form else value
    return value


def _name(series: etree._Element) -> str:
    name = series.find(f"{_C}tx")
    return " ".join(name.itertext(f"{_C}v")) if name is not None else ""


def _text(title: etree._Element) -> str:
    return tidy("\n".join("".join(line.itertext(f"{_A}t")) for line in title.iter(f"{_A}p")))

"""ODP: a page a slide, its title as heading; text, tables, charts and the speaker's notes."""

import re
from collections.abc import Iterator

from lxml import etree

from retrieval.ingestion.blocks import HEADING, TEXT, Block, one_line, tidy
from retrieval.ingestion.parsing import odf_names as odf
from retrieval.ingestion.parsing.odf_text import Reader, on_page
from retrieval.ingestion.parsing.placing import in_reading_order

_CLASS = f"{odf.PRESENTATION}class"
_MARGIN = {"header", "footer", "date-time", "page-number"}
_LENGTH = re.compile(r"(-?\d*\.?\d+)(cm|mm|in|pt|pc|px)?")
_MOVED = re.compile(rf"translate\s*\(\s*{_LENGTH.pattern}\s*,?\s*{_LENGTH.pattern}")
_MILLIMETRES = {"cm": 10.0, "mm": 1.0, "in": 25.4, "pt": 25.4 / 72, "pc": 25.4 / 6, "px": 25.4 / 96}


def slides(reader: Reader, body: etree._Element) -> Iterator[Block]:
    for number, slide in enumerate(body.iterchildren(f"{odf.DRAW}page"), 1):
        yield from on_page(_slide(reader, slide), number)


def _slide(reader: Reader, slide: etree._Element) -> Iterator[Block]:
    shapes = [shape for shape in slide if str(shape.tag).startswith(odf.DRAW)]
    title = next((shape for shape in shapes if shape.get(_CLASS) == "title"), None)
    if title is not None and (named := one_line(_text(reader, title))):
        yield Block(HEADING, named[:200], level=1)
    for shape in in_reading_order(shapes, _place):
        if shape is not title and shape.get(_CLASS) not in _MARGIN:
            yield from _shape(reader, shape)
    for frame in slide.iterfind(f"{odf.PRESENTATION}notes/{odf.DRAW}frame"):
        if frame.get(_CLASS) == "notes" and (notes := tidy(_text(reader, frame))):
            yield Block(TEXT, f"Notes: {notes}")


def _text(reader: Reader, shape: etree._Element) -> str:
    return "\n".join(block.text for block in reader.aside(shape))


def _shape(reader: Reader, shape: etree._Element) -> Iterator[Block]:
    if shape.tag == f"{odf.DRAW}g":
        for one in in_reading_order(shape, _place):
            yield from _shape(reader, one)
        return
    yield from reader.aside([shape])


def _place(shape: etree._Element) -> tuple[float, float]:
    if shape.tag == f"{odf.DRAW}g":
        return min((_place(one) for one in shape), default=(0.0, 0.0))
    top, left = shape.get(f"{odf.SVG}y"), shape.get(f"{odf.SVG}x")
    if top is None and (moved := _MOVED.search(shape.get(f"{odf.DRAW}transform", ""))):
        left, top = moved[1] + (moved[2] or ""), moved[3] + (moved[4] or "")
    return _millimetres(top), _millimetres(left)


def _millimetres(length: str | None) -> float:
    found = _LENGTH.match(length or "")
    return float(found[1]) * _MILLIMETRES.get(found[2] or "mm", 1.0) if found else 0.0

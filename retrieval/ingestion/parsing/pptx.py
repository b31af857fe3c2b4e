"""PPTX: a page a slide, its title as heading; text, tables, charts, SmartArt and the speaker's notes."""

import io
from collections.abc import Iterator
from typing import Any

from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.opc.package import PartFactory
from pptx.package import Package
from pptx.parts.presentation import PresentationPart

from retrieval.ingestion.blocks import (
    HEADING,
    ITEM,
    TEXT,
    Block,
    Limits,
    ParsedDocument,
    one_line,
    table_block,
    tidy,
)
from retrieval.ingestion.parsing.archive import Archive
from retrieval.ingestion.parsing.charts import charted
from retrieval.ingestion.parsing.openxml import transitional
from retrieval.ingestion.parsing.placing import in_reading_order
from retrieval.ingestion.parsing.xml import parse_xml

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_DEEPEST = 20
_MILLIMETRE = 36_000  # in English metric units
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
# Shows and templates with macros are presentations too; python-pptx knows those without.
for _kind in ("slideshow", "template"):
    PartFactory.part_type_for[f"application/vnd.ms-powerpoint.{_kind}.macroEnabled.main+xml"] = (
        PresentationPart
    )
_RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def parse_pptx(data: bytes, limits: Limits) -> ParsedDocument:
    archive = Archive(data, limits)
    archive.check()
    package = Package.open(io.BytesIO(transitional(data, archive)))
    presentation = package.main_document_part.presentation
    blocks: list[Block] = []
    slides = list(presentation.slides)
    for number, slide in enumerate(slides, 1):
        blocks.extend(_slide(slide, number))
    title = one_line(presentation.core_properties.title or "")
    if not title or title.lower() in {"powerpoint presentation", "presentation"}:
        title = next((block.text for block in blocks if block.kind == HEADING), "")
    return ParsedDocument(title, tuple(blocks), _MEDIA_TYPE, len(slides))


def _slide(slide: Any, number: int) -> Iterator[Block]:
    heading = slide.shapes.title
    if heading is not None and not heading.has_text_frame:  # a picture in the title's place
        heading = None
    named = one_line(heading.text_frame.text) if heading is not None else ""
    if named:
        yield Block(HEADING, named[:200], number, level=1)
    for shape in _shapes(slide.shapes, _DEEPEST):
        if heading is None or shape.shape_id != heading.shape_id:
            yield from _shape(shape, number)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = tidy(slide.notes_slide.notes_text_frame.text)
        if notes:
            yield Block(TEXT, f"Notes: {notes}", number)


def _shapes(shapes: Any, depth: int) -> Iterator[Any]:
    """The shapes from top to bottom and left to right, groups opened."""
    for shape in in_reading_order(shapes, _place):
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP and depth:
            yield from _shapes(shape.shapes, depth - 1)
        else:
            yield shape


def _place(shape: Any) -> tuple[float, float]:
    return (shape.top or 0) / _MILLIMETRE, (shape.left or 0) / _MILLIMETRE


def _shape(shape: Any, number: int) -> Iterator[Block]:
    if shape.has_text_frame:
        paragraphs = [(tidy(p.text), p.level) for p in shape.text_frame.paragraphs if p.text.strip()]
        for text, level in paragraphs:
            if len(paragraphs) > 1:
                yield Block(ITEM, f"{'  ' * level}- {text}", number, level=level + 1)
            else:
                yield Block(TEXT, text, number)
    elif getattr(shape, "has_table", False) and shape.has_table:
        block = table_block([[cell.text for cell in row.cells] for row in shape.table.rows], number)
        if block:
            yield block
    elif getattr(shape, "has_chart", False) and shape.has_chart:
        yield from charted(shape.chart_part._element, number)
    else:
        yield from _diagram(shape, number)


def _diagram(shape: Any, number: int) -> Iterator[Block]:
    """The points of a SmartArt, which stand in a part of their own."""
    for relations in shape.element.iter(f"{_DIAGRAM}relIds"):
        key = relations.get(f"{_RELATIONS}dm")
        if key not in shape.part.rels:
            continue
        data = shape.part.related_part(key).blob
        for point in parse_xml(data).iter(f"{_DIAGRAM}pt"):
            paragraphs = ("".join(p.itertext(f"{_DRAWING}t")) for p in point.iter(f"{_DRAWING}p"))
            if text := tidy("\n".join(paragraphs)):
                yield Block(ITEM, f"- {text}", number, level=1)

"""Which parts of a PDF are headings, as its writer has tagged them: Word, browsers and LibreOffice do."""

import ctypes
import re
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

_HEADING = re.compile(r"H([1-6])?$")
_DEEPEST = 60  # of elements within elements
_MANY = 100  # parts of an element, of which a page has but some, side by side
_AROUND = 20  # parts of another page among those of one


class Tags:
    """Of one document, whose pages are to be asked for in their order: most go on where the one before ended, and
    PDFium finds the parts of a page only by asking each part of the document."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}  # depth -> place of the part where the page before ended

    def headings(self, page: pypdfium2.PdfPage) -> dict[int, int]:
        """The ids of marked content -> the level of the heading that it is part of, from 1."""
        tree = pdfium.FPDF_StructTree_GetForPage(page)
        if not tree:
            return {}
        try:
            roots = range(pdfium.FPDF_StructTree_CountChildren(tree))
            elements = (pdfium.FPDF_StructTree_GetChildAtIndex(tree, place) for place in roots)
            return {content: level for one in elements if one for content, level in self._within(one, 0, 0)}
        finally:
            pdfium.FPDF_StructTree_Close(tree)

    def _within(self, element: object, level: int, depth: int) -> Iterator[tuple[int, int]]:
        if found := _HEADING.match(_type(element)):
            level = int(found[1] or 1)
        parts = pdfium.FPDF_StructElement_CountChildren(element)
        if level:
            for place in range(parts):
                content = pdfium.FPDF_StructElement_GetChildMarkedContentID(element, place)
                if content >= 0:
                    yield content, level
        if depth < _DEEPEST:
            for child in self._children(element, parts, depth):
                yield from self._within(child, level, depth + 1)

    def _children(self, element: object, parts: int, depth: int) -> Iterator[object]:
        """The elements in it that are on the page."""
        begin = max(0, self._last.get(depth, 0) - _AROUND) if parts > _MANY else 0
        found, last = False, 0
        for place in range(begin, parts):
            if child := pdfium.FPDF_StructElement_GetChildAtIndex(element, place):
                found, last = True, place
                yield child
            elif found and parts > _MANY and place > last + _AROUND:
                break
        if found and parts > _MANY:
            self._last[depth] = last


def _type(element: object) -> str:
    held = ctypes.create_string_buffer(32)
    size = pdfium.FPDF_StructElement_GetType(element, held, len(held))
    return held.raw[: size - 2].decode("utf-16-le", errors="replace") if 2 <= size <= len(held) else ""

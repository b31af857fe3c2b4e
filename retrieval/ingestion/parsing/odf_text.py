"""The text of an OpenDocument file: headings, paragraphs, lists, tables, notes, and what lies in boxes."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from retrieval.ingestion.blocks import HEADING, ITEM, TEXT, Block, one_line, table_block, tidy
from retrieval.ingestion.parsing import odf_names as odf
from retrieval.ingestion.parsing.odf_numbers import Counts, Numbers, label
from retrieval.ingestion.parsing.odf_styles import Level, Styles

_P, _H, _LIST = f"{odf.TEXT}p", f"{odf.TEXT}h", f"{odf.TEXT}list"
_NOTE, _ANNOTATION = f"{odf.TEXT}note", f"{odf.OFFICE}annotation"
_OBJECT = f"{odf.DRAW}object"
_UNSEEN = {
    *(f"{odf.TEXT}{name}" for name in ("tracked-changes", "note-citation", "ruby-text", "hidden-text")),
    *(f"{odf.TEXT}{name}-index" for name in ("illustration", "table", "object", "alphabetical")),
    f"{odf.TEXT}table-of-content",
    f"{odf.SVG}title",
    f"{odf.SVG}desc",
    f"{odf.PRESENTATION}notes",
    f"{odf.OFFICE}forms",
}
_FAMILIES = {f"{odf.TEXT}span": "text", _P: "paragraph", _H: "paragraph"}
_ROWS = {f"{odf.TABLE}{name}" for name in ("table-header-rows", "table-rows", "table-row-group")}
_CELLS = {f"{odf.TABLE}table-cell", f"{odf.TABLE}covered-table-cell"}
_SPACE = re.compile(r"[ \t\r\n]+")
_HEADING_MOST = 200
_COLUMNS = 500
_DEEPEST = 8  # of an item's indentation


@dataclass(slots=True)
class Reader:
    """Reads the parts of one document in their order. `part` gives the root of an embedded object, or None; `title` is
    the first paragraph so far that has the style of one."""

    styles: Styles
    part: Callable[[etree._Element], etree._Element | None]
    numbers: Numbers = field(default_factory=Numbers)
    title: str = ""

    def blocks(self, parent: Iterable[etree._Element]) -> Iterator[Block]:
        for child in parent:
            if not isinstance(child.tag, str) or child.tag in _UNSEEN or self._is_hidden(child):
                continue
            if child.tag in {_P, _H}:
                yield from self._paragraph(child, self._heading_number(child), "")
            elif child.tag == _LIST:
                style = child.get(f"{odf.TEXT}style-name", "")
                yield from self._list(child, style, 1, self.numbers.begun(child, style))
            elif child.tag == f"{odf.TABLE}table":
                yield from self._table(child)
            elif child.tag == _OBJECT:
                yield from self._object(child)
            else:
                yield from self.blocks(child)

    def aside(self, parent: Iterable[etree._Element]) -> Iterator[Block]:
        """What does not stand in the flow of the text: its headings head no section."""
        for block in self.blocks(parent):
            yield block if block.kind != HEADING else Block(TEXT, block.text)

    def _paragraph(
        self, element: etree._Element, number: str, marker: str, depth: int = 0
    ) -> Iterator[Block]:
        """The paragraph, then its notes and the boxes that hang on it. `marker` is what stands before an item."""
        beside: list[etree._Element] = []
        text = tidy("".join(self._inline(element, beside)))
        if text:
            yield self._block(element, text, number, marker, depth)
        for one in beside:
            yield from self.aside(one)

    def _block(self, element: etree._Element, text: str, number: str, marker: str, depth: int) -> Block:
        if ("paragraph", element.get(f"{odf.TEXT}style-name", "")) in self.styles.titles:
            self.title = self.title or one_line(text)
            return Block(HEADING, one_line(text), level=1)
        if element.tag == _H and len(text) <= _HEADING_MOST:
            level = odf.count(element.get(f"{odf.TEXT}outline-level"))
            return Block(HEADING, one_line(f"{number} {text}"), level=max(1, level))
        if depth:
            return Block(ITEM, f"{'  ' * min(depth - 1, _DEEPEST)}{marker} {text}", level=depth)
        return Block(TEXT, f"{number} {text}".strip())

    def _heading_number(self, element: etree._Element) -> str:
        if element.tag != _H or element.get(f"{odf.TEXT}is-list-header") == "true":
            return ""
        if ("paragraph", element.get(f"{odf.TEXT}style-name", "")) in self.styles.plain:
            return ""
        depth = odf.count(element.get(f"{odf.TEXT}outline-level"))
        start = element.get(f"{odf.TEXT}start-value")
        return label(
            self.styles.outline, self.numbers.outline, depth, odf.count(start) if start is not None else None
        )

    def _list(self, element: etree._Element, style: str, depth: int, counts: Counts) -> Iterator[Block]:
        levels = self.styles.lists.get(style, {})
        for item in element:
            if item.tag not in {f"{odf.TEXT}list-item", f"{odf.TEXT}list-header"}:
                continue
            numbered = item.tag == f"{odf.TEXT}list-item"
            for child in item:
                if child.tag == _LIST:
                    inner = child.get(f"{odf.TEXT}style-name", style)
                    yield from self._list(child, inner, depth + 1, counts)
                elif child.tag in {_P, _H}:
                    if self._is_hidden(child):
                        continue
                    number = self._item_number(item, levels, counts, depth) if numbered else ""
                    marker = (number or "-") if numbered else "  "
                    yield from self._paragraph(child, number, marker, depth)
                    numbered = False
                else:
                    yield from self.blocks([child])

    @staticmethod
    def _item_number(item: etree._Element, levels: Mapping[int, Level], counts: Counts, depth: int) -> str:
        start = item.get(f"{odf.TEXT}start-value")
        return label(levels, counts, depth, odf.count(start) if start is not None else None)

    def _inline(self, element: etree._Element, beside: list[etree._Element]) -> Iterator[str]:
        """The text of a paragraph; what hangs on it is added to `beside`."""
        if element.text:
            yield _SPACE.sub(" ", element.text)
        for child in element:
            tag = child.tag
            if tag == f"{odf.TEXT}s":
                yield " "
            elif tag == f"{odf.TEXT}tab":
                yield "\t"
            elif tag == f"{odf.TEXT}line-break":
                yield "\n"
            elif tag in {_NOTE, _ANNOTATION}:
                beside.append(child)
            elif not isinstance(tag, str) or tag in _UNSEEN or self._is_hidden(child):
                pass
            elif tag.startswith(odf.DRAW) and tag != f"{odf.DRAW}a":
                formula = self._formula(child)
                if formula:
                    yield formula
                else:
                    beside.append(child)
            else:
                yield from self._inline(child, beside)
            if child.tail:
                yield _SPACE.sub(" ", child.tail)

    def _is_hidden(self, element: etree._Element) -> bool:
        if family := _FAMILIES.get(element.tag):
            return (family, element.get(f"{odf.TEXT}style-name", "")) in self.styles.hidden
        return bool(element.tag == f"{odf.TEXT}section" and element.get(f"{odf.TEXT}display") == "none")

    def _formula(self, frame: etree._Element) -> str:
        held = frame if frame.tag == _OBJECT else frame.find(_OBJECT)
        root = self.part(held) if held is not None else None
        if root is None or not str(root.tag).startswith(odf.MATH):
            return ""
        for annotation in list(root.iter(f"{odf.MATH}annotation")):
            annotation.getparent().remove(annotation)
        return "".join("".join(map(str, root.itertext())).split())

    def _object(self, element: etree._Element) -> Iterator[Block]:
        """A formula that stands alone, or a chart: its titles and the table of its figures."""
        if formula := self._formula(element):
            yield Block(TEXT, formula)
            return
        root = self.part(element)
        for chart in root.iter(f"{odf.CHART}chart") if root is not None else ():
            for title in chart.iter(f"{odf.CHART}title", f"{odf.CHART}subtitle"):
                yield from self.blocks(title)
            for table in chart.iter(f"{odf.TABLE}table"):
                if block := table_block(list(self.rows(table))):
                    yield block

    def _table(self, table: etree._Element) -> Iterator[Block]:
        """A table of one cell is a frame around what is in it."""
        found = list(rows(table))
        cells = [cell for cell in found[0] if cell.tag in _CELLS] if len(found) == 1 else []
        if len(cells) == 1:
            yield from self.blocks(cells[0])
            return
        beside: list[etree._Element] = []
        if block := table_block(list(self.rows(table, beside))):
            yield block
        for one in beside:
            yield from self.aside(one)

    def rows(self, table: etree._Element, beside: list[etree._Element] | None = None) -> Iterator[list[str]]:
        """The rows with a value for each column: a cell that spans several is followed by empty ones."""
        hanging = [] if beside is None else beside
        for row in rows(table):
            cells: list[str] = []
            for cell in row:
                if cell.tag in _CELLS:
                    times = odf.count(cell.get(f"{odf.TABLE}number-columns-repeated"))
                    cells += ["\n".join(self.lines(cell, hanging))] * min(times, _COLUMNS + 1 - len(cells))
            yield cells

    def lines(self, cell: etree._Element, beside: list[etree._Element]) -> Iterator[str]:
        """The paragraphs of a cell, of whatever it holds."""
        for child in cell:
            if child.tag in {_P, _H}:
                yield "".join(self._inline(child, beside))
            elif child.tag == _ANNOTATION or str(child.tag).startswith(odf.DRAW):
                beside.append(child)
            elif isinstance(child.tag, str) and child.tag not in _UNSEEN and not self._is_hidden(child):
                yield from self.lines(child, beside)


def rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in table:
        if child.tag == f"{odf.TABLE}table-row":
            yield child
        elif child.tag in _ROWS:
            yield from rows(child)


def on_page(blocks: Iterator[Block], page: int) -> Iterator[Block]:
    for block in blocks:
        yield replace(block, page=page)

"""The styles of a Word document: which of them are headings, lists or the table of contents."""

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from retrieval.ingestion.parsing.docx_numbers import W as _W
from retrieval.ingestion.parsing.docx_numbers import value

_ANCESTORS = 20  # of a style, beyond which there is none or a circle


@dataclass(frozen=True, slots=True)
class Style:
    """`kind` is `title`, `1` … `9` for a heading, `item`, `contents` or empty; the list that its paragraphs are
    numbered by, and at which level, where it names one."""

    kind: str = ""
    number_id: str = ""
    level: str = ""


def styles(root: etree._Element | None) -> dict[str, Style]:
    """Style id -> style, from styles.xml."""
    if root is None:
        return {}
    found: dict[str, Style] = {}
    parents: dict[str, str] = {}
    for style in root.iterfind(f"{_W}style"):
        key = style.get(f"{_W}styleId", "")
        parents[key] = value(style, f"{_W}basedOn")
        numbered = f"{_W}pPr/{_W}numPr/{_W}"
        found[key] = Style(_kind_of(style), value(style, f"{numbered}numId"), value(style, f"{numbered}ilvl"))
    return {key: _inherited(key, found, parents) for key in found}


def _kind_of(style: etree._Element) -> str:
    name = value(style, f"{_W}name").lower()
    outline = value(style, f"{_W}pPr/{_W}outlineLvl")
    if name == "title":
        return "title"
    if name.startswith("heading ") and name[8:].isdigit():
        return name[8:]
    if name.startswith("toc "):
        return "contents"
    if outline.isdigit() and int(outline) < 9:
        return str(int(outline) + 1)
    return "item" if name.startswith("list ") else ""


def _inherited(key: str, styles: Mapping[str, Style], parents: Mapping[str, str]) -> Style:
    kind, number_id, level = "", "", ""
    for _ in range(_ANCESTORS):
        style = styles.get(key)
        if style is None:
            break
        kind, number_id, level = kind or style.kind, number_id or style.number_id, level or style.level
        key = parents[key]
    return Style(kind, number_id, level)

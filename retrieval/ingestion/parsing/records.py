"""XML that is no page: records as `name: value`, and paragraphs with marks in them as text."""

import re
from collections.abc import Iterator

from lxml import etree

from retrieval.ingestion.blocks import TEXT, Block, Limits, ParsedDocument, tidy
from retrieval.ingestion.parsing.opendocument import is_flat, parse_flat
from retrieval.ingestion.parsing.xml import parse_xml

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>", re.IGNORECASE)
_PAGE = re.compile(r"<(?:\w+:)?(?:html|svg)[\s>]", re.IGNORECASE)
_MOST_DEPTH = 100


def is_xml(beginning: str) -> bool:
    """Whether a text that begins so is XML, and neither a page nor a drawing."""
    return bool(_DECLARATION.match(beginning.lstrip("\ufeff"))) and not _PAGE.search(beginning)


def parse_records(text: str, limits: Limits) -> ParsedDocument:
    root = parse_xml(_DECLARATION.sub("", text.lstrip("\ufeff"), count=1).encode("utf-8", "replace"))
    if is_flat(root):
        return parse_flat(root, limits)
    return ParsedDocument("", tuple(_blocks(root, _MOST_DEPTH)), "application/xml")


def _blocks(element: etree._Element, depth: int) -> Iterator[Block]:
    """What an element says of itself is one block, then come the elements in it."""
    if depth == 0 or _has_text(element):
        yield Block(TEXT, tidy("".join(element.itertext("*"))))
        return
    children = list(element.iterchildren("*"))
    facts = [(str(key), value) for key, value in element.items() if not str(key).startswith("{")]
    facts += [(_name(child), child.text or "") for child in children if _is_fact(child)]
    lines = [f"{name}: {tidy(value)}" for name, value in facts if value.strip()]
    if lines:
        yield Block(TEXT, "\n".join(lines))
    for child in children:
        if not _is_fact(child):
            yield from _blocks(child, depth - 1)


def _has_text(element: etree._Element) -> bool:
    return any(text and text.strip() for text in (element.text, *(child.tail for child in element)))


def _is_fact(element: etree._Element) -> bool:
    return not len(element) and not element.attrib


def _name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)

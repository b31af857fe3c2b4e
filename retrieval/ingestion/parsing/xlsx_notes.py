"""What lies on a sheet beside its cells: notes, comments and text boxes."""

import posixpath
from collections.abc import Iterator

from lxml import etree

from retrieval.ingestion.blocks import TEXT, Block, tidy
from retrieval.ingestion.parsing.archive import Archive
from retrieval.ingestion.parsing.xml import parse_xml

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SHAPES = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_STAND_IN = "[Threaded comment]"  # for older programs, beside the comment itself


def notes(archive: Archive, sheet: str) -> Iterator[Block]:
    """Of the sheet in this part, in the order of its relations."""
    folder, name = posixpath.split(sheet)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.names:
        return
    for relation in parse_xml(archive.read(relations)).iterfind("{*}Relationship"):
        part = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
        if part not in archive.names:
            continue
        match relation.get("Type", "").rpartition("/")[2]:
            case "comments" | "threadedComment":
                yield from _comments(parse_xml(archive.read(part)))
            case "drawing":
                yield from _boxes(parse_xml(archive.read(part)))


def _comments(root: etree._Element) -> Iterator[Block]:
    for comment in root.iter("{*}comment", "{*}threadedComment"):
        text = tidy("".join("".join(part.itertext()) for part in comment.iterfind("{*}text")))
        if text and not text.startswith(_STAND_IN):
            yield Block(TEXT, f"Note on {comment.get('ref', 'a cell')}: {text}")


def _boxes(root: etree._Element) -> Iterator[Block]:
    for body in root.iter(f"{_SHAPES}txBody"):
        paragraphs = ("".join(one.itertext(f"{_DRAWING}t")) for one in body.iter(f"{_DRAWING}p"))
        if text := tidy("\n".join(paragraphs)):
            yield Block(TEXT, text)

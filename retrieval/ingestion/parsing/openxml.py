"""What Word, Excel and PowerPoint files have in common: which part is the document itself, and the strict variant of
the format."""

import posixpath
import re

from retrieval.ingestion.parsing.archive import Archive, zipped
from retrieval.ingestion.parsing.xml import parse_xml

_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_STRICT = b"http://purl.oclc.org/ooxml/"
_XML = (".xml", ".rels")
_NAMES = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")


def parts_of(archive: Archive, part: str = "") -> dict[str, str]:
    """The parts that a part of the file refers to, or the file itself: the path of each by its kind (`officeDocument`,
    `styles`), the first where there are several."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    found: dict[str, str] = {}
    if relations not in archive.names:
        return found
    for relation in parse_xml(archive.read(relations)).iter(_RELATION):
        target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))[1:]
        if target in archive.names:
            found.setdefault(relation.get("Type", "").rpartition("/")[2], target)
    return found


def document_of(archive: Archive) -> str:
    """The path of the part that is the document itself; empty where the file names none. Word on the web calls it
    `word/document2.xml`."""
    return parts_of(archive).get("officeDocument", "")


def transitional(data: bytes, archive: Archive) -> bytes:
    """The file in the common variant of its format, where it was saved in the strict one, in which libraries find
    nothing. The two differ in the names of their namespaces."""
    document = document_of(archive)
    if not document or _STRICT not in archive.read(document)[:4096]:
        return data
    members = {name: archive.read(name) for name in sorted(archive.names)}
    return zipped(
        {
            name: _NAMES.sub(rb"http://schemas.openxmlformats.org/\1/2006/", content)
            if name.endswith(_XML)
            else content
            for name, content in members.items()
        }
    )

"""Files that somebody's tools have packed otherwise than programs do."""

import io
import random
import zipfile

import pytest

from retrieval.errors import DocumentEncrypted, DocumentTooLarge, DocumentUnsupported
from retrieval.ingestion.blocks import Limits
from retrieval.ingestion.parsing import parse
from retrieval.ingestion.parsing.archive import straightened
from tests.unit.ingestion import samples

LETTER = {
    "mimetype": "application/vnd.oasis.opendocument.text",
    "content.xml": '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
    "<text:p>Dear Ann</text:p></office:text></office:body></office:document-content>",
    "Pictures/a.png": "x",
}
FILES = {
    "letter.docx": samples.word(),
    "benefits.pptx": samples.slides(),
    "rates.xlsx": samples.workbook(),
    "rates, strict.xlsx": samples.strict(samples.workbook()),
    "guide.epub": samples.book(),
    "letter.odt": samples.zipped(LETTER),
}


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def renamed(data: bytes, rename) -> bytes:
    return samples.zipped({rename(name): content for name, content in members(data).items()})


WAYS = {
    "as on Windows": lambda data: renamed(data, lambda name: name.replace("/", "\\")),
    "in a folder": lambda data: renamed(data, lambda name: f"The file/{name}"),
    "in folders, as on Windows": lambda data: renamed(
        data, lambda name: f"Out\\The file\\{name}".replace("/", "\\")
    ),
    "below a dot": lambda data: renamed(data, lambda name: f"./{name}"),
    "by a Mac": lambda data: samples.zipped(
        {
            "The file/": b"",
            ".DS_Store": b"",
            **members(renamed(data, lambda name: f"The file/{name}")),
            "__MACOSX/The file/._mimetype": b"x",
        }
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_however_it_was_packed(name, way):
    usual = parse(FILES[name], name)
    assert usual.blocks
    assert parse(WAYS[way](FILES[name]), name) == usual


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_packed_as_usual_is_left_as_it_is(name):
    assert straightened(FILES[name], Limits()) is FILES[name]


def test_the_contents_of_a_book_may_be_written_as_on_windows():
    packed = members(samples.book())
    windows = {
        name: content.replace(b"b/book.opf", b"b\\book.opf").replace(b'href="', b'href="..\\b\\')
        for name, content in packed.items()
    }
    assert parse(samples.zipped(windows), "guide.epub") == parse(samples.book(), "guide.epub")


@pytest.mark.parametrize(
    "held",
    [
        {"papers/a.md": "in", "papers/b.md": "in"},
        {"papers\\a.md": "in"},
        {**{f"a/{name}": content for name, content in LETTER.items()}, "b/other.md": "more"},
        {"../../mimetype": "application/epub+zip", "a.md": "in"},
        {},
    ],
)
def test_other_archives_are_refused_as_such(held):
    with pytest.raises(DocumentUnsupported, match="Archives are not read"):
        parse(samples.zipped(held), "papers.zip")


@pytest.mark.parametrize("way", WAYS)
def test_what_unpacks_to_too_much_is_refused_however_it_was_packed(way):
    bomb = WAYS[way](samples.zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b" " * 3_000_000}))
    with pytest.raises(DocumentTooLarge, match="unpacks to"):
        parse(bomb, "a.docx", Limits(unpacked_bytes=2_000_000))


@pytest.mark.parametrize("way", WAYS)
def test_a_protected_book_is_refused_however_it_was_packed(way):
    locked = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData'
        ' xmlns="http://www.w3.org/2001/04/xmlenc#"><CipherData><CipherReference URI="b/one.xhtml"/></CipherData>'
        "</EncryptedData></encryption>"
    )
    with pytest.raises(DocumentEncrypted, match="protected against copying"):
        parse(WAYS[way](samples.book({"META-INF/encryption.xml": locked})), "guide.epub")


def test_of_names_that_come_to_the_same_the_usual_one_is_read():
    packed = [*members(samples.book()).items(), ("b\\one.xhtml", b"<html><body>Another.</body></html>")]
    random.Random(7).shuffle(packed)
    assert parse(samples.zipped(dict(packed)), "guide.epub") == parse(samples.book(), "guide.epub")

"""PDFs whose fonts do not say which letters they show."""

import io

import pypdfium2
import pytest

from retrieval.errors import DocumentEmpty
from retrieval.ingestion.parsing import ocr, parse
from retrieval.ingestion.parsing import pdf as pdf_parsing
from tests.unit.ingestion import samples

HOTELS = ["A night in a hotel costs 140 euros at most.", "Flights are booked by the travel desk."]
LANGUAGES = {
    "English": HOTELS,
    "German": ["Ein Hotel darf je Nacht 140 Euro kosten.", "Reisen bucht die Reisestelle vorher."],
    "Finnish": ["Hotelliyö saa maksaa enintään 140 euroa.", "Matkat varaa matkatoimisto etukäteen."],
    "numbers": ["1,204 3,811 9,020 1,177", "2,310 4,005 8,712 6,450", "3,918 1,002 7,731 5,208"],
}


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ocr.available.cache_clear()
    yield
    ocr.available.cache_clear()


def words(data: bytes) -> str:
    return " ".join(block.text for block in parse(data, "x.pdf").blocks)


def test_without_recognition_it_says_what_is_wrong_with_it(no_tesseract):
    with pytest.raises(DocumentEmpty, match="do not say which letters they show"):
        parse(samples.unmapped([HOTELS]), "x.pdf")


def test_pages_that_can_be_read_are(no_tesseract):
    written = io.BytesIO()
    with (
        pypdfium2.PdfDocument(samples.unmapped([HOTELS])) as made,
        pypdfium2.PdfDocument(samples.pdf([["Taxis are paid for."]])) as usual,
    ):
        made.import_pages(usual)
        made.save(written)
    parsed = parse(written.getvalue(), "x.pdf")
    assert [block.text for block in parsed.blocks] == ["Taxis are paid for."]
    assert "1 of 2 pages cannot be read: their fonts do not say which letters they show." in parsed.warnings


@pytest.mark.skipif(not ocr.available(), reason="tesseract is not installed")
def test_with_recognition_it_is_read_as_it_looks():
    parsed = parse(samples.unmapped([HOTELS]), "x.pdf")
    assert "costs 140 euros" in parsed.blocks[0].text
    assert parsed.warnings[0].startswith(f"1 of 1 pages are {pdf_parsing.SHAPES}: their text was recognised")


@pytest.mark.parametrize("language", LANGUAGES)
def test_shapes_that_are_numbered_as_letters_are_read_as_these(language, no_tesseract):
    """As TeX does with the pictures of letters that it made of old."""
    lines = LANGUAGES[language]
    assert words(samples.unmapped([lines], as_letters=True)).split() == " ".join(lines).split()


@pytest.mark.parametrize("language", ["German", "Finnish", "numbers"])
def test_in_any_language_shapes_alone_are_not_taken_for_text(language, no_tesseract):
    with pytest.raises(DocumentEmpty):
        parse(samples.unmapped([LANGUAGES[language] * 2]), "x.pdf")

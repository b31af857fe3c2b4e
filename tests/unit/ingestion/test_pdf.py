"""PDFs as programs write them beside plain pages: turned, stamped, filled in."""

import io

import pypdfium2
import pytest

from retrieval.ingestion.blocks import HEADING, TEXT
from retrieval.ingestion.parsing import parse
from retrieval.ingestion.parsing.pdf_ligatures import parted
from retrieval.ingestion.parsing.pdf_raised import apart
from tests.unit.ingestion.samples import pdf

WIDTH, HEIGHT = 600, 800
LINES = [
    (24, "Travel rules"),
    (12, "Hotels cost 140 EUR at most in every city of the land,"),
    (12, "And trains are booked in second class by the assistant."),
]
# Where a point of the page as it is shown lies on the page as it is stored, and how its text is turned there.
TURNED = {
    0: lambda x, y: (1, 0, 0, 1, x, y),
    90: lambda x, y: (0, 1, -1, 0, WIDTH - y, x),
    180: lambda x, y: (-1, 0, 0, -1, WIDTH - x, HEIGHT - y),
    270: lambda x, y: (0, -1, 1, 0, y, HEIGHT - x),
}


def shown(size: int, text: str, x: float, y: int, turn: int = 0) -> str:
    return f"/F1 {size} Tf {' '.join(map(str, TURNED[turn](x, y)))} Tm ({text}) Tj "


def page(text: str, turn: int = 0, annotation: str = "", catalogue: str = "") -> bytes:
    content = f"BT {text}ET"
    answer = "/Tx BMC BT /F1 12 Tf 2 5 Td (Ann Miller) Tj ET EMC"
    box = "/BBox [0 0 200 20] /Resources << /Font << /F1 4 0 R >> >>"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Rotate {turn} /Contents 5 0 R"
        " /Resources << /Font << /F1 4 0 R /F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >> >> >>"
        " /Annots [6 0 R] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(content)} >> stream\n{content}\nendstream",
        f"<< /Type /Annot /Rect [200 695 400 715] /F 4 {annotation} >>",
        f"<< /Type /XObject /Subtype /Form {box} /Length {len(answer)} >> stream\n{answer}\nendstream",
    ]
    body = "".join(f"{number} 0 obj {one} endobj\n" for number, one in enumerate(objects, 1))
    return f"%PDF-1.5\n{body}trailer << /Root 1 0 R >>".encode()


def blocks(data: bytes) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(data, "a.pdf").blocks]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_page_that_is_shown_turned_is_read_as_it_is_shown(turn):
    top = (HEIGHT if turn in {0, 180} else WIDTH) - 60
    places = [top, top - 40, top - 55]
    text = "".join(shown(*line, 50, place, turn) for line, place in zip(LINES, places, strict=True))
    assert blocks(page(text, turn)) == [
        (HEADING, "Travel rules"),
        (TEXT, f"{LINES[1][1]} {LINES[2][1]}"),
    ]


@pytest.mark.parametrize("scale", [1, 0.75, 12])
def test_paragraphs_are_told_apart_however_the_writer_scales_its_font(scale):
    """A browser sets 16 units at 3/4 of a point, others one unit at 12 points."""
    paragraphs = ["Hotels cost 140 EUR at most in every", "city of the land.", "Trains are second class."]
    text = "".join(
        f"/F1 {12 / scale} Tf {scale} 0 0 {scale} 50 {place} Tm ({line}) Tj "
        for line, place in zip(paragraphs, (740, 726, 700), strict=True)
    )
    assert blocks(page(text)) == [
        (TEXT, "Hotels cost 140 EUR at most in every city of the land."),
        (TEXT, "Trains are second class."),
    ]


def test_a_stamp_along_the_edge_is_no_heading():
    text = "".join(
        shown(12, line, 50, place) for (_, line), place in zip(LINES, (740, 725, 710), strict=True)
    )
    assert HEADING not in dict(blocks(page(text + shown(24, "arXiv 2103", 200, 570, 90))))


@pytest.mark.parametrize(
    ("annotation", "catalogue"),
    [
        ("/Subtype /Widget /FT /Tx /T (name) /AP << /N 7 0 R >>", "/AcroForm << /Fields [6 0 R] >>"),
        (
            "/Subtype /Widget /FT /Tx /T (name) /V (Ann Miller) /DA (/F1 12 Tf)",
            "/AcroForm << /Fields [6 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 4 0 R >> >> >>",
        ),
        ("/Subtype /FreeText /AP << /N 7 0 R >>", ""),
    ],
)
def test_what_was_filled_in_is_read_beside_its_label(annotation, catalogue):
    text = shown(12, "Name of the employee:", 50, 700) + shown(12, "Date of hire: below.", 50, 600)
    found = [text for _, text in blocks(page(text, 0, annotation, catalogue))]
    assert found == ["Name of the employee: Ann Miller", "Date of hire: below."]


LEFT = [
    "Hotels cost at most one hundred and forty",
    "euros a night in every city of the land,",
    "and trains are booked in second class by",
    "the assistant of the department, who also",
    "keeps the bills. Whoever travels abroad",
    "asks the people team for the rates of that",
    "country before the journey.",
]
RIGHT = [
    "Employees have twenty-five days of leave a",
    "year, and thirty after ten years with the",
    "company. Leave that is not taken by the",
    "end of March of the following year lapses,",
    "unless illness prevented it, and the envi-",
    "ronment of work is no excuse. Parents may",
    "take up to three years of unpaid leave.",
]


def rows(left: list[str], right: list[str]) -> str:
    """Two columns as a writer draws them that goes from the top of the page to its foot."""
    return "".join(
        shown(10, one, 50, 700 - 12 * row) + shown(10, other, 300, 700 - 12 * row)
        for row, (one, other) in enumerate(zip(left, right, strict=True))
    )


def test_two_columns_that_are_drawn_row_by_row_are_read_one_after_the_other():
    text = shown(18, "Rules of the house, on travel and leave", 50, 740) + rows(LEFT, RIGHT)
    (heading, left, right) = blocks(page(text))
    assert heading == (HEADING, "Rules of the house, on travel and leave")
    assert left == (TEXT, " ".join(LEFT))
    assert right[1].startswith("Employees have twenty-five days of leave a year,")
    assert right[1].endswith(
        "environment of work is no excuse. Parents may take up to three years of unpaid leave."
    )


def test_the_rows_of_a_table_stay_together():
    cities = ["Bonn", "Ulm", "Kiel", "Jena", "Graz", "Bern", "Riga"]
    left = [f"A night in {city} costs {90 + place} EUR" for place, city in enumerate(cities)]
    right = [f"and breakfast there {place} EUR more" for place, _ in enumerate(cities)]
    text = "\n".join(shown for _, shown in blocks(page(rows(left, right))))
    assert [f"| {one} | {other} |" in text for one, other in zip(left, right, strict=True)] == [True] * len(
        cities
    )


def test_a_long_document_mends_words_of_which_it_knows_no_part():
    pages = [
        [f"{'aeiou'[n % 5]}{chr(97 + row)}{n} " * 2 + f"t{n}x{row}" for row in range(26)] for n in range(80)
    ]
    pages[0] = ["The null hy-", "pothesis of a sub-", "class is not the"] * 2 + [
        "usual sub or class of all of them."
    ]
    text = parse(pdf(pages), "a.pdf").blocks[0].text
    assert "null hypothesis of a sub-class" in text


ACUTE, OGONEK = r"\302", r"\316"  # in the encoding of the font


def test_accents_that_are_printed_over_their_letters_are_on_them():
    text = shown(10, "Caf", 50, 700) + shown(10, ACUTE, 66.7, 700) + shown(10, "e at noon", 65.6, 700)
    assert blocks(page(text)) == [(TEXT, "Café at noon")]


def test_an_ogonek_under_its_letter_is_on_it():
    text = shown(10, "akceptacj", 50, 700) + shown(10, OGONEK, 94.4, 700) + shown(10, "e modeli", 92.3, 700)
    assert blocks(page(text)) == [(TEXT, "akceptację modeli")]


def test_an_accent_that_stands_alone_is_kept():
    assert blocks(page(shown(10, f"The sign {ACUTE} is an accent", 50, 700))) == [
        (TEXT, "The sign ´ is an accent")
    ]


def test_the_number_of_a_footnote_is_no_part_of_its_word():
    size, raised = 10, 704
    text = shown(size, "Leave is for all members", 50, 700) + shown(7, "3", 157.3, raised)
    text += (
        shown(size, " of", 161.2, 700)
        + shown(7, "3", 50, 304)
        + shown(size, "Also those on trial.", 53.9, 300)
    )
    assert [words for _, words in blocks(page(text))] == [
        "Leave is for all members ³ of",
        "³ Also those on trial.",
    ]


def test_a_name_that_ends_in_a_number_is_one_word():
    text = shown(10, "Use area51 and H", 50, 700) + shown(7, "2", 131, 698) + shown(10, "O", 135, 700)
    assert blocks(page(text)) == [(TEXT, "Use area51 and H2O")]
    assert apart("GOsa²") == "GOsa²"


def test_headings_under_a_cover_of_many_sizes_keep_their_depths():
    sizes = [34, 30, 26, 22, 18, 14]
    text = "".join(
        shown(size, f"Set in {size}", 50, 780 - 2 * place)
        for place, size in zip(range(20, 300, 50), sizes, strict=False)
    )
    text += shown(10, "You get 25 days of leave a year and more of them with the years.", 50, 150)
    levels = [block.level for block in parse(page(text), "a.pdf").blocks if block.kind == HEADING]
    assert levels == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", ["CVE-/2023", "buildkite-git-/references", "bundled-/executor"])
def test_a_name_that_ends_a_line_keeps_its_hyphen(name):
    first, second = name.split("/")
    lines = [f"Of all that runs here look at {first}", f"{second} at once,", "as buildkite-git-references do"]
    text = parse(pdf([[*lines, "and what is bundled for the executor."]]), "a.pdf").blocks[0].text
    assert f"{first}{second} at once" in text


def test_the_points_of_a_slide_are_no_headings_however_large():
    text = (
        shown(40, "Benefits", 50, 700)
        + shown(28, "\\267 Dental care", 50, 640)
        + shown(28, "\\267 Leave", 50, 600)
    )
    small = "".join(
        shown(12, "What the company pays, and for whom it pays that.", 50, 60 - 14 * n) for n in range(3)
    )
    assert [text for kind, text in blocks(page(text + small)) if kind == HEADING] == ["Benefits"]


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        ("con昀椀gured", "configured"),
        ("昀氀ow o昀昀", "flow off"),
        ("tra昀케c 琀椀me", "traffic time"),
        ("琀椀 昀昀", "琀椀 昀昀"),
    ],
)
def test_joined_letters_with_their_bytes_the_wrong_way_round_are_letters(spoilt, text):
    assert parted(spoilt) == text


def test_points_are_items_with_a_sign_that_every_page_shows():
    text = shown(12, "\\267 Dental care is covered", 50, 700) + shown(12, "\\267Leave is 25 days", 50, 685)
    assert blocks(page(text)) == [("item", "- Dental care is covered"), ("item", "- Leave is 25 days")]


def test_what_lies_outside_a_page_is_not_on_it():
    """A sheet that was cut into pages is in each of them, whole."""
    with pypdfium2.PdfDocument(pdf([["The first half.", *[""] * 30, "The second half."]] * 2)) as document:
        document[0].set_cropbox(0, 600, 595, 842)
        document[1].set_cropbox(0, 0, 595, 600)
        written = io.BytesIO()
        document.save(written)
    blocks = parse(written.getvalue(), "x").blocks
    assert [(block.page, block.text) for block in blocks] == [(1, "The first half."), (2, "The second half.")]

"""Words of PDFs that run from right to left."""

import pytest

from retrieval.ingestion.parsing import parse
from retrieval.ingestion.parsing.pdf_leftward import spelt
from retrieval.ingestion.parsing.pdf_line import Box
from tests.unit.ingestion.test_pdf_tables import document

APPROVAL = "الموافقة"
LEAVE = "الإجازة"


def boxes(*lefts: float) -> list[Box]:
    return [Box(left, left + 5, 10, 0) for left in lefts]


def test_letters_in_the_order_in_which_they_were_drawn_are_turned():
    places = boxes(*range(100, 100 + 5 * len(APPROVAL), 5))
    assert spelt(APPROVAL[::-1], places.__getitem__) == APPROVAL


def test_a_mark_goes_with_its_letter():
    places = boxes(100, 106, 112, 118, 99)  # the mark stands above the alef, and was drawn last
    assert spelt("اموي\u064b", places.__getitem__) == "يوما\u064b"


def test_letters_in_their_order_stay_and_a_sign_of_two_is_read_as_lam_and_alef():
    places = boxes(150, 140, 140, 130, 120, 110, 100)
    assert spelt("ا" + "إل" + "جازة", places.__getitem__) == LEAVE
    apart = boxes(*range(150, 150 - 5 * len(LEAVE), -5))
    assert spelt(LEAVE, apart.__getitem__) == LEAVE


@pytest.mark.parametrize(
    "text", ["Leave 24", "٢٤", "leave", "שלום"[::-1][:1]], ids=["latin", "digits", "word", "letter"]
)
def test_all_else_stays(text):
    places = boxes(*range(100, 100 + 5 * len(text), 5))
    assert spelt(text, places.__getitem__) == text


def arabic(word: str) -> bytes:
    """Its letters drawn at once from left to right, as a browser does; each sign stands for one letter."""
    signs = [(65 + place, letter) for place, letter in enumerate(reversed(word))]
    pairs = "\n".join(f"<{sign:02X}> <{ord(letter):04X}>" for sign, letter in signs)
    space = "begincodespacerange <00> <FF> endcodespacerange"
    cmap = f"begincmap 1 {space} {len(signs)} beginbfchar\n{pairs}\nendbfchar endcmap"
    drawn = f"BT /F1 10 Tf 1 0 0 -1 100 700 Tm ({''.join(chr(sign) for sign, _ in signs)}) Tj ET\n"
    data = document(drawn, objects=(f"<< /Length {len(cmap)} >> stream\n{cmap}\nendstream",))
    return data.replace(b"/BaseFont /Helvetica", b"/BaseFont /Helvetica /ToUnicode 4 0 R")


def test_a_word_of_a_pdf_is_found_as_it_is_written():
    assert parse(arabic(APPROVAL), "a.pdf").blocks[0].text == APPROVAL

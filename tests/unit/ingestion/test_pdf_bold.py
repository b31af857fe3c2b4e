"""Headings that are bold and no larger than the text, in a PDF without tags."""

from retrieval.ingestion.blocks import HEADING
from retrieval.ingestion.parsing import parse
from tests.unit.ingestion.test_pdf import page, shown

SENTENCE = "What the company pays for, and for whom it pays that, stands here"


def bold(text: str, x: float, y: int) -> str:
    return shown(12, text, x, y).replace("/F1", "/F2")


def headings(text: str) -> list[str]:
    rest = "".join(shown(12, f"{SENTENCE}, in part {n}.", 50, 300 - 14 * n) for n in range(12))
    return [block.text for block in parse(page(text + rest), "a.pdf").blocks if block.kind == HEADING]


def test_a_bold_line_above_a_paragraph_is_a_heading():
    text = (
        shown(12, f"{SENTENCE}.", 50, 700) + bold("Dental care", 50, 670) + shown(12, f"{SENTENCE}.", 50, 656)
    )
    assert headings(text) == ["Dental care"]


def test_bold_words_within_a_paragraph_are_none():
    text = shown(12, SENTENCE, 50, 700) + bold("Dental care", 50, 686) + shown(12, f"{SENTENCE}.", 50, 672)
    assert headings(text) == []


def test_the_header_of_a_table_is_none():
    header = bold("Grade", 50, 670) + bold("Days", 250, 670) + bold("Limit", 450, 670)
    row = shown(12, "Manager", 50, 656) + shown(12, "30", 250, 656) + shown(12, "160 EUR", 450, 656)
    assert headings(shown(12, f"{SENTENCE}.", 50, 700) + header + row) == []


def test_a_bold_paragraph_is_none():
    text = (
        shown(12, f"{SENTENCE}.", 50, 700)
        + bold("Mind that no one", 50, 670)
        + bold("may smoke here", 50, 656)
    )
    assert headings(text) == []


def test_the_labels_of_a_form_are_none():
    text = "".join(
        bold(f"Label {n}", 50, 780 - 40 * n) + shown(12, f"and its value {n}", 50, 764 - 40 * n)
        for n in range(9)
    )
    assert headings(text) == []

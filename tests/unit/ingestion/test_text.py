"""Texts that look like something else."""

import pytest

from retrieval.errors import DocumentUnsupported
from retrieval.ingestion.blocks import TABLE, TEXT
from retrieval.ingestion.parsing import parse


def blocks(text: str, name: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(text.encode(), name).blocks]


@pytest.mark.parametrize(
    "text",
    [
        "Use the <head> element for metadata and <script> for code.",
        "#include <main.h>",
        "Close it with </p> or </div>.",
    ],
)
def test_a_text_about_tags_is_no_page(text):
    assert blocks(f"{text}\n\nThe end.\n", "guide.txt") == [(TEXT, text), (TEXT, "The end.")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<p>Ask <b>early</b></p>", "part.html"),
        ("Ask <b>early</b>", "part.htm"),
        ("<p>Ask</p> <p>early</p>", "part.txt"),
        ("\n<!-- made -->\n<!DOCTYPE html><p>Ask early</p>", "page.txt"),
    ],
)
def test_a_part_of_a_page_is_one(text, name):
    assert " ".join(shown for _, shown in blocks(text, name)) == "Ask early"


def test_a_table_may_hold_tags():
    assert blocks("id,text\n1,<p>One</p>\n2,<p>Two</p>\n", "a.csv") == [
        (TABLE, "| id | text |\n| --- | --- |\n| 1 | <p>One</p> |\n| 2 | <p>Two</p> |"),
    ]


@pytest.mark.parametrize("first", ["From: a@b.example\nTo: c@d.example\n", "Received: from x\n\tby y\n"])
def test_a_message_is_refused_with_advice(first):
    text = f"{first}MIME-Version: 1.0\nContent-Type: text/plain\n\nHello.\n"
    with pytest.raises(DocumentUnsupported, match=r"This is an e-mail\. Save it as PDF, HTML or text"):
        parse(text.encode(), "a.eml")


def test_a_text_with_fields_is_no_message():
    text = "Subject: Leave\nFrom: People team\n\nYou get 25 days."
    assert blocks(text, "a.txt")[-1] == (TEXT, "You get 25 days.")


def test_a_few_accents_in_an_english_text_are_western():
    text = (
        "Employees are expected to be present from nine to five on every working day. " * 8 + "A naïve señor."
    )
    ((_, shown),) = [(b.kind, b.text) for b in parse(text.encode("cp1252"), "a.txt").blocks]
    assert shown == text

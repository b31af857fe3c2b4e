"""Texts that look like something else."""

import pytest

from retrieval.errors import DocumentUnsupported
from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT
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


def test_a_text_with_lists_alone_is_not_markdown_and_what_is_set_in_no_code():
    text = "1. Leave\n2. Travel\n3. Pay\n\nLEAVE\n\n    You get 25 days.\n    Ask early.\n"
    assert blocks(text, "handbook.txt") == [
        (ITEM, "1. Leave"),
        (ITEM, "2. Travel"),
        (ITEM, "3. Pay"),
        (HEADING, "LEAVE"),
        (TEXT, "You get 25 days.\nAsk early."),
    ]


def test_a_text_with_headings_and_lists_is_markdown_without_being_named_so():
    text = "# Leave\n\n- 25 days\n- 30 later\n\nSo:\n\n    ask()\n"
    assert [kind for kind, _ in blocks(text, "leave.txt")] == [HEADING, ITEM, ITEM, TEXT, CODE]


def test_the_comments_of_a_script_are_no_headings():
    text = "# Where files lie.\n# An absolute path.\npath = /srv\n\n# How many.\nmost = 5\n"
    assert HEADING not in dict(blocks(text, "server.conf"))


def test_the_further_lines_of_an_item_belong_to_it():
    text = "The rules:\n * Book early, and\n   by train.\n * Keep bills.\nThat is all.\n"
    assert blocks(text, "rules.txt") == [
        (TEXT, "The rules:"),
        (ITEM, "* Book early, and\nby train."),
        (ITEM, "* Keep bills."),
        (TEXT, "That is all."),
    ]


def test_letters_that_are_struck_over_for_a_printer_are_read_once():
    text = "N\bNA\bAM\bME\bE\n\nls lists _\bf_\bi_\bl_\be_\bs.\n"
    assert blocks(text, "ls.txt") == [(HEADING, "NAME"), (TEXT, "ls lists files.")]


def test_running_heads_of_printed_pages_are_left_out_and_paragraphs_go_on():
    pages = [
        f"RFC 793                September 1981\n\nThe text of page {n} goes\n\nPostel      [Page {n}]\n"
        for n in range(1, 6)
    ]
    assert blocks("\f".join(pages), "rfc.txt") == [(TEXT, f"The text of page {n} goes") for n in range(1, 6)]
    lower = [page.replace("The text", "the text") for page in pages]
    assert len(blocks("\f".join(lower), "rfc.txt")) == 1


def test_lines_that_are_set_in_with_tabs_are_no_table():
    assert TABLE not in dict(blocks("\t* News are in\n\t- the source\n\t- the manual\n", "changelog"))


@pytest.mark.parametrize("line", ["=" * 9, "*" * 9])
@pytest.mark.parametrize("above", [True, False])
def test_the_first_underlined_heading_is_the_title(line, above):
    text = f"{line if above else ''}\nThe leave\n{line}\n\nDays\n^^^^\n\nYou get 25.\n"
    document = parse(text.encode(), "leave.rst")
    assert document.title == "The leave"
    assert [(block.kind, block.level) for block in document.blocks] == [(HEADING, 1), (HEADING, 2), (TEXT, 0)]


def test_headings_as_in_asciidoc_and_wikis_have_their_depths():
    document = parse(b"= Guide\n\n== Hotels ==\nBook early.\n\n=== By night\n\nRing twice.\n", "guide.adoc")
    assert [(block.kind, block.text, block.level) for block in document.blocks] == [
        (HEADING, "Guide", 1),
        (HEADING, "Hotels", 2),
        (TEXT, "Book early.", 0),
        (HEADING, "By night", 3),
        (TEXT, "Ring twice.", 0),
    ]


def test_a_line_in_capitals_heads_what_is_set_in_below_it():
    assert blocks("NAME\n    tar - keeps archives\n\nACME LTD\n12 High Street\n", "tar.txt") == [
        (HEADING, "NAME"),
        (TEXT, "tar - keeps archives"),
        (TEXT, "ACME LTD\n12 High Street"),
    ]


def test_an_item_goes_on_in_a_line_that_begins_small():
    assert blocks("* Say it where\nit is heard.\n* Then go.\nThe end.\n", "a.txt") == [
        (ITEM, "* Say it where\nit is heard."),
        (ITEM, "* Then go."),
        (TEXT, "The end."),
    ]


def test_a_page_that_a_browser_saved_in_one_file_is_no_mail():
    page = "From: <Saved by Blink>\nSnapshot-Content-Location: https://a.example/\nMIME-Version: 1.0\n\nx\n"
    with pytest.raises(DocumentUnsupported, match=r"a web page in one file \(\.mht\)\. Save it as HTML"):
        parse(page.encode(), "page.mht")

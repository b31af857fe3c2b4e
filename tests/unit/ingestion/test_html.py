"""HTML: all that a reader sees, and each value under its heading."""

import pytest

from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT
from retrieval.ingestion.parsing import parse


def blocks(body: str) -> list[tuple[str, str]]:
    document = parse(f"<html><body>{body}</body></html>".encode(), "page.html")
    return [(block.kind, block.text) for block in document.blocks]


@pytest.mark.parametrize(
    "text",
    [
        "Use List<String> in the <main> part.",
        "# is no heading",
        "1. is no item",
        "{% if %} and <!-- this --> are shown",
        "[a](b) is shown, `c` and ~~d~~ too",
    ],
)
def test_text_that_looks_like_marks_is_kept(text):
    escaped = text.replace("<", "&lt;").replace(">", "&gt;")
    assert blocks(f"<p>{escaped}</p>") == [(TEXT, text)]


def test_code_keeps_its_templates_and_comments():
    assert blocks("<pre>{% if x %}\n&lt;!-- y --&gt;</pre>") == [(CODE, "{% if x %}\n<!-- y -->")]


def test_a_bar_in_a_cell_takes_no_other_cell_away():
    rows = "<tr><th>Sign</th><th>Means</th></tr><tr><td>a|b</td><td><code>c|d</code></td></tr>"
    assert blocks(f"<table>{rows}</table>") == [
        (TABLE, "| Sign | Means |\n| --- | --- |\n| a\\|b | c\\|d |"),
    ]


def test_cells_stand_under_their_headings_whatever_spans_rows():
    rows = (
        "<tr><th>Grade</th><th>Year</th><th>Pay</th></tr>"
        "<tr><td rowspan=2>A</td><td>2023</td><td rowspan=3>10</td></tr>"
        "<tr><td>2024</td></tr><tr><td>B</td><td>2025</td></tr>"
    )
    ((_, table),) = blocks(f"<table>{rows}</table>")
    assert table.split("\n")[2:] == ["| A | 2023 | 10 |", "|  | 2024 |  |", "| B | 2025 |  |"]


def test_tables_that_only_place_things_are_parts_of_the_page():
    inner = "<table><tr><th>City</th><th>Limit</th></tr><tr><td>Bonn</td><td>140</td></tr></table>"
    page = f"<table><tr><td><h2>Hotels</h2><p>Book early.</p></td><td>{inner}</td></tr></table>"
    assert blocks(page) == [
        (HEADING, "Hotels"),
        (TEXT, "Book early."),
        (TABLE, "| City | Limit |\n| --- | --- |\n| Bonn | 140 |"),
    ]


def test_the_header_of_an_article_is_no_banner():
    article = "<article><header><h1>Leave</h1></header><p>25 days.</p></article>"
    assert blocks(f"<header>Contoso</header>{article}") == [(HEADING, "Leave"), (TEXT, "25 days.")]


def test_a_list_does_not_go_on_with_the_numbers_of_the_one_before():
    body = "<ol><li>Badge</li></ol><ol><li>Photo</li></ol><ol start='2'><li>Laptop</li></ol><ul><li>Key</li></ul>"
    assert blocks(body) == [(ITEM, "1. Badge"), (ITEM, "1. Photo"), (ITEM, "2. Laptop"), (ITEM, "- Key")]


def test_xml_is_read_as_records_and_paragraphs():
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><policies xmlns="urn:x"><!-- unseen -->'
        '<policy id="7"><name>Elternzeit für Väter</name><days>25</days>'
        "<text>You get <b>25</b> days.</text></policy></policies>"
    )
    found = parse(text.encode("latin-1"), "a.xml").blocks
    assert [block.text for block in found] == [
        "id: 7\nname: Elternzeit für Väter\ndays: 25",
        "You get 25 days.",
    ]


def test_a_page_of_xml_is_a_page():
    page = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Leave</h1></body></html>'
    )
    assert [block.kind for block in parse(page.encode(), "a.xhtml").blocks] == [HEADING]


def test_words_that_may_be_parted_stay_whole():
    assert blocks("<p>Urlaubs&shy;antrag</p>") == [(TEXT, "Urlaubsantrag")]


def test_the_foot_of_a_table_is_no_second_header():
    rows = "<thead><tr><th>City<th>Rate</thead><tr><td>Ulm<td>40<tfoot><tr><td>Sum<td>80</tfoot>"
    assert blocks(f"<table>{rows}</table>") == [
        (TABLE, "| City | Rate |\n| --- | --- |\n| Ulm | 40 |\n| Sum | 80 |")
    ]

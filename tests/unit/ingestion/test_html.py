"""HTML: all that a reader sees, and each value under its heading."""

import pytest

from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT
from retrieval.ingestion.parsing import parse
from retrieval.ingestion.parsing.detection import is_html


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


def test_all_parts_of_a_definition_are_those_of_the_page():
    parts = "<p>Paid by the firm.</p><p>Not by you.</p><ul><li>Bonn</li></ul>"
    body = f"<dl><dt>Hotel</dt><dt>Inn</dt><dd>{parts}</dd><dt>Call</dt><dd><pre>run()</pre></dd></dl>"
    assert blocks(body) == [
        (TEXT, "Hotel\nInn\n: Paid by the firm."),
        (TEXT, "Not by you."),
        (ITEM, "- Bonn"),
        (TEXT, "Call"),
        (CODE, "run()"),
    ]


def test_code_may_show_a_fence():
    body = "<pre>```python\nrun()\n```</pre><h2>Next</h2>"
    assert blocks(body) == [(CODE, "```python\nrun()\n```"), (HEADING, "Next")]


def test_lines_of_code_end_where_the_page_breaks_them():
    assert blocks("<pre>one<br>two</pre>") == [(CODE, "one\ntwo")]


def test_emphasis_within_a_word_leaves_no_marks():
    assert blocks("<p><b>Rule:</b>Book <del>late</del>early, <i>a</i>b</p>") == [
        (TEXT, "Rule:Book lateearly, ab")
    ]


def test_what_is_centred_does_not_run_into_what_follows():
    assert blocks("<center><b>Leave</b></center>You get 25 days.") == [
        (TEXT, "Leave"),
        (TEXT, "You get 25 days."),
    ]


@pytest.mark.parametrize("mark", ["<a href='#x'>¶</a>", "<a href='#x' class='headerlink'>\uf0c1</a>"])
def test_the_link_of_a_heading_to_itself_is_no_part_of_it(mark):
    assert blocks(f"<h2>Leave{mark}</h2><p>25 days.</p>") == [(HEADING, "Leave"), (TEXT, "25 days.")]


TEXT_OF_A_PAGE = "You get 25 days of leave a year, and more of them with the years. " * 4


@pytest.mark.parametrize(
    "bar",
    [
        "<table><tr><th colspan=2>Leave</th></tr>"
        "<tr><td><a accesskey='p' href='1'>Prev</a></td><td><a accesskey='n' href='2'>Next</a></td></tr></table>",
        "<div>Next: <a href='2' rel='next'>Pay</a> [<a href='i' rel='index'>Index</a>]</div>",
        "<div class='navbar fixed-top'><ul><li><a href='1'>Home</a></li></ul></div>",
        "<div role='dialog'><h4>Search</h4></div>",
    ],
)
def test_bars_that_lead_to_other_pages_are_left_out(bar):
    assert blocks(f"{bar}<p>{TEXT_OF_A_PAGE}</p>") == [(TEXT, TEXT_OF_A_PAGE.strip())]


def test_a_part_about_navigation_is_kept():
    body = f"<p>{TEXT_OF_A_PAGE}</p><div class='navigation'><h2>Navigation</h2><p>Turn left.</p></div>"
    assert blocks(body)[1:] == [(HEADING, "Navigation"), (TEXT, "Turn left.")]


@pytest.mark.parametrize(
    "table",
    [
        "<tr><td>Book early.</td></tr><tr><td>Go by train.</td></tr>",
        "<tr><td><p>Book early.</p><p>Go by train.</p></td><td></td></tr>",
    ],
)
def test_a_table_of_one_column_or_one_row_of_paragraphs_only_places_them(table):
    assert blocks(f"<table>{table}</table>") == [(TEXT, "Book early."), (TEXT, "Go by train.")]


def test_a_note_aside_in_an_article_is_kept_and_a_list_of_links_is_not():
    links = "<aside><a href='1'>Pay</a> <a href='2'>Travel</a></aside>"
    body = f"<article><h1>Leave</h1><p>25 days.</p><aside>Ask in time.</aside>{links}</article>"
    assert blocks(body) == [(HEADING, "Leave"), (TEXT, "25 days."), (TEXT, "Ask in time.")]


@pytest.mark.parametrize(
    "table",
    [
        "<colgroup><col width=9><col></colgroup><tr><td>City</td><td>Rate</td></tr><tr><td>Rome</td><td>9</td></tr>",
        "<col><tr><td>City</td><td>Rate</td></tr><tbody><tr><td>Rome</td><td>9</td></tr></tbody>",
        "<tbody><tr><td>City</td><td>Rate</td></tr></tbody><tbody><tr><td>Rome</td><td>9</td></tr></tbody>",
        "<thead><tr><td>City</td><th>Rate</th></tr></thead><tr><td>Rome</td><td>9</td></tr>",
        "<tfoot><tr><td>Rome</td><td>9</td></tr></tfoot><tbody><tr><td>City</td><td>Rate</td></tr></tbody>",
    ],
)
def test_the_first_row_is_the_header_whatever_stands_around_the_rows(table):
    assert blocks(f"<table>{table}</table>") == [(TABLE, "| City | Rate |\n| --- | --- |\n| Rome | 9 |")]


def test_a_caption_stands_above_its_table():
    rows = "<tr><td>City</td><td>Rate</td></tr><tr><td>Rome</td><td>9</td></tr>"
    assert blocks(f"<table><caption>Rates</caption>{rows}</table>") == [
        (TEXT, "Rates"),
        (TABLE, "| City | Rate |\n| --- | --- |\n| Rome | 9 |"),
    ]


def test_the_lines_of_the_source_are_none_of_the_page():
    page = "<p>The limit is\n1<i></i>. of May,\n- as agreed -\nand no later.</p>"
    assert blocks(page) == [(TEXT, "The limit is 1. of May, - as agreed - and no later.")]


def test_the_table_of_contents_that_word_writes_is_left_out():
    assert blocks("<p class=MsoToc1>1 Scope 3</p><h1>1 Scope</h1><p>All.</p>") == [
        (HEADING, "1 Scope"),
        (TEXT, "All."),
    ]


def test_many_comments_at_the_top_are_passed_over():
    """Where each may end at any later one, thirty cost as much as a thousand million."""
    comments = "<!-- a line -->\n" * 30
    assert is_html(f"{comments}<html><body>", "")
    assert not is_html(f"{comments}<settings>", "")

"""Markdown that is about markup."""

import time

from retrieval.ingestion.blocks import CODE, HEADING, ITEM, TABLE, TEXT
from retrieval.ingestion.parsing import parse


def blocks(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parse(text.encode(), "page.md").blocks]


def test_code_keeps_its_templates_and_comments():
    text = "```jinja\n{% for x in xs %}\n{{ x }}\n```\n\n~~~html\n<!-- a -->\n~~~\n\nWrite `<%= b %>`.\n"
    assert blocks(text) == [
        (CODE, "{% for x in xs %}\n{{ x }}"),
        (CODE, "<!-- a -->"),
        (TEXT, "Write <%= b %>."),
    ]


def test_templates_and_comments_around_code_are_left_out():
    text = "{% note %}\n# A\n\n```\nb\n```\n\n<!--\n```\nc\n```\n-->\nd {# #}\n{% endnote %}\n"
    assert blocks(text) == [(HEADING, "A"), (CODE, "b"), (TEXT, "d {# #}")]


def test_a_list_begins_with_its_own_number():
    assert blocks("0. Prepare\n1. Begin\n\n7) Go on\n") == [
        (ITEM, "0. Prepare"),
        (ITEM, "1. Begin"),
        (ITEM, "7. Go on"),
    ]


def test_what_is_never_closed_is_text():
    assert blocks("{% a %}One {% two\n\nthree %} four <% five\n") == [(TEXT, "One four <% five")]
    assert blocks("One <!-- two\n\nthree {% four\n") == [(TEXT, "One <!-- two"), (TEXT, "three {% four")]


def test_thousands_that_are_never_closed_take_no_longer_than_as_many_that_are():
    def took(text: str) -> float:
        began = time.process_time()
        assert len(blocks(text * 10_000)) == 10_000
        return time.process_time() - began

    assert took("a {% b <% c\n\n") < 8 * took("a {% b %} c\n\n")


def test_headings_tables_and_lists_may_be_written_as_html():
    table = "<table>\n<tr><th>City</th><th>Rate</th></tr>\n<tr><td>Ulm</td><td>40</td></tr>\n</table>"
    text = (
        f'<h1 align="center">Travel</h1>\n\n<p>Book <b>early</b>.</p>\n\n{table}\n\n<ul><li>Bonn</li></ul>\n'
    )
    assert blocks(text) == [
        (HEADING, "Travel"),
        (TEXT, "Book early."),
        (TABLE, "| City | Rate |\n| --- | --- |\n| Ulm | 40 |"),
        (ITEM, "- Bonn"),
    ]

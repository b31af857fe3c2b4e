"""The document page shows the text of a passage, all of it and nothing else."""

import pytest

from retrieval.rendering import to_html


@pytest.mark.parametrize(
    "text",
    ["Run __init__.py and **kwargs once.", r"It lies in C:\_temp and \\host\*.", "A * B * C is *not* it."],
)
def test_the_signs_of_a_text_stay(text):
    assert to_html(text) == f"<p>{text}</p>\n"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("5. Sign it\n6. Send it", ["5", "6"]), ("7. East\n9. West", ["7", "9"]), ("1984. A novel", ["1984"])],
)
def test_items_keep_their_numbers(text, numbers):
    html = to_html(text)
    assert [part.split('"')[0] for part in html.split('<li value="')[1:]] == numbers


def test_bullets_have_no_numbers():
    assert "<li>one</li>" in to_html("- one\n- two")


def test_a_line_that_was_wrapped_by_hand_runs_on():
    line = "The public (bank) holidays of the country where you usually do your"
    assert to_html(f"{line}\nwork come on top.") == f"<p>{line} work come on top.</p>\n"


def test_short_lines_stay_lines():
    assert to_html("Reception\n1 Long Lane\nFernhill").count("<br>") == 2

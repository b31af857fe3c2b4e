"""Citations are checked and normalised however the model writes and however the stream is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering.citations import CitationFilter, renumber


def filtered(text, known=(1, 2, 3, 4, 5), size=None):
    citations = CitationFilter(known)
    pieces = [text] if size is None else [text[i : i + size] for i in range(0, len(text), size)]
    return "".join(citations.feed(piece) for piece in pieces) + citations.flush(), citations.cited


@pytest.mark.parametrize("size", [None, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("written", "shown", "cited"),
    [
        ("You get 28 days [1].", "You get 28 days [1].", [1]),
        ("Both [1, 2].", "Both [1][2].", [1, 2]),
        ("Both [2][1].", "Both [2][1].", [2, 1]),
        ("Both [2; 1] and [1].", "Both [2][1] and [1].", [2, 1]),
        ("A footnote[^3].", "A footnote[3].", [3]),
        ("Wide 【4】 ones 【2†source】.", "Wide [4] ones [2].", [4, 2]),
        ("A range [1-3], [4–5].", "A range [1][2][3], [4][5].", [1, 2, 3, 4, 5]),
        ("Named [Source 2], [sources: 1 and 3].", "Named [2], [1][3].", [2, 1, 3]),
        ("Unknown [9].", "Unknown.", []),
        ("Half known [1, 9].", "Half known [1].", [1]),
        ("A huge range [4-999999999].", "A huge range [4][5].", [4, 5]),
        ("A target [1](https://evil.example/x).", "A target [1].", [1]),
        ("Unknown target [8](https://evil.example).", "Unknown target.", []),
        ("An aside [1](as we said).", "An aside [1](as we said).", [1]),
        ("A [link](https://example.org) stays.", "A [link](https://example.org) stays.", []),
        ("A box [x] and [ ] stay.", "A box [x] and [ ] stay.", []),
        ("Code `a[0]` and `b[9]` [1].", "Code `a[0]` and `b[9]` [1].", [1]),
        ("```\nrow[7]\n```\nThen [1] and [7].", "```\nrow[7]\n```\nThen [1] and.", [1]),
        ("~~~\nrow[7]\n~~~\n[2]", "~~~\nrow[7]\n~~~\n[2]", [2]),
        ("About ~3 days, ~~not~~ [7] four [1].", "About ~3 days, ~~not~~ four [1].", [1]),
        ("``a`[7]`` [2]", "``a`[7]`` [2]", [2]),
        ("A lone ` tick [7]\n\nends [7] here [1].", "A lone ` tick [7]\n\nends here [1].", [1]),
        ("Cut off [1", "Cut off", []),
        ("Brackets [as we say] stay [1]", "Brackets [as we say] stay [1]", [1]),
    ],
)
def test_citations_are_normalised_wherever_the_stream_is_cut(written, shown, cited, size):
    assert filtered(written, size=size) == (shown, cited)


@pytest.mark.parametrize("size", [None, 1, 2])
@pytest.mark.parametrize(
    ("written", "unanswered"),
    [
        ("[0] The documents do not say.", True),
        ("The documents do not say 【0】.", True),
        ("You get 28 days [1].", False),
        ("See [10].", False),
        ("All of [0-2].", False),
        ("Code `a[0]` counts from nought [1].", False),
    ],
)
def test_nought_says_that_no_passage_answers(written, unanswered, size):
    citations = CitationFilter((1, 2))
    for at in range(0, len(written), size or len(written)):
        citations.feed(written[at : at + (size or len(written))])
    citations.flush()
    assert citations.unanswered is unanswered


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[", "]", "1", "9", "`", "```", "~", "~~~", "\n", " ", "(", ")", "【", "a", ", ", "-", "^"]
        )
    ),
    st.integers(1, 4),
)
def test_how_the_stream_is_cut_never_changes_the_text(pieces, size):
    text = "".join(pieces)
    assert filtered(text, size=size) == filtered(text)


def test_plain_words_are_passed_on_at_once():
    citations = CitationFilter([1])
    assert citations.feed("You get") == "You get"
    assert citations.feed(" 28 days") == " 28 days"


def test_little_is_held_back_when_a_bracket_never_closes():
    citations = CitationFilter([1])
    shown = "".join(citations.feed("x" if i else "[") for i in range(200))
    assert len(shown) > 100


def test_a_chunk_keeps_its_number_and_new_ones_get_unused_numbers():
    assert renumber([(1, 70), (2, 80), (3, 90)], [80, 11, 70, 12]) == [(2, 80), (4, 11), (1, 70), (5, 12)]


def test_first_numbers_follow_the_ranking():
    assert renumber([], [70, 80]) == [(1, 70), (2, 80)]

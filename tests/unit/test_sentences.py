from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import marks, score_sentences, spans, trim

HANDBOOK = """Annual leave. Every employee gets 25 days of annual leave, e.g. for holidays, in the U.S. 20 days.
Unused days lapse in March! Ask Dr. Smith about exceptions.

- Book it in the portal
- Tell your manager

The canteen opens at noon. It serves soup."""
TABLE = "| plan | days |\n| --- | --- |\n| gold | 30 |\n| silver | 25 |\n| bronze | 20 |"
FILLER = "The canteen serves soup at noon and closes at two. " * 12


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def test_sentences_end_at_stops_but_not_at_abbreviations():
    assert sentences(HANDBOOK)[:4] == [
        "Annual leave.",
        "Every employee gets 25 days of annual leave, e.g. for holidays, in the U.S. 20 days.",
        "Unused days lapse in March!",
        "Ask Dr. Smith about exceptions.",
    ]


def test_items_of_a_list_and_rows_of_a_table_stand_alone():
    assert "- Tell your manager" in sentences(HANDBOOK)
    assert len(sentences(TABLE)) == 5


def test_a_line_that_was_wrapped_goes_on():
    wrapped = (
        "This line was wrapped by the program that made the file, at about eighty\ncharacters, and goes on."
    )
    assert sentences(wrapped) == [wrapped]


@given(st.text(max_size=400))
def test_sentences_are_ranges_in_order_that_lose_no_word(text):
    ranges = spans(text)
    assert all(start < end for start, end in ranges)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    assert "".join("".join(text[a:b].split()) for a, b in ranges) == "".join(text.split())


def test_the_sentence_that_answers_scores_best():
    best = max(score_sentences("How many days of annual leave?", [HANDBOOK]), key=lambda one: one.score)
    assert "25 days" in HANDBOOK[best.start : best.end]


def test_marks_are_few_and_hold_the_answer():
    marked = marks("How many days of annual leave?", ["Parking is free.", HANDBOOK], most=2)
    assert sum(map(len, marked)) <= 2
    assert any("25 days" in HANDBOOK[start:end] for start, end in marked[1])


def test_nothing_is_marked_where_nothing_matches():
    assert marks("zebra", [HANDBOOK, ""]) == [[], []]


def test_trimming_keeps_the_answer_within_the_share():
    texts = [HANDBOOK + "\n\n" + FILLER, FILLER]
    trimmed = trim("How many days of annual leave?", texts, share=0.6)
    assert "25 days of annual leave" in trimmed[0]
    assert sum(map(len, trimmed)) <= 0.62 * sum(map(len, texts))
    assert "…" in "".join(trimmed)


def test_a_row_that_stays_keeps_its_header():
    trimmed = trim("bronze plan", [TABLE + "\n\n" + FILLER * 3], share=0.15)
    assert "| bronze | 20 |" in trimmed[0]
    assert "| plan | days |\n| --- | --- |" in trimmed[0]


def test_little_text_is_left_as_it_is():
    assert trim("leave", ["Annual leave. Parking."]) == ["Annual leave. Parking."]
    assert trim("leave", []) == []

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical.analysis import query_terms, terms
from retrieval.lexical.bm25 import LuceneBM25
from retrieval.segmentation import spans
from retrieval.sentences import Context, marks, score_sentences, trim
from retrieval.wordcounts import LENGTH, bm25, postings

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


def test_thousands_of_stops_take_no_longer_than_as_many_sentences():
    def took(text: str) -> float:
        began = time.process_time()
        assert spans(text)
        return time.process_time() - began

    assert took("." * 9_999 + "x") < 8 * took("A b. " * 2_000)


def test_the_sentence_that_answers_scores_best():
    best = max(score_sentences("How many days of annual leave?", [HANDBOOK]), key=lambda one: one.score)
    assert "25 days" in HANDBOOK[best.start : best.end]


def test_marks_are_few_and_hold_the_answer():
    marked = marks("How many days of annual leave?", ["Parking is free.", HANDBOOK], most=2)
    assert sum(map(len, marked)) <= 2
    assert any("25 days" in HANDBOOK[start:end] for start, end in marked[1])


LIMITS = """They hold from 1 March on.

| City | Hotel limit |
| --- | --- |
| Oslo | 110 EUR |
| Porto | 117 EUR |
| Lyon | 138 EUR |
| Graz | 145 EUR |"""


def test_the_row_of_a_table_that_answers_is_marked_with_its_heads():
    marked = marks("hotel limit Lyon", [LIMITS])
    said = [LIMITS[start:end] for start, end in marked[0]]
    assert said[-2:] == ["| City | Hotel limit |", "| Lyon | 138 EUR |"]


def test_rows_that_are_alike_are_not_marked_for_their_heads():
    marked = marks("hotel limit in EUR", [LIMITS])
    assert not any("EUR" in LIMITS[start:end] for start, end in marked[0])


def test_nothing_is_marked_where_nothing_matches():
    assert marks("zebra", [HANDBOOK, ""]) == [[], []]


def test_a_german_date_ends_no_sentence():
    text = "Der Anspruch verfällt am 31. März des Folgejahres. Es gibt 31. Das ist viel."
    said = [text[start:end] for start, end in spans(text)]
    assert said == ["Der Anspruch verfällt am 31. März des Folgejahres.", "Es gibt 31.", "Das ist viel."]


def test_each_text_is_read_in_its_own_language():
    german = "Ohne Helm darf niemand hinein. Freundlichkeiten zählen hier viel."
    english = "Kindness counts for much. It is friendly to wait."
    marked = marks(
        "Is it freundlich or friendly?", [german, english], Context(languages=("de", "en")), most=2
    )
    said = [
        [text[start:end] for start, end in ranges]
        for text, ranges in zip((german, english), marked, strict=True)
    ]
    assert said == [["Freundlichkeiten zählen hier viel."], ["It is friendly to wait."]]


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


SECTIONS = """Lost devices

Report it within the hour, day or night. The desk locks the device from afar.

Suspicious messages

Report it with the button in the mail program. The desk looks into each of them."""


def best(question: str, texts: list[str], context: Context | None = None) -> str:
    found = max(score_sentences(question, texts, context or Context()), key=lambda one: one.score)
    return texts[found.passage][found.start : found.end]


def test_the_sentences_below_a_heading_are_about_what_it_says():
    scores = {SECTIONS[one.start : one.end]: one.score for one in score_sentences("lost device?", [SECTIONS])}
    reports = [score for sentence, score in scores.items() if sentence.startswith("Report it")]
    assert reports[0] > 2 * reports[1]


def test_words_of_one_family_are_alike_but_less_than_the_word_itself():
    family, other = "Probation lasts three months.", "Leave lasts three weeks."
    question = "probationary period?"
    assert best(question, [f"{other} {other} {family}"]) == family
    same = "A probationary contract is short."
    assert best(question, [f"{family} {other} {other} {other} {same}"]) == same


def test_a_verb_is_found_by_its_other_forms():
    lost = "Lost devices are locked from afar."
    assert best("What if I lose my phone?", [f"The canteen serves soup. It is warm. {lost}"]) == lost


def test_a_passage_whose_heading_names_what_is_asked_for_goes_first():
    texts = ["You get five days a year.", "You get two days a year."]
    heads = ("Handbook\nCarer's leave", "Handbook\nSpecial leave › Wedding")
    assert best("How many days do I get for my wedding?", texts, Context(heads, (0.5, 0.5))) == texts[1]


def test_sentences_of_a_passage_that_search_prefers_by_far_go_first():
    texts = ["Leave is for everyone.", "Leave is for employees."]
    assert best("Who has leave?", texts, Context(worth=(1.0, 0.2))) == texts[0]
    assert best("Who has leave?", texts, Context(worth=(0.2, 1.0))) == texts[1]


def test_one_strong_sentence_is_marked_with_one_other_and_four_that_are_alike_all():
    weak = " ".join(f"Something else about days in office number {number}." for number in range(6))
    strong = "Employees get 25 days of annual leave."
    question = "How many days of annual leave do employees get?"
    assert sum(map(len, marks(question, [f"{strong} {weak}"]))) == 2
    alike = [strong.replace("25", str(days)) for days in range(20, 26)]
    assert sum(map(len, marks(question, alike, Context(worth=(1.0,) * 6)))) == 4


def test_words_score_as_rank_bm25_scores_them():
    texts = [*sentences(HANDBOOK), *sentences(SECTIONS)]
    read, wanted = [terms(one) for one in texts], query_terms("annual leave in the portal")
    expected = LuceneBM25(read, b=LENGTH).get_scores(wanted)
    words, _ = postings(read)
    assert bm25(wanted, [(0, words)], [len(one) for one in read]) == pytest.approx(expected)

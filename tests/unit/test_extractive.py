"""Answers quoted from the passages: readable, sourced, never invented."""

import re

import pytest

from answering.citations import CitationFilter
from answering.extractive import LEAD_IN, extract
from retrieval.passages import Passage

LEAVE = (
    "Welcome to the handbook. Full-time employees get 28 days of annual leave a year. "
    "Part-time employees get a share of it. The office dog is called Rex."
)
TABLE = """Limits for travel expenses.

| Item | Limit | Per |
| --- | --- | --- |
| Hotel | 140 EUR | night |
| Meals | 40 EUR | day |"""
LIST = """A receipt for expenses must:

- show the date of purchase
- be handed in within 30 days
- name the supplier"""


def passage(text, n=1):
    return n, Passage(n, "d", "hr", 1, "Handbook", "", None, 0, text, "h", 0.0)


def body(answer):
    lead_in, _, rest = answer.partition("\n\n")
    assert lead_in == LEAD_IN
    return rest


def test_the_sentence_that_answers_is_quoted_with_its_number():
    answer = extract("How many days of annual leave do employees get?", [passage(LEAVE, n=4)], most=1)
    assert body(answer) == "> Full-time employees get 28 days of annual leave a year. [4]"


def test_nothing_is_said_when_nothing_fits():
    assert extract("What is the airspeed velocity of an unladen swallow?", [passage(LEAVE)]) == ""
    assert extract("How many days of leave?", []) == ""


def test_a_weak_sentence_is_not_quoted_before_the_best_one():
    text = "Check the workplace at home yearly. Ask the desk team. We do not pay for internet access at home."
    answer = body(extract("Do you pay for internet access at home?", [passage(text)]))
    assert answer.startswith("> We do not pay for internet access")


def test_a_sentence_is_not_quoted_twice_when_the_next_one_leans_on_it():
    text = "Engineers on call carry the phone. They get a bonus for each call with the phone."
    answer = body(extract("What do engineers get for each call with the phone?", [passage(text)]))
    assert answer.count("carry the phone") == 1


def test_each_passage_has_its_own_quote_best_first():
    other = passage("Annual leave days must be approved by your manager.", n=2)
    asked = "Which annual leave days do employees get a year, and who must approve them?"
    answer = body(extract(asked, [passage(LEAVE), other]))
    assert answer.index("28 days") < answer.index("[1]") < answer.index("approved by") < answer.index("[2]")


def test_a_quote_that_says_no_more_of_the_question_is_left_out():
    ill = passage("If you fall ill during annual leave, report it on the same day.", n=2)
    asked = "How many days of annual leave do full-time employees get?"
    assert body(extract(asked, [passage(LEAVE), ill])).count("> ") == 1
    fallen = body(extract(f"{asked[:-1]} when they fall ill?", [passage(LEAVE), ill]))
    assert "28 days" in fallen
    assert "fall ill" in fallen


def test_a_single_further_word_of_the_question_is_no_reason_for_a_quote():
    home = passage("Customer data are never printed at home.", n=2)
    child = passage("You may take five days a year to care for a sick child. The parents share them.")
    answer = body(extract("My child is sick, may I take days at home?", [child, home]))
    assert answer.startswith("> You may take five days")
    assert "[2]" not in answer


def test_a_table_row_is_told_with_the_heads_of_its_columns():
    answer = extract("What is the limit for meals?", [passage(TABLE)], most=1)
    assert body(answer) == "> Item: Meals; Limit: 40 EUR; Per: day. [1]"


def test_rows_beside_the_one_that_answers_are_not_quoted():
    rows = "\n".join(f"| Plan {n} for small teams | {n}0 EUR | {n} users |" for n in range(33, 42))
    table = f"| Plan | Monthly price | Seats |\n| --- | --- | --- |\n{rows}"
    answer = extract("What is the monthly price of Plan 37?", [passage(table)])
    assert body(answer) == "> Plan: Plan 37 for small teams; Monthly price: 370 EUR; Seats: 37 users. [1]"


def test_a_list_item_is_told_with_the_line_that_introduces_it():
    answer = extract("When must a receipt be handed in, how many days?", [passage(LIST)], most=1)
    assert body(answer) == "> A receipt for expenses must: be handed in within 30 days [1]"


def test_items_of_one_list_share_their_introduction():
    answer = extract("Which date of purchase and name of supplier must be on it?", [passage(LIST)], most=2)
    assert body(answer) == "> A receipt for expenses must: show the date of purchase; name the supplier [1]"


def test_a_heading_that_asks_gives_way_to_the_answer_below_it():
    text = (
        "How many days of leave do I get?\nEverybody has 28 of them.\nCan I carry days over?\nFive at most."
    )
    answer = body(extract("How many days of leave do I get?", [passage(text)], most=1))
    assert answer == "> Everybody has 28 of them. [1]"


def test_a_sentence_that_leans_on_the_one_before_brings_it_along():
    text = "The garage belongs to the landlord. It opens at six for cyclists."
    answer = body(extract("When does it open for cyclists?", [passage(text)], most=1))
    assert answer == "> The garage belongs to the landlord. It opens at six for cyclists. [1]"


@pytest.mark.parametrize(
    ("text", "asked", "quoted"),
    [
        ("- Will the depot move? No decision before May.\n- Will we get a canteen? In spring.", "Will the depot move?",
         "Will the depot move? No decision before May."),
        ("May guests eat here?\n\nYes. Their hosts pay the price for guests.", "What do guests pay?",
         "May guests eat here? Yes. Their hosts pay the price for guests."),
        ("Guests\n\nOur guests may eat here. No, they do not pay; a guest is free.", "Is a guest free?",
         "No, they do not pay; a guest is free."),
    ],
)  # fmt: skip
def test_a_yes_or_no_is_quoted_with_its_question_and_what_goes_on_from_it(text, asked, quoted):
    assert body(extract(asked, [passage(text)], most=1)) == f"> {quoted} [1]"


def test_it_in_capitals_is_no_word_that_leans_on_the_sentence_before():
    text = "Reception hands out the badge. IT sets up the account on the first day."
    assert body(extract("Who sets up the account?", [passage(text)], most=1)) == (
        "> IT sets up the account on the first day. [1]"
    )


def test_a_numbered_heading_gives_its_sentences_and_is_not_quoted():
    text = (
        "1. Last meeting\n\nThe minutes were approved by all.\n\n2. Forklift incident of 2 March\n\n"
        "Nobody was hurt. A tip was worn.\n\n3. Other business\n\nThe next drill is in May."
    )
    assert body(extract("What about the forklift incident of 2 March?", [passage(text)], most=2)) == (
        "> Nobody was hurt. A tip was worn. [1]"
    )


def test_the_items_of_a_numbered_list_are_no_headings():
    text = "Bring to the first day:\n\n1. Signed contract\n\n2. Valid passport photo\n\n3. Bank details"
    answer = body(extract("Which photo for the passport?", [passage(text)], most=1))
    assert answer == "> Bring to the first day: Valid passport photo [1]"


def test_the_box_of_a_list_of_things_to_do_is_not_quoted():
    text = "## First day\n\n- [ ] Reception hands out the badge.\n- [ ] Lunch with the team."
    assert body(extract("Who hands out the badge?", [passage(text)], most=1)) == (
        "> Reception hands out the badge. [1]"
    )


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ("[^1]", "(1)"),
        ("[2]", "(2)"),
        ("[Source 2]", "(Source 2)"),
        ("【1】", "(1)"),
        ("［2］", "(2)"),
        ("[1†L4]", "(1†L4)"),
        ("[1 and 2]", "(1 and 2)"),
        ("[00002]", "(00002)"),
        ("[Source 99]", "(Source 99)"),
    ],
)
def test_what_a_document_says_passes_for_no_citation(written, quoted):
    text = f"Full-time employees get 28 days of annual leave {written} in a calendar year."
    answer = extract(
        "How many days of annual leave do employees get?", [passage(text), passage(LIST, 2)], most=1
    )
    seen = CitationFilter([1, 2])
    shown = seen.feed(answer) + seen.flush()
    assert (
        body(shown) == f"> Full-time employees get 28 days of annual leave {quoted} in a calendar year. [1]"
    )
    assert seen.cited == [1]


def test_cells_of_a_table_make_no_citation_together():
    text = "| annual leave is shown under [1 | 2] in the plan |"
    answer = extract("What is annual leave shown under?", [passage(text), passage(LIST, 2)], most=1)
    assert body(answer) == "> annual leave is shown under (1; 2) in the plan [1]"


def test_references_inside_a_document_are_not_taken_for_citations():
    answer = body(extract("Who approves annual leave?", [passage("Managers approve annual leave, see [2].")]))
    assert re.findall(r"\[\d+\]", answer) == ["[1]"]


def test_a_long_sentence_is_cut_between_words():
    text = "Annual leave " + " ".join(f"condition{i}" for i in range(200)) + " end."
    answer = body(extract("What are the conditions of annual leave?", [passage(text)]))
    assert len(answer) < 450
    assert re.search(r"condition\d+ … \[1\]$", answer)
    assert re.search(r"condition(\d+) …", answer).group(1) in {str(i) for i in range(200)}


def test_every_word_comes_from_the_passages():
    answer = body(
        extract("What is the limit for hotel and meals expenses?", [passage(TABLE), passage(LIST, 2)])
    )
    words = set(re.findall(r"\w+", re.sub(r"\[\d+\]", "", answer)))
    assert words <= set(re.findall(r"\w+", TABLE + LIST))


def test_a_sentence_with_a_number_goes_first_where_a_number_is_asked_for():
    other = passage("The days of annual leave that you get you plan with your team.", n=2)
    numbered = passage("Employees get 28 days of annual leave.", n=1)
    assert "[1]" in extract("How many days of annual leave do I get?", [other, numbered], most=1)
    assert "[2]" in extract("Which days of annual leave do I get?", [other, numbered], most=1)

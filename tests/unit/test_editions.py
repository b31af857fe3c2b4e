import pytest

from retrieval.dedupe import fold
from retrieval.editions import name, newest_first
from retrieval.passages import Passage

HOTELS = "A night in a hotel may cost up to {} euros, breakfast included. Book it through the travel desk in good time."


def passage(
    chunk: int, title: str, text: str = HOTELS.format(120), *, heading: str = "Hotels", at: float = 0.0
):
    return Passage(chunk, title, "people", 1, title, heading, None, 0, text, "", at, score=1 / chunk)


def titles(passages: list[Passage]) -> list[str]:
    return [one.title for one in passages]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Travel policy 2024", "Travel policy 2026"),
        ("2024-11 Travel policy", "2025-02 Travel policy"),
        ("travel_policy_v9.pdf", "travel_policy_v10.pdf"),
        ("Travel policy, version 2.1", "Travel policy, version 3"),
        ("Travel policy (superseded)", "Travel policy"),
        ("Travel policy 2026 (draft)", "Travel policy 2025"),
    ],
)
def test_the_newest_edition_stands_first_whatever_was_found_first_or_came_in_last(older: str, newer: str):
    found = [passage(1, older, at=9.0), passage(2, "Cars", "Cars."), passage(3, newer, HOTELS.format(150))]
    ordered = fold(found, "What may a hotel cost?")
    assert titles(ordered) == [newer, "Cars", older]
    assert [one.score for one in ordered] == [one.score for one in found]


def test_without_a_year_or_version_the_one_that_came_in_last_stands_first():
    found = [passage(1, "Travel", at=1.0), passage(2, "Travel (final)", HOTELS.format(150), at=2.0)]
    assert titles(newest_first(found, "hotel")) == ["Travel (final)", "Travel"]


@pytest.mark.parametrize("question", ["What might a hotel cost in 2024?", "travel policy 2024"])
def test_the_edition_that_is_asked_for_stands_first(question: str):
    found = [passage(1, "Travel policy 2024"), passage(2, "Travel policy 2026", HOTELS.format(150))]
    assert titles(newest_first(found, question)) == ["Travel policy 2024", "Travel policy 2026"]


def test_sheets_made_from_one_form_stay_in_the_order_of_what_is_asked_for():
    form = "The {} runs on mains power, weighs four kilograms and is cleaned with a dry cloth after each use."
    found = [passage(1, "Sheet 1001", form.format("Falcon")), passage(2, "Sheet 1002", form.format("Eagle"))]
    assert titles(newest_first(found, "What does the Falcon weigh?")) == ["Sheet 1001", "Sheet 1002"]
    assert titles(newest_first(found, "What weighs four kilograms?")) == ["Sheet 1002", "Sheet 1001"]


@pytest.mark.parametrize(
    "other",
    [
        passage(2, "Car policy 2026", HOTELS.format(150)),
        passage(2, "Travel policy 2026", HOTELS.format(150), heading="Meals"),
        passage(2, "Travel policy 2026", "Rooms are paid by whoever sent you, and nothing else is."),
        passage(2, "Travel policy 2024", HOTELS.format(150), at=9.0),
    ],
    ids=["another title", "another part", "another text", "the same document"],
)
def test_what_is_no_other_edition_stays_where_it_is(other: Passage):
    found = [passage(1, "Travel policy 2024"), other]
    assert newest_first(found, "hotel") == found


@pytest.mark.parametrize(
    "title",
    ["Leave policy", "leave_policy_v3-final.docx", "Leave policy 3.0", "Leave policy (2024, revised)"],
)
def test_editions_have_one_name(title: str):
    assert name(title) == "leave policy"

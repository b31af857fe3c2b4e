from retrieval.dedupe import fold, runs
from retrieval.passages import Passage

TEXT = (
    "Employees may take parental leave within the first year of a birth or an adoption. The manager must be told"
    " in writing, and payroll keeps paying the usual salary. Leave that is not used by then lapses."
)


def passage(
    chunk: int,
    text: str = TEXT,
    *,
    title: str = "Leave policy",
    document: str = "a",
    ordinal: int = 0,
    at=0.0,
):
    return Passage(chunk, document, "people", 1, title, "", None, ordinal, text, "", at, score=1 / chunk)


def chunks(passages: list[Passage]) -> list[int]:
    return [one.chunk for one in passages]


def test_the_newest_of_two_revisions_stays_in_the_place_of_the_better():
    first = passage(1, title="Leave policy v3", at=10.0)
    final = passage(2, f"{TEXT} Ask the people team.", title="Leave policy v3-final", at=20.0)
    folded = fold([first, passage(3, "Parking is free.", title="Parking"), final])
    assert chunks(folded) == [2, 3]
    assert folded[0].score == first.score


def test_the_revision_that_is_asked_for_stays_though_another_is_newer():
    third = passage(1, title="Leave policy 3.0", at=10.0)
    fourth = passage(2, title="Leave policy 4.0", at=20.0)
    assert chunks(fold([third, fourth], "What did leave policy 3.0 say?")) == [1]
    assert chunks(fold([third, fourth], "What does the leave policy say?")) == [2]


def test_texts_that_differ_in_a_number_both_stay():
    assert chunks(fold([passage(1, f"{TEXT} 20 days."), passage(2, f"{TEXT} 25 days.")])) == [1, 2]


def test_the_same_page_of_another_plan_stays():
    gold = passage(1, f"Gold plan. {TEXT}", title="Gold plan")
    silver = passage(2, f"Silver plan. {TEXT}", title="Silver plan")
    assert chunks(fold([gold, silver])) == [1, 2]


def test_the_same_page_in_two_folders_is_cited_once():
    assert chunks(fold([passage(1, title="Leave"), passage(2, title="Leave (archive)", document="b")])) == [1]


def test_neighbours_stand_together_in_the_order_of_their_document():
    found = [
        passage(5, ordinal=5),
        passage(9, document="b", ordinal=1),
        passage(4, ordinal=4),
        passage(8, ordinal=8),
    ]
    assert [chunks(run) for run in runs(found)] == [[4, 5], [9], [8]]


def test_a_run_has_an_end():
    found = [passage(at + 1, TEXT * 3, ordinal=at) for at in range(12)]
    assert max(sum(len(one.text) for one in run) for run in runs(found)) <= 2400
    assert sorted(one.chunk for run in runs(found) for one in run) == list(range(1, 13))

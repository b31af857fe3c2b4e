from dataclasses import replace

import pytest

from retrieval.fusion import fuse, reciprocal_rank
from retrieval.passages import Hit, Ranking


def leg(name: str, *hits: tuple[int, float], partial: bool = False) -> Ranking:
    return Ranking(name, tuple(Hit(chunk, score) for chunk, score in hits), partial)


LEXICAL = leg("lexical", (1, 9.0), (2, 8.0), (3, 1.0))
VECTOR = leg("vector", (2, 0.8), (4, 0.7), (1, 0.2))


def test_what_both_legs_find_comes_first():
    assert fuse("q", LEXICAL, VECTOR, k=10).chunks[0] == 2
    assert set(fuse("q", LEXICAL, VECTOR, k=10).chunks) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "legs", [(LEXICAL, None), (None, VECTOR), (LEXICAL, leg("vector")), (leg("lexical"), VECTOR)]
)
def test_one_leg_alone_keeps_its_order(legs):
    alone = next(one for one in legs if one)
    assert fuse("q", *legs, k=10).chunks == alone.chunks


def test_without_legs_there_is_nothing():
    assert fuse("q", None, None, k=10) == Ranking("fused")


def test_only_the_best_k_are_given():
    assert len(fuse("q", LEXICAL, VECTOR, k=2)) == 2


def test_scores_lie_between_zero_and_one():
    assert all(0 <= hit.score <= 1.0001 for hit in fuse("q", LEXICAL, VECTOR, k=10))


def test_the_scale_of_bm25_does_not_matter():
    tenfold = leg("lexical", *((hit.chunk, hit.score * 10) for hit in LEXICAL))
    assert fuse("q", tenfold, VECTOR, k=10).chunks == fuse("q", LEXICAL, VECTOR, k=10).chunks


def test_a_leg_that_is_sure_outweighs_one_that_finds_all_alike():
    sure = leg("lexical", (1, 30.0), *((n, 3.0) for n in range(10, 60)))
    alike = leg("vector", *((n, 0.30 - n / 10_000) for n in range(60, 110)))
    assert fuse("q", sure, alike, k=1).chunks == (1,)


def test_partial_is_handed_on():
    assert fuse("q", leg("lexical", partial=True), VECTOR, k=5).partial
    assert not fuse("q", LEXICAL, VECTOR, k=5).partial


def test_reciprocal_rank_looks_at_ranks_alone():
    assert reciprocal_rank(LEXICAL, VECTOR, k=10).chunks[0] == 2
    assert reciprocal_rank(None, VECTOR, k=10).chunks == VECTOR.chunks


def test_what_one_leg_is_first_with_stays_among_the_first():
    # Nine chunks that both legs have, each of them a little behind.
    both = range(3, 12)
    words = leg("lexical", (1, 10.0), *((chunk, 7.0) for chunk in both), (50, 1.0))
    meaning = leg("vector", (2, 0.6), *((chunk, 0.52) for chunk in both), (51, 0.4))
    assert set(fuse("q", words, meaning, k=2).chunks) == {1, 2}


RUSSIAN = "Сколько дней отпуска?"
NEAREST = (leg("lexical", (1, 9.0), (2, 8.0), (3, 1.0)), leg("vector", (4, 0.9), (3, 0.3), (2, 0.2)))


def test_a_question_in_a_script_that_the_model_cannot_read_goes_by_its_words():
    assert fuse(RUSSIAN, *NEAREST, k=2).chunks == (1, 2)
    assert fuse("How many days off?", *NEAREST, k=1).chunks == (4,)


def test_another_model_may_read_any_script():
    asked = fuse("How many days off?", *NEAREST, k=4, cosines=False)
    assert fuse(RUSSIAN, *NEAREST, k=4, cosines=False) == asked


@pytest.mark.parametrize(
    "question", ["Wie viele Tage sind für Ärzte möglich?", "Nghỉ phép", "the α of a test"]
)
def test_accents_and_single_signs_are_no_other_script(question):
    assert fuse(question, *NEAREST, k=1).chunks == (4,)


def level(name: str, best: float, first: int) -> Ranking:
    return leg(name, *((first + n, best * (1 - n / 1000)) for n in range(40)))


def steep(name: str, best: float, first: int) -> Ranking:
    return leg(name, *((first + n, best * 0.9**n) for n in range(40)))


def test_the_leg_whose_scores_fall_counts_more_than_one_that_finds_all_alike():
    by_words = fuse("q", steep("lexical", 9.0, 1), level("vector", 0.5, 100), k=40).chunks
    by_meaning = fuse("q", level("lexical", 9.0, 1), steep("vector", 0.5, 100), k=40).chunks
    assert by_words[:2] == (1, 2)
    assert by_meaning[:2] == (100, 101)


def test_a_word_that_only_few_have_says_much():
    few = leg("lexical", (1, 9.0), (2, 8.9))
    assert fuse("q", few, steep("vector", 0.5, 100), k=2).chunks == (1, 100)


def of_words(lexical: Ranking, meaning: Ranking, **more: bool) -> int:
    """Of the first twenty."""
    return sum(chunk < 100 for chunk in fuse("Urlaub", lexical, meaning, k=20, **more).chunks)


def test_how_another_model_s_cosines_fall_says_nothing():
    words, meaning = level("lexical", 9.0, 1), steep("vector", 0.9, 100)
    assert of_words(words, meaning, cosines=False) > of_words(words, meaning)


def test_where_question_and_texts_are_in_another_language_the_words_count_more():
    words, meaning = steep("lexical", 9.0, 1), steep("vector", 0.5, 100)
    german = replace(words, foreign=True)
    assert of_words(german, meaning) > of_words(words, meaning)
    assert of_words(german, meaning, cosines=False) == of_words(words, meaning, cosines=False)

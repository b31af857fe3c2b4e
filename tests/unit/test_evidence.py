from dataclasses import replace

import pytest

from retrieval.evidence import NEAR, THRESHOLD, answerability, lacks_code
from retrieval.passages import Hit, Passage, Ranking

LEAVE = "Employees get 25 days of annual leave a year. Unused days of annual leave lapse in March."
PARKING = "Parking is free for visitors."


def passage(text: str, number: int = 1, languages: str = "[]") -> Passage:
    return Passage(number, "d", "people", 1, "Handbook", "", None, 0, text, "", 0.0, languages)


def leg(name: str, *scores: float, length: int = 30) -> Ranking:
    """The scores, and then as many hits of half the last one as a small library's ranking has."""
    rest = [scores[-1] / 2] * (length - len(scores)) if scores else []
    return Ranking(name, tuple(Hit(number, score) for number, score in enumerate((*scores, *rest), 1)))


GOOD = [passage(LEAVE), passage(PARKING, 2)]
CASES = {
    "both legs": (leg("lexical", 18.0, 2.0), leg("vector", 0.72, 0.4, 0.3)),
    "words alone": (leg("lexical", 18.0, 2.0), None),
    "meaning alone": (None, leg("vector", 0.72, 0.4, 0.3)),
}
WEAK = {
    "both legs": (leg("lexical", 3.0, 2.0), leg("vector", 0.18, 0.15, 0.1)),
    "words alone": (leg("lexical", 3.0), None),
    "meaning alone": (None, leg("vector", 0.18, 0.15, 0.1)),
}


@pytest.mark.parametrize("legs", CASES)
def test_a_question_that_the_passages_answer_is_answerable(legs):
    assert answerability("How many days of annual leave do I get?", GOOD, *CASES[legs]) >= THRESHOLD


@pytest.mark.parametrize("legs", WEAK)
def test_an_off_topic_question_is_not(legs):
    question = "what size wipers does this car take"
    assert answerability(question, [passage(PARKING)], *WEAK[legs]) < THRESHOLD


def test_without_passages_nothing_is_answerable():
    assert answerability("annual leave", [], leg("lexical"), None) == 0.0


def test_more_of_the_question_in_the_passage_says_more():
    legs = CASES["both legs"]
    fewer = answerability("How many days of annual leave, zebra, quokka?", GOOD, *legs)
    assert fewer < answerability("How many days of annual leave?", GOOD, *legs)


def test_a_short_question_in_other_words_is_answerable_when_a_passage_is_near_in_meaning():
    legs = (leg("lexical", 2.0), leg("vector", 0.55, 0.2))
    assert answerability("How much holiday per year?", GOOD, *legs) >= THRESHOLD


def test_a_passage_as_near_as_a_hundred_others_says_less():
    question = "How much holiday do I have?"
    leads = answerability(question, GOOD, None, leg("vector", 0.45, 0.1))
    assert answerability(question, GOOD, None, leg("vector", *[0.45] * 30)) < leads


def test_the_same_cosine_says_less_among_many_chunks():
    few, many = (leg("vector", 0.45, 0.2, length=length) for length in (10, 100))
    question = "How much holiday do I have?"
    assert answerability(question, GOOD, None, many) < answerability(question, GOOD, None, few)


def test_scores_of_words_do_not_count_for_they_depend_on_the_library():
    question = "How many days of annual leave do I get?"
    low, high = (answerability(question, GOOD, leg("lexical", score), None) for score in (0.5, 50.0))
    assert low == high


def test_cosines_of_another_model_are_left_aside():
    legs = (leg("lexical", 18.0), leg("vector", 0.99, 0.98, 0.97))
    question = "How many days of annual leave do I get?"
    alone = answerability(question, GOOD, legs[0], None)
    assert answerability(question, GOOD, *legs, cosines=False) == alone


def test_a_question_without_content_words_does_not_fail():
    assert 0 <= answerability("what is it?", GOOD, leg("lexical"), leg("vector", 0.2)) <= 1


def test_words_count_in_the_language_of_their_passage():
    text = "Freundlichkeiten und ein offenes Ohr sind bei uns auch in der Probezeit das Wichtigste."
    legs = CASES["words alone"]

    def likely(question: str, languages: str) -> float:
        return answerability(question, [passage(text, languages=languages)], *legs)

    # Another form of the word that is asked for, and a question that shares nothing but small words.
    wanted, strange = "Ist man freundlich?", "Was ist das und bei wem ist es auch in der Sonne?"
    for declared in ("[]", '["de"]', '["en", "de"]'):
        assert likely(wanted, declared) > 2 * likely(wanted, '["en"]')
        assert likely(strange, declared) < likely(strange, '["en"]')


@pytest.mark.parametrize(("asked", "written"), [("ISO27001", "ISO 27001"), ("ISO 27001", "ISO27001")])
def test_a_name_with_a_number_may_be_written_apart_or_as_one(asked, written):
    question, legs = f"Which certificates follow {asked}?", CASES["words alone"]
    found = [passage(f"Our certificates follow {written} in all offices."), passage(PARKING, 2)]
    as_asked = [passage(f"Our certificates follow {asked} in all offices."), passage(PARKING, 2)]
    assert answerability(question, found, *legs) > 0.95 * answerability(question, as_asked, *legs)


ERROR = [passage("E0382 This error says that a variable was used after its contents were moved.")]
FAR = (leg("lexical", 9.0, length=100), leg("vector", 0.26, 0.15, length=100))


@pytest.mark.parametrize("question", ["E0382", "How do I fix e0382?", "What does error E0382 mean?"])
def test_a_code_that_a_passage_has_is_answered_however_far_its_meaning(question):
    assert answerability(question, ERROR, *FAR) >= THRESHOLD


@pytest.mark.parametrize("question", ["E0999", "How do I fix e0999?", "What happened in 2019?"])
def test_a_code_that_no_passage_has_is_not(question):
    assert answerability(question, ERROR, *FAR) < THRESHOLD


def test_a_number_of_the_asker_s_own_does_not_refuse_the_question():
    question, legs = "How many days of annual leave do I get?", CASES["both legs"]
    assert answerability(f"My ticket 4829173: {question}", GOOD, *legs) >= THRESHOLD


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("Who answers e-mail about leave?", "We answer every email about leave in a day."),
        ("How do I open/close the gate?", "You open the gate with a key, and close it with a code."),
        ("Is full-time work asked for?", "We ask for full time work in all offices."),
    ],
)
def test_a_word_of_two_counts_once_however_it_is_written(asked, written):
    legs = CASES["words alone"]
    apart = asked.replace("e-mail", "email").replace("/", " and ").replace("full-time", "full time")
    same = answerability(apart, [passage(written)], *legs)
    assert answerability(asked, [passage(written)], *legs) == pytest.approx(same)


def test_a_word_of_two_that_is_not_there_is_missed():
    legs = CASES["words alone"]
    asked = answerability("Does AT&T pay for parking?", [passage(PARKING)], *legs)
    assert asked < answerability("Do we pay for parking?", [passage(PARKING)], *legs)


def test_a_slip_of_the_keyboard_does_not_refuse_a_question():
    words, meaning = leg("lexical", 6.0, 2.0), leg("vector", 0.35, 0.2, 0.15)
    asked = "are emplyees given anuual days"
    spelt = replace(words, spelt=(("emplye", "employe"), ("anuual", "annual")))
    assert (
        answerability(asked, GOOD, words, meaning) < THRESHOLD <= answerability(asked, GOOD, spelt, meaning)
    )


@pytest.mark.parametrize(("typed", "likely"), [("annuiti", "annual"), ("yaer", "year")])
def test_a_short_word_and_one_far_from_its_likely_spelling_are_missed(typed, likely):
    words, meaning = CASES["both legs"]
    spelt = replace(words, spelt=((typed, likely),))
    assert answerability(typed, GOOD, spelt, meaning) == answerability(typed, GOOD, words, meaning)


def test_that_letters_which_the_model_cannot_read_lie_near_says_little():
    text = "Сотрудникам положено 25 дней ежегодного отпуска."
    legs = (leg("lexical", 5.0, 2.0), leg("vector", 0.8, 0.75, 0.7, length=100))
    passages = [passage(text, languages='["ru"]')]
    assert answerability("Сколько дней отпуска у сотрудников?", passages, *legs) >= THRESHOLD
    assert answerability("Где играли финал кубка?", passages, *legs) < 0.2


def test_in_another_language_less_nearness_is_enough():
    words, meaning = leg("lexical", 5.0), leg("vector", 0.5, 0.3)
    passages = [passage("Der Antrag auf Urlaub geht an die Leitung.", languages='["de"]')]
    asked = "Wer genehmigt den Urlaub im Sommer?"
    german = replace(words, foreign=True)
    assert answerability(asked, passages, german, meaning) > answerability(asked, passages, words, meaning)


@pytest.mark.parametrize(
    ("asked", "named"), [("hot weather?", True), ("Parking", True), ("parking for bikes", False)]
)
def test_a_part_that_is_asked_for_by_its_name_answers(asked, named):
    text = "Permits are at reception.\n\nHot weather\n\nWater is free above 30 degrees."
    part = replace(passage(text), heading="Parking")
    legs = (leg("lexical", 2.0), leg("vector", 0.26, 0.1))
    assert (answerability(asked, [part, passage(LEAVE, 2)], *legs) >= THRESHOLD) is named


@pytest.mark.parametrize("legs", CASES)
@pytest.mark.parametrize(
    ("asked", "answers"),
    [("price of storage ST-110", True), ("price of storage st110", True), ("price of storage ST-140", False)],
)
def test_a_code_of_a_series_that_has_not_that_one_is_only_near(legs, asked, answers):
    prices = passage(
        "The price of storage ST-100 is 3 pounds, that of storage ST-110 is 5, of ST-120 it is 7."
    )
    likely = answerability(asked, [prices], *CASES[legs])
    assert (likely >= THRESHOLD) is answers
    assert likely >= NEAR


@pytest.mark.parametrize(("asked", "lacks"), [("are we certified by ISO27001", False), ("ISO27005?", True)])
def test_a_code_may_be_written_apart(asked, lacks):
    standards = passage("We are certified by ISO 27001. Clouds are in ISO27017, privacy is in ISO27701.")
    assert lacks_code(asked, [standards]) is lacks

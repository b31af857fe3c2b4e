import pytest

from retrieval.lexical.analysis import (
    LONGEST_TERM,
    as_written,
    query_terms,
    terms,
)
from retrieval.lexical.language import asked_in, language_of
from retrieval.lexical.stopwords import LANGUAGES


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Résumés of the café", "resume cafe"),
        ("part AB-1234/5 is out", "ab-1234/5"),
        ("part AB-1234 is out", "AB1234"),
        ("since v2.3.1", "v2.3.1"),
        ("write to jo.doe@acme.com today", "jo.doe@acme.com"),
        ("write to jo.doe@acme.com today", "acme"),
        ("a budget of 10,000 euros", "10000"),
        ("a budget of €10,000", "10000"),
        ("a budget of “10,000”", "10000"),
        ("CVE-2024-1234 was fixed", "cve-2024-1234"),
        ("an e‑mail on-call", "email oncall"),
        ("our R&D team writes C++ and C#", "r&d c++ c#"),
        ("snake_case_name", "case"),
        ("ＦＵＬＬ width", "full"),
        ("employees' policies", "employee policy"),
        ("Ёлка", "елка"),
        ("年假政策", "年假"),
        ("연차 휴가는 며칠인가요", "휴가"),
        ("our U.S. office", "US"),
        ("our US office", "u.s."),
        ("the I.T. department", "IT"),
        ("İstanbul ofisi", "istanbul"),
        ("thẻ nhân viên", "thẻ"),
        ("số điện thoại", "số"),
        ("le thé vert", "thé"),
        ("كتاب الموظف", "کتاب"),
        ("إجازة الموظفين", "اجازة"),
        ("عدد ١٠ أيام", "10"),
        ("об'єкт даних", "обʼєкт"),
        ("the finance team", "fi\u00adnance"),
    ],
)
def test_what_is_typed_finds_what_is_written(written, typed):
    assert set(terms(typed)) & set(terms(written))


def test_a_version_is_not_another_with_the_same_digits():
    assert set(terms("2.31")) != set(terms("23.1"))
    assert "2ˑ31" in terms("2.31")


def test_a_version_is_the_same_with_and_without_its_v():
    assert "2ˑ3ˑ1" in {*terms("since V2.3.1")} & {*terms("what changed in version 2.3.1?")}


def test_words_that_say_nothing_are_dropped():
    assert query_terms("How many days of annual leave do I get?") == ["day", "annual", "leav"]


@pytest.mark.parametrize(
    ("code", "question", "asked"),
    [
        ("de", "Wann beginnt die Probezeit, und warum?", ["beginnt", "probezeit"]),
        ("es", "¿Cuántos días de vacaciones puedo pedir?", ["dias", "vacacion", "ped"]),
        ("fr", "Où puis-je obtenir de l'aide ?", ["obten", "aid"]),
        ("fr", "Pourquoi est-ce que l'accès est refusé ?", ["acces", "refus"]),
        ("it", "Quando posso prendere le ferie?", ["prend", "fer"]),
        ("nl", "Waarom kan ik niet inloggen?", ["inlog"]),
        ("pt", "Quanto é o salário e onde?", ["salari"]),
        ("el", "Πότε παίρνω άδεια;", ["παιρν", "αδει"]),
    ],
)
def test_what_a_question_asks_with_says_nothing_in_other_languages_either(code, question, asked):
    assert query_terms(question, code) == asked


@pytest.mark.parametrize("question", ["Who is in IT?", "leave in the US", "the IT's budget"])
def test_capitals_that_look_like_stop_words_stay(question):
    assert any(term in {"itˑ", "usˑ"} for term in terms(question))


@pytest.mark.parametrize(
    "question", ["what does plan A cover?", "Medicare Part A", "is it hepatitis A or B?"]
)
def test_a_thing_named_a_is_found_by_its_letter(question):
    assert "aˑ" in terms(question)


@pytest.mark.parametrize(
    "text", ["a plan", "How do I Book A Room", "Yes. A plan is made.", "paper of size A4"]
)
def test_an_article_is_no_name(text):
    assert "aˑ" not in terms(text)


@pytest.mark.parametrize("question", ["IT", "US HR", "WHO?"])
def test_a_question_of_one_such_name_asks_for_it(question):
    assert any(term.endswith("ˑ") for term in query_terms(question))


def test_a_text_all_in_capitals_has_no_such_names():
    assert "itˑ" not in terms("WHERE IT IS")


def test_a_question_says_each_word_once():
    assert query_terms("leave leave Leaves") == ["leav"]


def test_terms_are_never_longer_than_allowed():
    assert all(len(term) <= LONGEST_TERM for term in terms(f"{'x' * 200} {'a-' * 90}b"))


def test_german_is_stemmed_as_german():
    assert terms("Die Überstunden der Mitarbeiter", "de") == ["uberstund", "mitarbeit"]


def test_the_language_is_the_declared_one_whose_small_words_are_there():
    assert (
        language_of("Die Mitarbeiter können ihre Überstunden mit dem Formular abbauen", ["en", "de"]) == "de"
    )
    assert language_of("The employees may use the form for it", ["en", "de"]) == "en"
    assert language_of("anything", []) == "en"
    assert language_of("anything", ["xx"]) == "en"


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_language_has_an_analyzer(code):
    assert terms("Formular 2024", code)


@pytest.mark.parametrize(
    ("wanted", "texts", "written"),
    [
        (["rfc7231"], [["rfc", "7231"]], ["rfc", "7231"]),
        (["windows11"], [["window", "11"]], ["window", "11"]),
        (["iso", "27001"], [["iso27001"]], ["iso27001"]),
        (["rfc7231"], [["rfc", "7231"], ["rfc7231"]], ["rfc7231"]),
        (["rfc7231"], [["rfc"], ["7231"]], ["rfc7231"]),
        (["iso", "27001"], [["iso27001"], ["iso", "27001"]], ["iso", "27001"]),
        (["rfc7231", "a1"], [], ["rfc7231", "a1"]),
    ],
)
def test_names_with_a_number_are_taken_as_the_texts_write_them(wanted, texts, written):
    assert as_written(wanted, texts) == written


def test_a_question_in_capitals_is_greek_too():
    assert query_terms("ΠΟΙΟΣ ΔΙΝΕΙ ΑΔΕΙΑ;", "el") == query_terms("Ποιος δίνει άδεια;", "el")


@pytest.mark.parametrize(
    ("question", "spoken", "sought"),
    [
        ("Wie kann ich Urlaub beantragen?", "de", ["urlaub", "beantragen"]),
        ("How many days of leave do I get?", "en", ["days", "leav"]),
    ],
)
def test_small_words_of_a_question_are_not_sought_in_texts_of_another_language(question, spoken, sought):
    asked = asked_in(question, ("en", "de")).by_language
    other = "de" if spoken == "en" else "en"
    assert asked[spoken] == question
    assert query_terms(asked[other], other) == sought


@pytest.mark.parametrize("question", ["die casting", "the IT budget"])
def test_a_small_word_alone_tells_no_language(question):
    assert set(asked_in(question, ("en", "de")).by_language.values()) == {question}


def test_what_is_written_in_capitals_is_no_small_word():
    assert "IT" in asked_in("What is it that the IT does?", ("en", "de")).by_language["de"]


def test_a_single_letter_of_a_script_in_pairs_is_found_in_a_pair():
    assert as_written(["税"], [terms("税金の払い方")]) == ["税金"]
    assert as_written(["税"], [terms("休暇の取り方")]) == ["税"]


@pytest.mark.parametrize(
    ("question", "languages", "foreign"),
    [
        ("Wie kann ich Urlaub beantragen?", ("de",), True),
        ("Wie kann ich Urlaub beantragen?", ("en", "de"), True),
        ("Wie kann ich Urlaub beantragen?", ("en",), False),
        ("How do I apply for leave?", ("en", "de"), False),
        ("How do I apply for leave?", ("de",), False),
        ("Urlaubsantrag", ("de",), True),
        ("Urlaubsantrag", ("en", "de"), False),
    ],
)
def test_a_question_is_foreign_in_a_language_of_the_texts_that_is_not_english(question, languages, foreign):
    assert asked_in(question, languages).foreign is foreign


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("tr", "Çalışanlar bu formu doldurur ve izin için müdüre verir."),
        ("el", "Οι υπάλληλοι συμπληρώνουν το έντυπο και το δίνουν στον διευθυντή."),
        ("ro", "Angajații completează formularul și îl dau directorului pentru concediu."),
        ("ar", "يقدم الموظف النموذج إلى المدير من أجل الإجازة في الشركة."),
    ],
)
def test_a_text_is_read_in_its_language_beside_english(code, text):
    assert language_of(text, ("en", code)) == code
    assert language_of("Employees fill in the form and give it to the director.", (code, "en")) == "en"

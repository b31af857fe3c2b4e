"""What a text's language is taken for where its collection declares none."""

import pytest

from retrieval.lexical.language import guessed, language_of
from retrieval.lexical.stopwords import LANGUAGES

TEXTS = {
    "ar": "يقدم الموظف النموذج إلى المدير من أجل الإجازة في الشركة.",
    "da": "Hvad der er blevet skrevet i formularen af lederen, skal man selv have med efter ferien.",
    "de": "Wer Urlaub haben will, füllt das Formular aus und gibt es der Leitung, bevor er nicht mehr da ist.",
    "el": "Οι υπάλληλοι συμπληρώνουν το έντυπο.",
    "en": "Employees fill in the form and give it to the director before they leave.",
    "es": "Los empleados rellenan el formulario y lo entregan a la dirección antes de las vacaciones.",
    "fi": "Työntekijä täyttää lomakkeen ja antaa sen esimiehelle ennen kuin hän on lomalla, jos se ei ole siellä.",
    "fr": "Les employés remplissent le formulaire et le donnent à la direction avant de partir en congé.",
    "hu": "A dolgozó kitölti az űrlapot, és azt a vezetőnek adja, mielőtt szabadságra megy, ha még nem volt ott.",
    "it": "I dipendenti compilano il modulo e lo danno alla direzione prima che sia il giorno della partenza.",
    "nl": "De medewerker vult het formulier in en geeft het aan de leiding voordat hij met vakantie is.",
    "no": "Den ansatte fyller ut skjemaet og gir det til lederen sin før ferien, når det ikke er for sent.",
    "pt": "Os empregados preenchem o formulário e entregam à direção antes de sair de férias, se não for tarde.",
    "ro": "Angajații completează formularul și îl dau directorului pentru concediu, dar nu mai mult de o dată.",
    "ru": "Сотрудники заполняют форму.",
    "sv": "Den anställde fyller i blanketten och ger den till sin chef innan semestern, om det inte är för sent.",
    "ta": "ஊழியர்கள் படிவத்தை நிரப்புகிறார்கள்.",
    "tr": "Çalışanlar bu formu doldurur ve izin için müdüre verir, çünkü daha sonra çok geç olur.",
}


def test_there_is_a_text_in_each_language():
    assert TEXTS.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_is_read_in_the_language_that_it_seems_to_be_in(code):
    assert guessed(TEXTS[code]) == code
    assert language_of(TEXTS[code], ()) == code
    assert language_of(TEXTS[code], ("en",)) == "en"
    assert language_of(TEXTS[code], ("xx",)) == "en"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Du kan kun hente nøglen ved porten, og hver gæst skal have sit kort, så husk det.", "da"),
        ("Kortet hentes ved porten af vagten, og man kan ikke få det efter klokken seks på samme dag.", "da"),
        ("Du kan hente nøkkelen ved porten når du kommer, og alle må ha sitt kort med seg.", "no"),
        ("Kortet ligger under nøkkelen hos vakten, og alt du skal gjøre der, er å skrive navnet ditt.", "no"),
    ],
)
def test_sisters_are_told_apart(text, code):
    assert guessed(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Urlaub",
        "AB-1234 | 17.5 | 2026-11-22",
        "for (i = 0; i < n; ++i) { son = de[i]; la = es(um, die); }",
        "https://apps.example/it/la/de/los/und/der/die?que=un&el=y",
        "Alle Mitarbeiter (all staff) fill in the form and give it to the director, bitte.",
        "Працівники заповнюють форму і віддають її директорові.",
        "کارکنان فرم را پر می‌کنند و آن را به مدیر می‌دهند، چون چاره‌ای نیست.",
        "Pracownik wypełnia formularz i oddaje go do dyrekcji na dwa dni przed urlopem, a po nim o tym mówi.",
        "社員は用紙に記入します。",
    ],
)
def test_what_tells_no_known_language_is_read_as_english(text):
    assert guessed(text) == "en"

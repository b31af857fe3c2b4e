"""A collection in another language, from its document to the answer."""

import pytest

from tests.integration.asking import Cast, an_ask, frames_of, process, text_of

pytestmark = pytest.mark.django_db(transaction=True)

URLAUB = """# Urlaub

Alle Angestellten haben Anspruch auf 30 freie Tage im Kalenderjahr. Wer mag, beantragt sie im Portal; die Führungskraft
genehmigt sie. Nicht genommene Tage verfallen am 31. März des Folgejahres.

# Umgang

Freundlichkeiten kosten nichts und werden hier von allen erwartet.
"""


@pytest.fixture
def cast(transactional_db):
    cast = Cast()
    cast.handbook.languages = ["de", "en"]
    cast.handbook.save()
    cast.add(cast.handbook, "urlaub.md", URLAUB, aged=True)
    return cast


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Wie viele freie Tage stehen mir im Kalenderjahr zu?", "30 freie Tage"),
        ("Wann verfällt ein nicht genommener Tag?", "am 31. März des Folgejahres"),
        ("Soll man hier freundlich sein?", "Freundlichkeiten kosten nichts"),
    ],
)
async def test_german_documents_answer_german_questions(cast, settings, tmp_path, question, said):
    async with process(settings, tmp_path) as built:
        frames = await frames_of(built, an_ask(cast.member, question))
    assert frames[-1]["finish"] == "extractive"
    assert said in text_of(frames)


async def test_small_words_alone_are_no_answer(cast, settings, tmp_path):
    async with process(settings, tmp_path) as built:
        frames = await frames_of(
            built, an_ask(cast.member, "Wer ist der, der hier von allen und auf der Sonne ist?")
        )
    assert frames[-1]["finish"] == "refused"

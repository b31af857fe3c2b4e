"""Finding one document of many on the library page."""

import re
import unicodedata

import pytest

from retrieval.models import Document

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("Urlaubsrichtlinie für Müller.txt", "leave_policy.txt", "leave-policy 50%.txt", "leaveXpolicy.txt")


@pytest.fixture
def librarian(cast, as_user):
    return as_user(cast.librarian)


@pytest.fixture
def listed(librarian):
    """The names that the page lists, and its script hears of, for what is looked for."""

    def names(q="", **more) -> set[str]:
        asked = {"collection": "people", "q": q, **more}
        page = librarian.get("/library/", asked).content.decode()
        ids = set(re.findall(r'data-id="([^"]+)"', page))
        states = librarian.get("/library/states/", asked).json()["documents"]
        assert {state["id"] for state in states} == ids
        return set(Document.objects.filter(pk__in=ids).values_list("name", flat=True))

    return names


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("MULLER", {NAMES[0]}),
        ("fur urlaub", {NAMES[0]}),
        (unicodedata.normalize("NFD", "müller"), {NAMES[0]}),
        ("leave_policy", {NAMES[1]}),
        ("50%", {NAMES[2]}),
        ("%", {NAMES[2]}),
        ("policy leave", set(NAMES[1:])),
        ("\\", set()),
        ("leave\0policy", set(NAMES[1:])),
        ("  ", set(NAMES)),
    ],
)
def test_a_name_is_found_by_its_words_as_they_are_typed(listed, add, typed, found):
    for name in NAMES:
        add(f"Text of {name}.", name, index=False)
    assert listed(typed) == found


def test_a_title_is_found_as_well_as_a_name(listed, add):
    add("# Parental leave\n\nSixteen weeks.\n", "p-17.md")
    add("# Travel\n\nBy train.\n", "p-18.md")
    assert listed("parental") == listed("p-17") == listed("17 LEAVE") == {"p-17.md"}


def test_documents_are_found_by_their_state(listed, add):
    add("  ", "empty.txt")
    add("Text.", "good.txt")
    add("More text.", "waiting.txt", index=False)
    assert listed(state="failed") == {"empty.txt"}
    assert listed(state="under-way") == {"waiting.txt"}
    assert listed("good", state="failed") == set()
    assert listed(state="x") == {"empty.txt", "good.txt", "waiting.txt"}


def test_nothing_of_other_collections_is_found(listed, librarian, add, board):
    add("Text.", "leave here.txt")
    add("Text.", "leave there.txt", to=board)
    assert listed("leave") == {"leave here.txt"}
    assert librarian.get("/library/?collection=board&q=leave").status_code == 404


def test_the_pages_of_what_was_found_stay_with_it(librarian, people):
    Document.objects.bulk_create(
        Document(collection=people, name=f"leave & pay {n}.txt", content_hash=str(n)) for n in range(101)
    )
    page = librarian.get("/library/", {"collection": "people", "q": "leave &"}).content.decode()
    (older,) = re.findall(r'href="([^"]+)">Older', page)
    page = librarian.get("/library/" + older.replace("&amp;", "&")).content.decode()
    assert page.count("data-id=") == 1
    assert 'value="leave &amp;"' in page
    assert "101 of 101 documents" in page


def test_a_button_leads_back_to_what_was_looked_for(librarian, add):
    document = add("Text.", "leave.txt")
    came = "http://testserver/library/?collection=people&q=leave&page=2"
    response = librarian.post(f"/library/{document.pk}/delete/", headers={"Referer": came})
    assert response["Location"] == "/library/?collection=people&q=leave&page=2"

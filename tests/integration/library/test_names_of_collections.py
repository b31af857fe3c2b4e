"""A collection is found by its name in whatever case, and no two differ in case alone."""

import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from answering import tokens
from retrieval.access import narrowed, scope_for
from retrieval.models import Collection, Document

pytestmark = pytest.mark.django_db(transaction=True)


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("leave.md", b"You get 25 days.")


@pytest.fixture
def api(cast):
    def add(who: str, collection: str) -> tuple[int, dict]:
        client = Client(headers={"Authorization": f"Bearer {tokens.create(getattr(cast, who))}"})
        response = client.post("/api/v1/documents", {"file": file(), "collection": collection})
        return response.status_code, response.json()

    return add


@pytest.fixture
def legal(people: Collection) -> Collection:
    """Made in the administration, which takes capitals."""
    made = Collection.objects.create(slug="Legal", name="Legal")
    made.groups.set(people.groups.all())
    return made


def slugs() -> list[str]:
    return sorted(Collection.objects.values_list("slug", flat=True))


@pytest.mark.parametrize(("asked", "meant"), [("People", "people"), ("PEOPLE", "people"), ("legal", "Legal")])
def test_a_program_adds_to_it(api, legal, asked, meant):
    assert api("librarian", asked)[0] == 202
    assert Document.objects.get().collection.slug == meant
    assert slugs() == ["Legal", "people"]


def test_a_program_makes_it_once(api, people):
    assert [api("librarian", name)[0] for name in ("Rules", "rules", "RULES")] == [202, 202, 202]
    assert slugs() == ["people", "rules"]


@pytest.mark.parametrize("name", ["board", "Board", "BOARD"])
def test_one_that_may_not_be_read_is_answered_alike_in_each_case(api, board, people, name):
    status, answer = api("librarian", name)
    assert (status, answer["error"]["message"]) == (404, "There is no such collection that you may add to.")
    assert slugs() == ["board", "people"]


def test_pages_find_it(cast, as_user, legal, add):
    client = as_user(cast.librarian)
    document = add("You get 25 days.")
    assert '<h2 id="chosen">Legal</h2>' in client.get("/library/?collection=LEGAL").text
    assert client.get("/library/states/?collection=PEOPLE").json()["documents"]
    assert client.post("/library/upload/", {"collection": "legal", "file": file()}).status_code == 302
    client.post(f"/library/{document.pk}/move/", {"collection": "legal"})
    assert legal.documents.count() == 2


def test_pages_do_not_tell_of_one_that_may_not_be_read(cast, as_user, board, people):
    client = as_user(cast.librarian)
    for name in ("board", "BOARD", "nowhere"):
        assert client.get(f"/library/?collection={name}").status_code == 404
        page = client.post("/library/upload/", {"collection": name, "file": file()}, follow=True)
        assert "Select a valid choice." in page.text


def test_a_question_is_kept_to_it(cast, legal, people, board):
    def kept(*names: str) -> set[int]:
        return set(scope_for(cast.member, names).collection_ids)

    assert kept("PEOPLE") == kept("people") == {people.pk}
    assert kept("legal", "People") == {legal.pk, people.pk}
    assert kept("Board") == kept("board") == kept("nowhere") == set()


def test_of_two_that_were_there_before_the_very_one_is_meant():
    rows = [(1, "hr"), (2, "HR"), (3, "it")]
    assert narrowed(rows, ["hr"]).collection_ids == {1}
    assert narrowed(rows, ["HR"]).collection_ids == {2}
    assert narrowed(rows, ["Hr"]).collection_ids == {1, 2}
    assert narrowed(rows[:1], ["HR"]).collection_ids == {1}  # as if the other were not there
    assert narrowed(rows, None).collection_ids == {1, 2, 3}


def test_commands_find_it(legal, tmp_path: Path):
    (tmp_path / "leave.md").write_text("You get 25 days.")
    out = io.StringIO()
    call_command("ingest", str(tmp_path), collection="LEGAL", stdout=out, verbosity=0)
    assert "1 of 1 files are searchable in Legal." in out.getvalue()
    call_command("reindex", "--documents", "--collection", "legal", verbosity=0, stdout=out)
    call_command("ingest", str(tmp_path), collection="New", stdout=out, verbosity=0)
    assert slugs() == ["Legal", "new", "people"]
    with pytest.raises(CommandError, match="cannot be a collection's name"):
        call_command("ingest", str(tmp_path), collection="Not one", verbosity=0)


def test_nobody_makes_one_that_differs_in_case_alone(cast, as_user, legal):
    page = as_user(cast.librarian).post("/library/collections/", {"name": "Legal"}, follow=True)
    assert "This name is taken." in page.text
    admin = as_user(cast.superuser)
    refused = admin.post("/admin/retrieval/collection/add/", {"name": "Legal", "slug": "LEGAL"})
    assert "This name is taken, be it in another case." in refused.text
    admin.post(f"/admin/retrieval/collection/{legal.pk}/change/", {"name": "Law", "slug": "legal"})
    assert slugs() == ["legal", "people"]

"""Several documents of the list at once: each is looked at and changed as if it were the only one."""

from uuid import uuid4

import pytest
from django.db import connection

from retrieval import library
from retrieval.models import Chunk, Collection, Document
from retrieval.several import ACTIONS
from tests.integration.library.test_deletions import before_a_lock

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "/library/selected/"
TEXTS = {
    "leave.md": "You get 25 days.",
    "pay.md": "You are paid monthly.",
    "bikes.md": "Bikes go in the yard.",
}


@pytest.fixture
def three(add, cast) -> list[Document]:
    return [add(text, name) for name, text in TEXTS.items()]


@pytest.fixture
def superuser(cast, as_user):
    return as_user(cast.superuser)


@pytest.fixture
def librarian(cast, as_user):
    return as_user(cast.librarian)


def chosen(action: str, documents, **more) -> dict:
    pks = [getattr(each, "pk", each) for each in documents]
    return {"action": action, "confirmed": "yes", "document": pks, **more}


def rows(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_several_are_moved_as_one_is(superuser, cast, three, board):
    changes = len(rows("SELECT FROM retrieval_change"))
    page = superuser.post(HERE, chosen("move", three[:2], collection="board"), follow=True)
    moved = Document.objects.filter(collection=board)
    assert {each.name for each in moved} == {"leave.md", "pay.md"}
    assert {each.uploaded_by for each in moved} == {cast.superuser}
    assert Chunk.objects.filter(collection=board).count() == 2
    assert sorted(rows("SELECT collection_id, count(*) FROM retrieval_embedding GROUP BY 1")) == sorted(
        [(board.pk, 2), (three[2].collection_id, 1)]
    )
    assert len(rows("SELECT FROM retrieval_change")) == changes + 2
    assert "“pay” and “leave” are in Board now." in page.text


def test_several_are_deleted(librarian, three, original):
    page = librarian.post(HERE, chosen("delete", three), follow=True)
    assert "“bikes”, “pay” and “leave” are deleted." in page.text
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert not any(original(each.content_hash).exists() for each in three)


def test_those_that_failed_are_tried_again(librarian, three, add):
    failed = [add("  ", "empty.md"), add("\n", "blank.md")]
    page = librarian.post(
        HERE, {"action": "retry", "document": [d.pk for d in [*failed, three[0]]]}, follow=True
    )
    assert set(Document.objects.filter(status="queued")) == set(failed)
    assert "“blank.md” and “empty.md” are tried again." in page.text
    assert "“leave” had not failed." in page.text


@pytest.mark.parametrize("action", ["move", "delete"])
def test_who_has_not_confirmed_is_asked_with_the_names_of_all(superuser, three, board, action):
    asked = chosen(action, three[:2], collection="board")
    del asked["confirmed"]
    page = superuser.post(f"{HERE}?collection=people&q=a", asked)
    assert f"{action.capitalize()} 2 documents" in page.text
    assert ("leave.md" in page.text, "pay.md" in page.text, "bikes.md" in page.text) == (True, True, False)
    assert "/library/?collection=people&amp;q=a" in page.text  # where one gives up
    assert Document.objects.filter(collection__slug="people").count() == 3


def test_of_many_a_few_are_named_and_the_others_counted(librarian, add, cast):
    documents = [add(f"Number {n}.", f"{n}.md") for n in range(5)]
    page = librarian.post(HERE, chosen("delete", documents), follow=True)
    assert "“4”, “3”, “2” and 2 others are deleted." in page.text


def test_the_list_is_shown_again_as_it_was(librarian, three):
    response = librarian.post(f"{HERE}?collection=people&state=ready&page=2", chosen("delete", three[:1]))
    assert response["Location"] == "/library/?collection=people&state=ready&page=2"
    assert librarian.get(f"{HERE}?collection=people")["Location"] == "/library/?collection=people"


def test_who_selects_nothing_is_told_so(librarian, three):
    page = librarian.post(HERE, chosen("delete", []), follow=True)
    assert "Select documents first." in page.text
    assert Document.objects.count() == 3


@pytest.mark.parametrize("action", ACTIONS)
def test_what_may_not_be_changed_is_named_and_stays(librarian, cast, add, three, board, action):
    """Their own upload, in a collection that they do not read."""
    Collection.objects.create(slug="mine", name="Mine", created_by=cast.librarian)
    held = add("We buy it.", "merger.md", to=board, by=cast.librarian)
    failed = add("  ", "empty.md")
    page = librarian.post(HERE, chosen(action, [held, failed], collection="mine"), follow=True)
    assert f"You may not {action} “merger”." in page.text
    held.refresh_from_db()
    assert (held.collection, held.status) == (board, "ready")
    left = Document.objects.filter(pk=failed.pk).values_list("collection__slug", "status").first()
    assert left == {"move": ("mine", "failed"), "retry": ("people", "queued"), "delete": None}[action]


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_out_of_sight_is_answered_like_what_is_not_there(librarian, add, three, board, action):
    hidden = add("We buy it.", "merger.md", to=board)

    def answered(other) -> str:
        page = librarian.post(HERE, chosen(action, [other], collection="people"), follow=True)
        return page.text.split('<div class="messages"')[1].split("</div>")[0]

    assert answered(hidden) == answered(uuid4())
    assert "1 of those selected was no longer there." in answered(hidden)
    hidden.refresh_from_db()
    assert (hidden.collection, hidden.status) == (board, "ready")


def test_what_is_out_of_sight_is_not_named_by_the_question(librarian, add, three, board):
    hidden = add("We buy it.", "merger.md", to=board)
    asked = chosen("delete", [three[0], hidden])
    del asked["confirmed"]
    page = librarian.post(HERE, asked)
    assert ("leave.md" in page.text, "merger" in page.text) == (True, False)


def test_nothing_is_moved_where_one_may_not_add(librarian, three, board):
    for target in ("board", "nowhere", ""):
        assert librarian.post(HERE, chosen("move", three, collection=target)).status_code == 404
    assert Document.objects.filter(collection__slug="people").count() == 3


@pytest.mark.parametrize("action", ACTIONS)
def test_members_and_strangers_change_nothing(cast, as_user, client, three, action):
    for who in (cast.member, cast.stranger):
        assert as_user(who).post(HERE, chosen(action, three, collection="people")).status_code == 403
    response = client.post(
        HERE, chosen(action, three), headers={"Referer": "http://testserver/library/?page=2"}
    )
    assert response["Location"] == "/accounts/login/?next=/library/%3Fpage%3D2"
    assert Document.objects.filter(status="ready", collection__slug="people").count() == 3


@pytest.mark.parametrize("asked", [{"action": "publish"}, {"document": ["x"]}, {"document": ["a\0b"]}])
def test_what_no_button_sends_is_not_found(librarian, three, asked):
    assert librarian.post(HERE, chosen("delete", three) | asked).status_code == 404
    assert Document.objects.count() == 3


def test_one_that_is_deleted_meanwhile_stops_no_other(superuser, three, board):
    with before_a_lock(lambda: library.remove(three[2].pk)):
        page = superuser.post(HERE, chosen("move", three, collection="board"), follow=True)
    assert {each.name for each in board.documents.all()} == {"leave.md", "pay.md"}
    assert "1 of those selected was no longer there." in page.text

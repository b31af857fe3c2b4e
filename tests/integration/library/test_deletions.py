"""What is deleted while something else happens to it: a collection into which documents come, a document that is just
being replaced, moved or tried again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.db.models.signals import post_save
from django.test import Client

from answering import tokens
from answering.models import Conversation
from retrieval import library
from retrieval.errors import CollectionGone
from retrieval.ingestion import indexing
from retrieval.models import Chunk, Collection, Document
from tests.integration.library.conftest import FakeEmbedder

pytestmark = pytest.mark.django_db(transaction=True)


def in_another_process(act: Callable[[], Any]) -> None:
    """On connections of its own, that is."""

    def acting() -> None:
        try:
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        other.submit(acting).result(timeout=20)


@contextmanager
def before_a_lock(act: Callable[[], Any]) -> Iterator[None]:
    """Another process does something right before the first row is locked here."""
    left = [act]

    def locking(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if left and "FOR UPDATE" in sql:
            in_another_process(left.pop())
        return execute(sql, *rest)

    with connection.execute_wrapper(locking):
        yield
    assert not left


@contextmanager
def when_saved(act: Callable[[], Any]) -> Iterator[None]:
    """Another process does something when a document has been saved, and not yet committed, here."""
    left = [act]

    def heard(**_: object) -> None:
        if left:
            in_another_process(left.pop())

    post_save.connect(heard, sender=Document)
    try:
        yield
    finally:
        post_save.disconnect(heard, sender=Document)


def test_a_collection_goes_with_what_came_in_while_it_was_deleted(cast, people, add, as_user):
    add("You get 25 days.")

    def come() -> None:
        late = library.add(None, Collection.objects.get(pk=people.pk), "late.md", [b"Late."])
        indexing.index_document(late.pk, embedder=FakeEmbedder())

    with before_a_lock(come):
        response = as_user(cast.superuser).post(
            f"/admin/retrieval/collection/{people.pk}/delete/", {"post": "yes"}
        )
    assert response.status_code == 302
    assert not Collection.objects.filter(slug="people").exists()
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()


@pytest.mark.parametrize("by", ["its page", "the list"])
def test_a_user_who_goes_on_asking_and_uploading_can_be_deleted(cast, people, as_user, by):
    def go_on() -> None:
        Conversation.objects.create(user_id=cast.librarian.pk, title="How many days?")
        library.add(User.objects.get(pk=cast.librarian.pk), people, "late.md", [b"Late."])

    chosen = {"action": "delete_selected", "_selected_action": cast.librarian.pk} if by == "the list" else {}
    address = "/admin/auth/user/" + ("" if chosen else f"{cast.librarian.pk}/delete/")
    with before_a_lock(go_on):
        response = as_user(cast.superuser).post(address, {"post": "yes", **chosen})
    assert response.status_code == 302
    assert not User.objects.filter(pk=cast.librarian.pk).exists()
    assert not Conversation.objects.exists()
    assert Document.objects.get().uploaded_by is None


def test_who_adds_to_a_collection_that_is_deleted_is_told_so(cast, people, as_user):
    file = SimpleUploadedFile("a.md", b"You get 25 days.")
    with when_saved(Collection.objects.get(pk=people.pk).delete):
        response = as_user(cast.librarian).post(
            "/library/upload/",
            {"collection": "people", "file": file},
            headers={"accept": "application/json"},
        )
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "The collection, or your account, was deleted meanwhile."


def test_a_program_that_adds_to_a_collection_that_is_deleted_is_told_so(cast, people):
    client = Client(headers={"Authorization": f"Bearer {tokens.create(cast.librarian)}"})
    file = SimpleUploadedFile("a.md", b"You get 25 days.")
    with when_saved(Collection.objects.get(pk=people.pk).delete):
        response = client.post("/api/v1/documents", {"collection": "people", "file": file})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_a_document_is_not_moved_to_a_collection_that_is_gone(add, board):
    document = add("You get 25 days.")
    Collection.objects.filter(pk=board.pk).delete()
    with pytest.raises(CollectionGone):
        library.move(document, board)
    document.refresh_from_db()
    assert document.collection.slug == "people"


@pytest.mark.parametrize("action", ["retry", "move", "replace"])
def test_what_is_done_to_a_document_that_was_just_deleted_finds_nothing(cast, people, add, as_user, action):
    """Deleted between the look whether it may be changed and the change."""
    document, other = add("You get 25 days."), Collection.objects.create(slug="other", name="Other")
    file = SimpleUploadedFile("b.md", b"You get 30 days.")
    with before_a_lock(lambda: library.remove(document.pk)):
        response = as_user(cast.superuser).post(
            f"/library/{document.pk}/{action}/", {"collection": other.slug, "file": file}
        )
    assert response.status_code == 404

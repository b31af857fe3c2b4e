"""The cast: a superuser, a librarian and a member of People, and a stranger to it, each with a client."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import django
import numpy as np
import pytest

django.setup()  # pytest reads this file before pytest-django has done so, when only this folder is run

from django.contrib.auth.models import Group, User  # noqa: E402
from django.test import Client  # noqa: E402

from retrieval import library  # noqa: E402
from retrieval.embeddings import Vectors  # noqa: E402
from retrieval.ingestion import indexing, sandbox, storage  # noqa: E402
from retrieval.models import Collection, Document  # noqa: E402
from retrieval.permissions import LIBRARIANS  # noqa: E402


@dataclass(frozen=True)
class Cast:
    superuser: User
    librarian: User
    member: User
    stranger: User


@pytest.fixture
def people(transactional_db) -> Collection:
    """A collection that the group People reads."""
    collection = Collection.objects.create(slug="people", name="People")
    collection.groups.add(Group.objects.create(name="People"))
    return collection


@pytest.fixture
def board(transactional_db) -> Collection:
    """A collection that no group reads."""
    return Collection.objects.create(slug="board", name="Board")


@pytest.fixture
def cast(people: Collection) -> Cast:
    made = {name: User.objects.create_user(name) for name in ("librarian", "member", "stranger")}
    group = people.groups.get()
    made["librarian"].groups.add(group, Group.objects.get(name=LIBRARIANS))
    made["member"].groups.add(group)
    return Cast(superuser=User.objects.create_superuser("superuser"), **made)


@pytest.fixture
def as_user() -> Callable[[User], Client]:
    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return log_in


class FakeEmbedder:
    """Vectors without meaning, at no cost."""

    name, dimensions = "fake", 8

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return np.eye(1, self.dimensions, dtype=np.float32).repeat(len(texts), axis=0)


@pytest.fixture
def add(people: Collection) -> Callable[..., Document]:
    """Adds a document and, unless it is to wait in the queue, indexes it here."""

    def made(
        text: str | bytes, name: str = "a.md", *, to: Collection | None = None, by=None, index: bool = True
    ):
        data = text.encode() if isinstance(text, str) else text
        document = library.add(by, to or people, name, [data])
        if index:
            indexing.index_document(document.pk, embedder=FakeEmbedder())
            document.refresh_from_db()
        return document

    return made


@pytest.fixture(autouse=True, scope="module")
def _no_parser_left() -> Iterator[None]:
    yield
    if sandbox._sandbox is not None:
        sandbox._sandbox.close()


@pytest.fixture
def original() -> Callable[[str], Path]:
    return storage.path_of

"""What a document's new version has in common with the old is not embedded again."""

import numpy as np
import pytest
from django.db import connection

from retrieval import library
from retrieval.ingestion import indexing
from retrieval.models import Chunk, Document
from tests.integration.library.conftest import FakeEmbedder

pytestmark = pytest.mark.django_db(transaction=True)


class Counting(FakeEmbedder):
    """Remembers what it was given, and gives each text a vector of its own."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts):
        self.texts += texts
        drawn = [np.random.default_rng(len(text)).standard_normal(self.dimensions) for text in texts]
        made = np.array(drawn, np.float32).reshape(len(texts), self.dimensions)
        return made / np.linalg.norm(made, axis=1, keepdims=True)


def handbook(days: int, title: str = "Leave") -> str:
    parts = [f"## Part {n}\n\n" + f"Rule {n} is told in so many words. " * 40 for n in range(6)]
    return f"# {title}\n\n" + "\n\n".join(parts) + f"\n\n## Days\n\nYou get {days} days.\n"


def vectors(document: Document) -> dict[str, str]:
    sql = """SELECT c.text, e.embedding::text FROM retrieval_chunk c
        JOIN retrieval_embedding e ON e.chunk_id = c.id WHERE c.document_id = %s"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [document.pk])
        return dict(cursor.fetchall())


def indexed_again(document: Document, text: str) -> list[str]:
    """Replaces the document's text; what was embedded for it."""
    library.replace(document, "a.md", [text.encode()])
    embedder = Counting()
    indexing.index_document(document.pk, embedder=embedder)
    return embedder.texts


@pytest.fixture
def leave(add) -> Document:
    document = add(handbook(25), index=False)
    indexing.index_document(document.pk, embedder=Counting())
    return document


def test_of_a_replaced_document_only_what_is_new_is_embedded(leave):
    before = vectors(leave)
    embedded = indexed_again(leave, handbook(30))
    after = vectors(leave)
    assert len(before) == len(after) > 3
    assert len(embedded) == 1
    assert "30 days" in embedded[0]
    kept = before.keys() & after.keys()
    assert len(kept) == len(after) - 1
    assert all(after[text] == before[text] for text in kept)


def test_a_new_title_is_embedded_with_all_that_stands_under_it(leave):
    assert len(indexed_again(leave, handbook(25, "Holidays"))) == len(vectors(leave))


def test_another_model_embeds_everything(leave):
    class Other(Counting):
        name = "other"

    library.replace(leave, "a.md", [handbook(30).encode()])
    embedder = Other()
    indexing.index_document(leave.pk, embedder=embedder)
    assert len(embedder.texts) == Chunk.objects.filter(document=leave).count()


def test_whoever_forces_it_has_everything_embedded(leave):
    embedder = Counting()
    indexing.index_document(leave.pk, force=True, embedder=embedder)
    assert len(embedder.texts) == len(vectors(leave))

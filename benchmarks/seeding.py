"""Puts the synthetic library into Postgres as ingestion would have published it, without parsing."""

import uuid
from itertools import islice

from django.contrib.auth.models import User
from django.db import connection, transaction

from answering.upstream import replies
from benchmarks.library import TOPICS, Page, pages
from retrieval.ingestion import indexing
from retrieval.ingestion.chunking import indexed_text
from retrieval.models import Chunk, Collection, Document
from retrieval.partitions import publish

BATCH = 200


def seed(model: str, dimensions: int, *, topics: int = len(TOPICS)) -> int:
    """Makes a superuser and the library's pages on so many topics, embedded as the simulated embedder would;
    returns the user's id."""
    user = User.objects.create_superuser("bench")
    collection = Collection.objects.create(slug="handbook", name="Handbook")
    found = pages(topics)
    while batch := list(islice(found, BATCH)):
        _add(collection, batch, model, dimensions)
    return user.pk


def _add(collection: Collection, batch: list[Page], model: str, dimensions: int) -> None:
    documents = [
        Document(
            id=uuid.uuid4(),
            collection=collection,
            name=f"{page.title} {page.heading}.md",
            title=page.title,
            content_hash=uuid.uuid4().hex,
            status=Document.Status.READY,
            chunk_count=1,
        )
        for page in batch
    ]
    chunks = [
        Chunk(
            id=indexing.chunk_id(document.id, document.content_hash, 0),
            document=document,
            collection=collection,
            ordinal=0,
            heading=page.heading,
            text=page.text,
            content_hash=uuid.uuid4().hex,
        )
        for document, page in zip(documents, batch, strict=True)
    ]
    vectors = replies.hashed(
        [indexed_text(page.title, page.heading, page.text) for page in batch], dimensions
    )
    with transaction.atomic(), connection.cursor() as wrapped:
        Document.objects.bulk_create(documents)
        Chunk.objects.bulk_create(chunks)
        publish(
            wrapped.cursor,
            model=model,
            dimensions=dimensions,
            collection_id=collection.pk,
            chunks=[chunk.pk for chunk in chunks],
            vectors=vectors,
        )
        for document in documents:
            indexing.note_change(wrapped.cursor, document.pk, frozenset())

"""A document's state as the library page shows it."""

from collections.abc import Mapping
from typing import Any

from retrieval.errors import CollectionGone, DocumentError, DocumentTooLarge, NoRoom
from retrieval.models import Document

REFUSED: Mapping[type[DocumentError], int] = {DocumentTooLarge: 413, NoRoom: 507, CollectionGone: 404}
"""HTTP's status for what cannot be kept."""

_SAID = {
    Document.Status.QUEUED: "Waiting",
    Document.Status.PARSING: "Reading",
    Document.Status.EMBEDDING: "Indexing",
    Document.Status.READY: "Ready",
    Document.Status.FAILED: "Failed",
}


def said(status: str) -> str:
    """The status in a word for people."""
    return _SAID[Document.Status(status)]


def document_state(document: Document) -> dict[str, Any]:
    """What a row of the page needs, as JSON. The collection must be loaded."""
    return {
        "id": str(document.pk),
        "collection": document.collection.slug,
        "name": document.name,
        "title": document.title or document.name,
        "status": document.status,
        "said": said(document.status),
        "progress": document.progress,
        "reason": document.reason,
        "pages": document.page_count,
        "chunks": document.chunk_count,
        "url": document.get_absolute_url(),
    }

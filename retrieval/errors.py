"""The errors of retrieval.

RetrievalError
 ├─ LexicalError            the lexical index cannot answer
 │   └─ IndexRebuilding     it is being rebuilt and holds only part of the chunks
 ├─ VectorError             Postgres or pgvector cannot answer
 ├─ EmbeddingError          the embedder cannot answer
 │   ├─ EmbeddingRejected   the request itself is refused (a retry is useless)
 │   └─ EmbeddingThrottled  429; `retry_after` in seconds where the server says so
 ├─ RerankError             the reranker cannot answer
 └─ DocumentError           a document cannot be used; the message is for an administrator
     ├─ DocumentTooLarge
     ├─ NoRoom              the disk is full
     ├─ CollectionGone      it was deleted while the document came in
     ├─ DocumentEncrypted
     ├─ DocumentDamaged
     ├─ DocumentEmpty       no text found: empty, or scanned
     ├─ DocumentUnsupported
     └─ ParserLimit         parsing took too much time or memory

What only one module raises is defined there: MissingTable (a VectorError of `database.py`), DocumentBusy,
MaintenanceBusy, BadSet and NotEmpty.

Errors of other libraries are translated into these once, in the adapter that calls the library.
"""


class RetrievalError(Exception):
    """Something in retrieval failed."""


class LexicalError(RetrievalError):
    """The lexical index cannot answer."""


class IndexRebuilding(LexicalError):
    """The lexical index is being rebuilt."""


class VectorError(RetrievalError):
    """The vector search cannot answer."""


class EmbeddingError(RetrievalError):
    """The embedder cannot answer."""


class EmbeddingRejected(EmbeddingError):
    """The embedder refuses this request."""


class EmbeddingThrottled(EmbeddingError):
    """The embedder asks us to slow down."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RerankError(RetrievalError):
    """The reranker cannot answer."""


class DocumentError(RetrievalError):
    """The document cannot be used; the message tells an administrator why and what to do."""


class DocumentTooLarge(DocumentError):
    """The document is over a size limit."""


class NoRoom(DocumentError):
    """The disk that keeps the originals is full."""


class CollectionGone(DocumentError):
    """The collection, or who adds to it, was deleted while the document came in."""

    def __init__(self) -> None:
        super().__init__("The collection, or your account, was deleted meanwhile.")


class DocumentEncrypted(DocumentError):
    """The document needs a password."""


class DocumentDamaged(DocumentError):
    """The document cannot be read."""


class DocumentEmpty(DocumentError):
    """No text was found in the document."""


class DocumentUnsupported(DocumentError):
    """Documents of this kind are not read."""


class ParserLimit(DocumentError):
    """Parsing took more time or memory than is allowed."""

"""The HTTP interface of documents. Authentication is the mount's: `request.auth` is the user. Whatever the
asker may not see is answered with 404, as if it were not there."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import File, Form, Router, Schema, Status
from ninja.errors import HttpError
from ninja.files import UploadedFile

from retrieval import library, permissions
from retrieval.ingestion import storage
from retrieval.ingestion.blocks import megabytes
from retrieval.models import Collection, Document
from retrieval.states import REFUSED

router = Router(tags=["documents"])

if TYPE_CHECKING:

    class AuthenticatedRequest(HttpRequest):
        auth: User
else:
    AuthenticatedRequest = HttpRequest


class Problem(Schema):
    code: str
    message: str


class Failure(Schema):
    """What every error looks like. 429 and 503 bear `Retry-After`, in seconds."""

    error: Problem


def failing(*statuses: int) -> dict[int, type[Failure]]:
    """Statuses of errors, for the OpenAPI document: all calls may lack a token, and be made in an outage."""
    return dict.fromkeys(sorted({401, 503, *statuses}), Failure)


UPLOAD = (400, 403, 404, 413, 422, 507)


class Accepted(Schema):
    """A file that is taken in; `url` shows the document."""

    id: UUID
    status: str
    url: str


class State(Schema):
    """How far a document is. `progress` is in per cent; `reason` says why it failed, or what to know of
    it."""

    id: UUID
    status: str
    progress: int
    reason: str
    chunks: int
    name: str
    title: str
    collection: str
    url: str


@router.post("documents", response={202: Accepted, **failing(*UPLOAD)}, summary="Add a document")
def add(request: AuthenticatedRequest, file: File[UploadedFile], collection: Form[str]) -> Status[Accepted]:
    """The file is read in the background: follow it at `GET documents/{id}`. A collection that does not
    exist is created when the asker may create collections."""
    user = request.auth
    if not permissions.may_add_documents(user):
        raise HttpError(403, "You may not add documents.")
    target = _collection(user, collection)
    try:
        document = library.add(user, target, _checked(request, file), file.chunks())
    except tuple(REFUSED) as error:
        raise HttpError(REFUSED[type(error)], str(error)) from error
    return Status(202, _accepted(document))


@router.get(
    "documents/{uuid:document_id}", response={200: State, **failing(404)}, summary="How far a document is"
)
def get(request: AuthenticatedRequest, document_id: UUID) -> State:
    document = _visible(request.auth, document_id)
    return State(
        id=document.pk,
        status=document.status,
        progress=document.progress,
        reason=document.reason,
        chunks=document.chunk_count,
        name=document.name,
        title=document.title,
        collection=document.collection.slug,
        url=document.get_absolute_url(),
    )


@router.put(
    "documents/{uuid:document_id}", response={202: Accepted, **failing(*UPLOAD)}, summary="Replace a document"
)
def put(request: AuthenticatedRequest, document_id: UUID, file: File[UploadedFile]) -> Status[Accepted]:
    """The old content stays searchable until the new is ready."""
    document = _visible(request.auth, document_id)
    if not permissions.may_change(request.auth, document):
        raise HttpError(403, "You may not change documents.")
    try:
        library.replace(document, _checked(request, file), file.chunks(), request.auth)
        document.refresh_from_db()
    except tuple(REFUSED) as error:
        raise HttpError(REFUSED[type(error)], str(error)) from error
    except Document.DoesNotExist as error:
        raise HttpError(404, "There is no such document.") from error
    return Status(202, _accepted(document))


@router.delete(
    "documents/{uuid:document_id}", response={204: None, **failing(403, 404)}, summary="Delete a document"
)
def delete(request: AuthenticatedRequest, document_id: UUID) -> Status[None]:
    document = _visible(request.auth, document_id)
    if not permissions.may_delete(request.auth, document):
        raise HttpError(403, "You may not delete documents.")
    library.remove(document.pk)
    return Status(204, None)


def _visible(user: User, document_id: UUID) -> Document:
    document = permissions.visible_documents(user).select_related("collection").filter(pk=document_id).first()
    if document is None:
        raise HttpError(404, "There is no such document.")
    return document


def _collection(user: User, slug: str) -> Collection:
    found = library.named(permissions.writable_collections(user), slug)
    if found is not None:
        return found
    if permissions.may_create_collections(user) and library.named(Collection.objects.all(), slug) is None:
        if library.is_slug(slug.lower()):
            return library.create_collection(user, slug.lower())
        raise HttpError(404, f"No collection has this name, and none can: {library.NAMED}.")
    raise HttpError(404, "There is no such collection that you may add to.")


def _checked(request: HttpRequest, file: UploadedFile) -> str:
    """The file's name. Refuses what is too large before a byte of it is stored, and several, of which one would be."""
    if len(request.FILES.getlist("file")) > 1:
        raise HttpError(400, "Send one file a request.")
    if (file.size or 0) > storage.max_bytes():
        size, most = megabytes(file.size or 0), megabytes(storage.max_bytes())
        raise HttpError(413, f"The file has {size}, over the limit of {most}.")
    return file.name or "unnamed"


def _accepted(document: Document) -> Accepted:
    return Accepted(id=document.pk, status=document.status, url=document.get_absolute_url())

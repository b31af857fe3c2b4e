"""The library page, what its buttons do, and the page of a document."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from retrieval import library as keeping
from retrieval import permissions
from retrieval.errors import CollectionGone
from retrieval.finding import STATES, wanted
from retrieval.forms import CollectionForm, MoveForm, ReplaceForm, UploadForm
from retrieval.ingestion import storage
from retrieval.logins import came_from, logged_in
from retrieval.models import Chunk, Collection, Document
from retrieval.rendering import to_html
from retrieval.states import REFUSED, document_state, said

DOCUMENTS_A_PAGE = 100
CHUNKS_A_PAGE = 200

View = Callable[..., HttpResponse]


def librarian_required(view: View) -> View:
    """For people who may add documents; others are told that they may not. What somebody else has deleted in this
    moment is not found."""

    @logged_in
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not permissions.may_add_documents(request.user):
            raise PermissionDenied
        try:
            return view(request, *args, **kwargs)
        except Document.DoesNotExist:
            raise Http404 from None

    return checked


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@require_safe
@librarian_required
def library(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    collections = _collections(user)
    slug = request.GET.get("collection", "")
    named = keeping.named(Collection.objects.filter(pk__in=[each.pk for each in collections]), slug)
    chosen = next((each for each in collections if each == named), None)
    if slug and chosen is None:
        raise Http404
    chosen = chosen or (collections[0] if collections else None)
    narrowed = wanted(request.GET)
    found = narrowed.among(_documents(user, chosen))
    page = Paginator(found, DOCUMENTS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "library",
        "collections": collections,
        "chosen": chosen,
        "narrowed": narrowed,
        "states": [(key, name) for key, (name, _) in STATES.items()],
        "page": page,
        "rows": [(each, said(each.status)) for each in page],
        "writable": permissions.writable_collections(user),
        "may_create": permissions.may_create_collections(user),
        "collection_form": CollectionForm(user),
        "limit": storage.max_bytes() // 2**20,
    }
    return render(request, "retrieval/library.html", context)


def _collections(user: User) -> list[Collection]:
    """Those the user reads or may add to, with how many of their documents the user sees."""
    # Counted on their own: beside the collections, what the user sees would be looked up for each document.
    seen = permissions.visible_documents(user).order_by().values_list("collection")
    counted = seen.annotate(all=Count("pk"), bad=Count("pk", filter=Q(status=Document.Status.FAILED)))
    counts = {key: (documents, failed) for key, documents, failed in counted}
    shown = Q(pk__in=permissions.readable_collections(user)) | Q(
        pk__in=permissions.writable_collections(user)
    )
    shown |= Q(pk__in=counts)
    found = list(Collection.objects.filter(shown, scratch=False).order_by("name"))
    for each in found:
        each.counted, each.failed = counts.get(each.pk, (0, 0))  # type: ignore[attr-defined]
    return found


def _documents(user: User, collection: Collection | None) -> QuerySet[Document]:
    documents = permissions.visible_documents(user).select_related("collection")
    return documents.filter(collection=collection) if collection else documents.none()


@require_safe
@librarian_required
def states(request: HttpRequest) -> HttpResponse:
    """The states of one page of documents, for a page whose socket was gone for a while, and what the cards of the
    collections count."""
    user = _user(request)
    collection = keeping.named(Collection.objects.all(), request.GET.get("collection", ""))
    found = wanted(request.GET).among(_documents(user, collection))
    page = Paginator(found, DOCUMENTS_A_PAGE).get_page(request.GET.get("page"))
    counts = [
        {"slug": each.slug, "documents": each.counted, "failed": each.failed}  # type: ignore[attr-defined]
        for each in _collections(user)
    ]
    return JsonResponse({"documents": [document_state(each) for each in page], "collections": counts})


@require_POST
@librarian_required
def upload(request: HttpRequest) -> HttpResponse:
    """Files into a collection. The page's script sends one at a time and wants JSON; a bare form sends
    many."""
    form = UploadForm(_user(request), request.POST, request.FILES)
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    if not form.is_valid():
        reason = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return _refused(request, reason, wants_json, 400)
    collection, added = form.cleaned_data["collection"], []
    for file in form.cleaned_data["file"]:
        try:
            added.append(keeping.add(_user(request), collection, _name(file), file.chunks()))
        except tuple(REFUSED) as error:
            if wants_json:
                return _refused(request, str(error), wants_json, REFUSED[type(error)])
            messages.error(request, f"{file.name}: {error}")
    if wants_json:
        return JsonResponse({"documents": [document_state(each) for each in added]}, status=202)
    return _to_library(collection)


def _refused(request: HttpRequest, reason: str, wants_json: bool, status: int) -> HttpResponse:
    if wants_json:
        return JsonResponse({"error": {"code": "refused", "message": reason}}, status=status)
    messages.error(request, reason)
    return redirect("library")


def _name(file: "UploadedFile[Any]") -> str:
    return file.name or "unnamed"


def _to_library(collection: Collection) -> HttpResponse:
    return redirect(f"{reverse('library')}?collection={collection.slug}")


def _back(request: HttpRequest, collection: Collection) -> HttpResponse:
    """To the list as it was when the button was pressed: a later page of it, or what was looked for."""
    came = came_from(request)
    if came.path == reverse("library") and came.query:
        return redirect(f"{came.path}?{came.query}")
    return _to_library(collection)


@require_POST
@librarian_required
def new_collection(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    if not permissions.may_create_collections(user):
        raise PermissionDenied
    form = CollectionForm(user, request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("library")
    name, groups, languages = (form.cleaned_data[field] for field in ("name", "groups", "languages"))
    return _to_library(
        keeping.create_collection(user, keeping.slug_of(name), name, groups=groups, languages=languages)
    )


def _changeable(request: HttpRequest, pk: UUID) -> Document:
    document = get_object_or_404(
        permissions.visible_documents(request.user).select_related("collection"), pk=pk
    )
    if not permissions.may_change(request.user, document):
        raise PermissionDenied
    return document


@require_POST
@librarian_required
def retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = _changeable(request, pk)
    keeping.retry(document)
    return _back(request, document.collection)


@require_POST
@librarian_required
def replace(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = _changeable(request, pk)
    form = ReplaceForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, "Choose a file to replace the document with.")
        return _back(request, document.collection)
    file = form.cleaned_data["file"]
    try:
        keeping.replace(document, _name(file), file.chunks(), _user(request))
    except tuple(REFUSED) as error:
        messages.error(request, f"{file.name}: {error}")
    return _back(request, document.collection)


@require_POST
@librarian_required
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = _changeable(request, pk)
    form = MoveForm(_user(request), request.POST)
    if not form.is_valid():
        raise Http404
    to: Collection = form.cleaned_data["collection"]
    try:
        keeping.move(document, to, _user(request))
    except CollectionGone:
        raise Http404 from None
    messages.success(request, f"“{document}” is in {to.name or to.slug} now.")
    return _to_library(to)


@require_POST
@librarian_required
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    document = get_object_or_404(
        permissions.visible_documents(request.user).select_related("collection"), pk=pk
    )
    if not permissions.may_delete(request.user, document):
        raise PermissionDenied
    keeping.remove(document.pk)
    messages.success(request, f"“{document}” is deleted.")
    return _back(request, document.collection)


@require_safe
@logged_in
def document(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A document's text in order; the chunk of `?chunk=` is marked and scrolled to."""
    readable = permissions.readable_documents(request.user).select_related("collection")
    shown = get_object_or_404(readable, pk=pk)
    chunks = Chunk.objects.filter(document=shown).order_by("ordinal")
    wanted = request.GET.get("chunk", "")
    marked = (
        chunks.filter(pk=int(wanted)).first()
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 20
        else None
    )
    number = marked.ordinal // CHUNKS_A_PAGE + 1 if marked else request.GET.get("page")
    page = Paginator(chunks, CHUNKS_A_PAGE).get_page(number)
    context = {
        "document": shown,
        "page": page,
        "parts": _parts(list(page)),
        "marked": marked.pk if marked else None,
        "at": marked.page if marked else None,
        "missing": bool(wanted) and marked is None,
        "section": "library" if permissions.may_add_documents(request.user) else "",
    }
    return render(request, "retrieval/document.html", context)


def _parts(chunks: list[Chunk]) -> list[dict[str, Any]]:
    """The chunks with their text as HTML; heading and page are given where they change."""
    parts: list[dict[str, Any]] = []
    heading, page = "", None
    for chunk in chunks:
        parts.append(
            {
                "id": chunk.pk,
                "html": to_html(chunk.text),
                "heading": chunk.heading if chunk.heading != heading else "",
                "page": chunk.page if chunk.page != page else None,
            }
        )
        heading, page = chunk.heading, chunk.page
    return parts

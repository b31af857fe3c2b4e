"""What the library page does to several documents at once: move, try again, delete. Each is looked at and changed as
if it were the only one, one after the other; what came of each is said in the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from retrieval import library, permissions
from retrieval.errors import CollectionGone
from retrieval.forms import MoveForm
from retrieval.models import Collection, Document
from retrieval.views import librarian_required

MOVE, RETRY, DELETE = ACTIONS = ("move", "retry", "delete")
_NAMED = 3  # documents that a line names; it counts the others


@dataclass
class Outcome:
    """The documents that were changed, those that the asker may not change, those that there was no need to, and how
    many were not there: deleted meanwhile, or never for the asker to see."""

    done: list[Document] = field(default_factory=list)
    refused: list[Document] = field(default_factory=list)
    left: list[Document] = field(default_factory=list)
    gone: int = 0


@require_http_methods(["GET", "HEAD", "POST"])
@librarian_required
def selected(request: HttpRequest) -> HttpResponse:
    """Asks whether it is meant, and then does it. The page's script has asked already."""
    if request.method != "POST":
        return _to_list(request)  # after a login
    user, action, asked = request.user, request.POST.get("action", ""), _asked(request)
    assert isinstance(user, User)
    if action not in ACTIONS:
        raise Http404
    if not asked:
        messages.warning(request, "Select documents first.")
        return _to_list(request)
    visible = permissions.visible_documents(user).select_related("collection")
    documents = list(visible.filter(pk__in=asked).order_by("-created_at"))
    if action != RETRY and documents and "confirmed" not in request.POST:
        return _confirm(request, user, action, documents)
    to = _target(request, user) if action == MOVE else None
    outcome = _do(user, action, documents, to)
    outcome.gone += len(asked) - len(documents)
    _tell(request, action, outcome, to)
    return _to_list(request)


def _asked(request: HttpRequest) -> set[UUID]:
    try:
        return {UUID(each) for each in request.POST.getlist("document")}
    except ValueError:
        raise Http404 from None


def _to_list(request: HttpRequest) -> HttpResponse:
    """The list as it was: its collection, its page and what was looked for are this address's, too."""
    return redirect(f"{reverse('library')}?{request.GET.urlencode()}")


def _confirm(request: HttpRequest, user: User, action: str, documents: Sequence[Document]) -> HttpResponse:
    held = {document.collection_id for document in documents}
    targets = permissions.writable_collections(user)
    context = {
        "section": "library",
        "action": action,
        "documents": documents,
        "targets": targets.exclude(pk__in=held) if len(held) == 1 else targets,
    }
    return render(request, "retrieval/selected.html", context)


def _target(request: HttpRequest, user: User) -> Collection:
    form = MoveForm(user, request.POST)
    if not form.is_valid():
        raise Http404
    to: Collection = form.cleaned_data["collection"]
    return to


def _do(user: User, action: str, documents: Sequence[Document], to: Collection | None) -> Outcome:
    may: Callable[[User, Document], bool]
    may = permissions.may_delete if action == DELETE else permissions.may_change
    outcome = Outcome()
    for document in documents:
        if not may(user, document):
            outcome.refused.append(document)
        elif action == RETRY and document.status != Document.Status.FAILED:
            outcome.left.append(document)
        else:
            try:
                _change(user, action, document, to)
                outcome.done.append(document)
            except Document.DoesNotExist:
                outcome.gone += 1
    return outcome


def _change(user: User, action: str, document: Document, to: Collection | None) -> None:
    if action == DELETE:
        library.remove(document.pk)
    elif to is None:
        library.retry(document)
    else:
        try:
            library.move(document, to, user)
        except CollectionGone:
            raise Http404 from None


def _tell(request: HttpRequest, action: str, outcome: Outcome, to: Collection | None) -> None:
    if outcome.done:
        be = "is" if len(outcome.done) == 1 else "are"
        done = {MOVE: f"in {to} now", RETRY: "tried again", DELETE: "deleted"}[action]
        messages.success(request, f"{named(outcome.done)} {be} {done}.")
    if outcome.refused:
        verb = {MOVE: "move", RETRY: "retry", DELETE: "delete"}[action]
        messages.error(request, f"You may not {verb} {named(outcome.refused)}.")
    if outcome.left:
        messages.info(request, f"{named(outcome.left)} had not failed.")
    if outcome.gone:
        be = "was" if outcome.gone == 1 else "were"
        messages.warning(request, f"{outcome.gone} of those selected {be} no longer there.")


def named(documents: Sequence[Document]) -> str:
    """The names of a few, and how many others there are."""
    names = [f"“{document}”" for document in documents[:_NAMED]]
    others = len(documents) - len(names)
    if others:
        return f"{', '.join(names)} and {others} other{'' if others == 1 else 's'}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

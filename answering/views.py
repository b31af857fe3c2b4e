"""The ask page, a conversation, and the two things that can be done to one. Questions and answers go over the
socket (`consumers.py`); these pages only bring what happened before."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from answering.asking import LONGEST
from answering.examples import examples
from answering.forms import ConversationForm
from answering.history import all_of, asked_by, by_day, runs_of
from answering.models import Conversation
from retrieval.access import scope_for
from retrieval.finding import text_wanted
from retrieval.logins import logged_in
from retrieval.models import Collection

MODULES = [
    f"js/{name}.js"
    for name in (
        "ask",
        "composer",
        "conversations",
        "dom",
        "run",
        "socket",
        "markdown",
        "sources",
        "timings",
        "text",
        "wording",
    )
]
"""What the page's script imports, so that a browser fetches all of it at once."""


@require_safe
@logged_in
@never_cache
def ask(request: HttpRequest) -> HttpResponse:
    return _page(request, None)


@require_safe
@logged_in
@never_cache
def conversation(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _page(request, get_object_or_404(Conversation, pk=pk, user=request.user))


@require_POST
@logged_in
def rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    form = ConversationForm(request.POST, instance=get_object_or_404(Conversation, pk=pk, user=request.user))
    if form.is_valid():
        form.save()
    return redirect("conversation", pk)


@require_POST
@logged_in
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    get_object_or_404(Conversation, pk=pk, user=request.user).delete()
    return redirect("ask")


def _page(request: HttpRequest, current: Conversation | None) -> HttpResponse:
    scope = scope_for(request.user)
    collections = list(
        Collection.objects.filter(id__in=scope.collection_ids, scratch=False).values("slug", "name")
    )
    before = _uuid(request.GET.get("before"))
    runs, older = runs_of(current, scope, before=before) if current else ([], "")
    sought = text_wanted(request.GET)
    every = "all" in request.GET or bool(sought)
    assert request.user.pk is not None
    further, more = "", False
    if every:
        listed, further = all_of(request.user.pk, after=_uuid(request.GET.get("after")), text=sought)
    else:
        listed, more = asked_by(request.user.pk)
    context: dict[str, Any] = {
        "section": "ask",
        "modules": MODULES,
        "conversation": current,
        "days": by_day(listed, timezone.localdate()),
        "more": more,
        "further": further,
        "sought": sought,
        "newest": every and "after" in request.GET,
        "collections": collections,
        "examples": examples(scope) if not runs else [],
        "librarians": [] if request.user.has_perm("retrieval.add_document") else _librarians(),
        "kept_days": settings.KEEP_QUESTIONS_DAYS,
        "older": older,
        "newer": current is not None and before is not None,
        "page": {
            "conversation": str(current.id) if current else None,
            "collections": collections,
            "runs": runs,
            "earlier": current is not None and before is not None,
            "longest": LONGEST,
            "user": request.user.pk,
        },
    }
    return render(request, "answering/ask.html", context)


def _librarians() -> list[str]:
    """Names of a few people who may add documents; not of superusers, who are nobody's first address."""
    users = User.objects.with_perm("retrieval.add_document", include_superusers=False)
    return [user.get_full_name() or user.get_username() for user in users[:3]]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

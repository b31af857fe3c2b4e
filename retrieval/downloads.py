"""The original of a document, for who may read it: each request is looked at anew, one for a part of it, too."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from retrieval import permissions, ranges
from retrieval.ingestion import storage
from retrieval.models import PDF

_PIECE = 256 * 1024


_POLICY = "sandbox; default-src 'none'"
# Not every viewer shows anything in a sandbox; older Chromium draws it as an object with styles of its own.
_POLICY_OF_PDF = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'"


class Original(NamedTuple):
    """`tag`: the same for the same bytes alone. `shown`: to be opened by the browser's own viewer of PDFs."""

    path: Path
    name: str
    size: int
    tag: str
    shown: bool = False


@require_safe
async def download(request: HttpRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """The original of what is searchable, or a part of it, as an attachment and never as a page of ours."""
    found = await _original(request, pk)
    return _sent(request, found) if found else redirect_to_login(request.get_full_path())


@require_safe
async def pdf(request: HttpRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """The same for the browser's viewer, which goes to `#page=N`. What is no PDF, or no longer, is shown as text, at
    the passage of `?chunk=`."""
    found = await _original(request, pk, shown=True)
    if found is not None and not found.shown:
        return redirect(f"{reverse('document', args=[pk])}?{request.GET.urlencode()}")
    return _sent(request, found) if found else redirect_to_login(request.get_full_path())


def _sent(request: HttpRequest, found: Original) -> HttpResponse | StreamingHttpResponse:
    try:
        response = _answer(found, request.method == "HEAD", _wanted(request, found))
    except ranges.OutOfRange:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{found.size}"})
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = found.tag
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = _POLICY_OF_PDF if found.shown else _POLICY
    response["Cache-Control"] = "private, no-store"
    return response


@database_sync_to_async  # type: ignore[untyped-decorator]
def _original(request: HttpRequest, pk: UUID, *, shown: bool = False) -> Original | None:
    """None for who is not logged in. Raises Http404."""
    if not request.user.is_authenticated:
        return None
    document = get_object_or_404(permissions.readable_documents(request.user), pk=pk)
    content_hash = document.published_hash or document.content_hash
    path = storage.path_of(content_hash)
    if not path.is_file():
        raise Http404
    name = PurePosixPath(document.readable_name).name
    return Original(path, name, path.stat().st_size, f'"{content_hash}"', shown and document.is_pdf)


def _wanted(request: HttpRequest, original: Original) -> range | None:
    """The part that is asked for. None for all of it: also for who has a part of another version. Raises OutOfRange."""
    if request.method != "GET" or request.headers.get("If-Range", original.tag) != original.tag:
        return None
    return ranges.part(request.headers.get("Range", ""), original.size)


def _answer(original: Original, head: bool, part: range | None) -> HttpResponse | StreamingHttpResponse:
    sent = range(original.size) if part is None else part
    response: HttpResponse | StreamingHttpResponse
    response = HttpResponse() if head else StreamingHttpResponse(_pieces(original.path, sent))
    if part is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{original.size}"
    response["Content-Type"] = PDF if original.shown else "application/octet-stream"
    response["Content-Length"] = str(len(sent))
    response["Content-Disposition"] = (
        content_disposition_header(not original.shown, original.name) or "attachment"
    )
    return response


async def _pieces(path: Path, part: range) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, part.start)
        left = len(part)
        while left and (piece := await asyncio.to_thread(file.read, min(_PIECE, left))):
            left -= len(piece)
            yield piece
    finally:
        await asyncio.to_thread(file.close)

"""The original of a document, for who may read it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from uuid import UUID

from channels.db import database_sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from retrieval import permissions
from retrieval.ingestion import storage

_PIECE = 256 * 1024


@require_safe
async def download(request: HttpRequest, pk: UUID) -> HttpResponse | StreamingHttpResponse:
    """The original of what is searchable, as an attachment and never as a page of ours."""
    found = await _original(request, pk)
    if found is None:
        return redirect(f"{reverse('login')}?next={request.path}")
    path, name, size = found
    response = StreamingHttpResponse(_pieces(path), content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@database_sync_to_async  # type: ignore[untyped-decorator]
def _original(request: HttpRequest, pk: UUID) -> tuple[Path, str, int] | None:
    """The file, its name and size; None for who is not logged in. Raises Http404."""
    if not request.user.is_authenticated:
        return None
    document = get_object_or_404(permissions.readable_documents(request.user), pk=pk)
    path = storage.path_of(document.published_hash or document.content_hash)
    if not path.is_file():
        raise Http404
    return path, PurePosixPath(document.readable_name).name, path.stat().st_size


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)

"""The answer to a request that Django refuses before a view sees it, or that failed in one."""

import sys

from django.conf import settings
from django.core.exceptions import DisallowedHost, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token
from django.views.defaults import server_error

from qa_site.api_errors import MESSAGES, told
from qa_site.uploads import NoRoomForUpload
from retrieval.outages import is_outage

AGAIN = 5
"""Seconds after which to try again while Postgres is away."""


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    status, (code, reason) = 400, MESSAGES[400]
    page: dict[str, object] = {}
    if isinstance(exception, NoRoomForUpload):
        status, code, reason = 507, "no_room", str(exception)
        page = {"no_room": reason}
    elif isinstance(exception, DisallowedHost):
        name = request.META.get("HTTP_HOST", "")
        reason = f"This server is not called {name!r}. ALLOWED_HOSTS lists its names."
        page = {"unknown_host": name}
    elif isinstance(exception, TooManyFilesSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        reason, page = f"There are too many files: send at most {most} at once.", {"most_files": most}
    if request.path.startswith("/api/") or not request.accepts("text/html"):
        body = told(code, reason)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return HttpResponse(body, status=status, headers=headers)
    return render(request, "400.html", page, status=status)


def forged(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Of several tabs with the login page, all but the first that is sent have an old form, and nothing left to do.
    Behind a proxy that is not set up, every form is refused: then trying again is no advice."""
    if request.path == settings.LOGIN_URL and request.user.is_authenticated:
        return redirect(request.get_full_path())
    page = request.headers.get("Origin", "")
    addresses = None
    if page != "null" and reason == REASON_BAD_ORIGIN % page:
        addresses = {"page": page, "server": f"{request.scheme}://{request.get_host()}"}
    return render(request, "403_csrf.html", {"addresses": addresses}, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """Django calls it while it handles the error. Neither page asks the database anything."""
    if not is_outage(sys.exc_info()[1]):
        return server_error(request)
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": str(AGAIN)})

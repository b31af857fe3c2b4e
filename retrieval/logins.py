"""Logging in on the way to a page, and to what its buttons do."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

UNDONE = "You had been logged out, so nothing was changed. Log in and do it again."


def logged_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Django's `login_required`, but that who presses a button after the session has ended comes back to the page with
    that button: its own address answers nothing that a browser asks for after a login."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method != "POST":
            return redirect_to_login(request.get_full_path())
        messages.warning(request, UNDONE)
        came = came_from(request)
        return redirect_to_login(came._replace(scheme="", netloc="", fragment="").geturl() or "/")

    return checked


def came_from(request: HttpRequest) -> SplitResult:
    """The page with the button that was pressed; empty where the request names none."""
    try:
        return urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # no address, as http://[
        return urlsplit("")

"""The page for a request that Django refuses before a view sees it."""

from django.conf import settings
from django.core.exceptions import TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import requires_csrf_token


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    is_too_many = isinstance(exception, TooManyFilesSent)
    most = settings.DATA_UPLOAD_MAX_NUMBER_FILES if is_too_many else None
    return render(request, "400.html", {"most_files": most}, status=400)

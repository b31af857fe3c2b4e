"""What Django itself answers below /api/ (no such address, not this method, a bug), in the one form of the HTTP
interface."""

from collections.abc import Callable
from typing import Any

import orjson
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

MESSAGES = {
    400: ("bad_request", "The request cannot be read."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("too_large", "The request is too large."),
    503: ("unavailable", "The document store cannot be reached right now. Try again."),
}
INTERNAL = ("internal", "Something went wrong here. Please ask again.")


def told(code: str, message: str) -> bytes:
    """The body of an error."""
    return orjson.dumps({"error": {"code": code, "message": message}})


@sync_and_async_middleware
def api_errors(get_response: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(get_response):

        async def answered(request: HttpRequest) -> HttpResponse:
            return in_one_form(request, await get_response(request))

        return answered
    return lambda request: in_one_form(request, get_response(request))


def in_one_form(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    status = response.status_code
    if status >= 400 and request.path.startswith("/api/") and "json" not in response.get("Content-Type", ""):
        code, message = MESSAGES.get(status, INTERNAL)
        response.content = told(code, message)
        response["Content-Type"] = "application/json"
        response["Content-Length"] = str(len(response.content))
    return response

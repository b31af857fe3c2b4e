"""Does the process live, can it answer, and the metrics of all processes together."""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.middleware.common import CommonMiddleware
from django.views.decorators.cache import never_cache
from django_prometheus.exports import ExportToDjangoView
from redis.exceptions import RedisError

from answering import tokens
from answering.errors import AnsweringError
from answering.wiring import Wiring, wiring
from retrieval.database import within
from retrieval.errors import RetrievalError

PATIENCE = 2.0
"""Seconds that a dependency has to say that it is there."""

PATHS = {"/healthz", "/readyz"}

Check = Callable[[Wiring], Coroutine[Any, Any, object]]


class ByAnyName(CommonMiddleware):
    """Whatever a server's names are for people (ALLOWED_HOSTS), those who watch over it call it by its address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path in PATHS else super().process_request(request)


@never_cache
async def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives and its event loop turns."""
    return HttpResponse("ok\n", content_type="text/plain")


async def _postgres(built: Wiring) -> object:
    """Each question is written down before it is answered."""
    async with built.pool.connection(timeout=PATIENCE) as connection:
        cursor = await connection.execute(
            "SELECT current_setting('transaction_read_only'), EXISTS (SELECT FROM retrieval_collection)"
        )
        row = await cursor.fetchone()
    return "read-only" if row and row[0] == "on" else None


async def _redis(built: Wiring) -> None:
    await built.redis.ping()


async def _lexical(built: Wiring) -> object:
    return built.index_state()


async def _embedder(built: Wiring) -> object:
    return built.embedder_state()


CHECKS: dict[str, tuple[Check, bool]] = {
    # name: (check, whether no question can be answered without it)
    "postgres": (_postgres, True),
    "redis": (_redis, False),
    "lexical": (_lexical, False),
    "embedder": (_embedder, False),
}


@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """200 while questions can be answered, with the state of each dependency; 503 otherwise."""
    try:
        built = await wiring()
    except (RetrievalError, AnsweringError, psycopg.Error, OSError) as error:
        return JsonResponse({"ready": False, "dependencies": {"start": f"error: {error}"}}, status=503)
    found = await asyncio.gather(*(_state(check, built) for check, _ in CHECKS.values()))
    states = dict(zip(CHECKS, found, strict=True))
    ready = all(states[name] == "ok" for name, (_, needed) in CHECKS.items() if needed)
    ready = ready and (states["lexical"] == "ok" or states["embedder"] == "ok")
    body: dict[str, Any] = {"ready": ready, "dependencies": states | built.breaker_states()}
    return JsonResponse(body, status=200 if ready else 503)


async def _state(check: Check, built: Wiring) -> str:
    begun = time.monotonic()
    try:
        said = await within(check(built), PATIENCE)
    except TimeoutError:
        return f"no answer within {time.monotonic() - begun:.0f} s"
    except (psycopg.Error, RedisError, RetrievalError, OSError) as error:
        return f"error: {type(error).__name__}"
    return "ok" if said is None else str(said)


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' page, for staff, a staff member's token, or the networks of METRICS_ALLOW."""
    if not _may_see_metrics(request):
        return HttpResponse(
            "Log in as staff, send a token, or set METRICS_ALLOW.\n", status=403, content_type="text/plain"
        )
    page: HttpResponse = ExportToDjangoView(request)
    return page


def _may_see_metrics(request: HttpRequest) -> bool:
    if request.user.is_authenticated and request.user.is_staff:
        return True
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        user = tokens.user_of(token.strip())
        return user is not None and user.is_staff
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return False
    # One that came through a proxy shows the proxy's address, or what its sender has written for their own.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    return any(address in network for network in settings.METRICS_ALLOW)

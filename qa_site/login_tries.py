"""How often somebody may be wrong about a password: counted by user name and network, in Redis for all processes
together, in a moving window.

A try counts before its password is looked at, so that many at once are not more; one that succeeds wipes the count.
Every name is counted alike, whether there is such a user or not. Without Redis each process counts for itself."""

import ipaddress
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger("qa_site")

MINUTES = 5
"""Nobody waits longer: a try that is refused does not count."""
PATIENCE = 0.5
"""Seconds that Redis has for an answer."""
A_PROXY = 10
"""What all who come through a proxy have together, as a multiple of what one network has."""

Count = tuple[RateLimitItem, str]


class LoginTries:
    """`most` failed tries for a name from a network; 0 is no limit."""

    def __init__(self, redis_url: str, most: int) -> None:
        redis = Redis.from_url(
            redis_url, protocol=2, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
        # The pool is what counts; the address is only there because the library parses one.
        storage = RedisStorage("redis://", key_prefix="login", connection_pool=redis.connection_pool)
        self._most = most
        self._shared = MovingWindowRateLimiter(storage)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._lost = False

    def counts(self, name: str, request: HttpRequest) -> list[Count]:
        """What a try counts in. Behind a proxy that is the network that it tells of last; and all of them together, for
        one that passes on what its clients write tells of any network they like. Who connected is not known there:
        with --proxy-headers, daphne has the first that is told of in its place."""
        if not self._most:
            return []
        near = RateLimitItemPerMinute(self._most, MINUTES)
        told = request.headers.get("X-Forwarded-For", "")
        if not (settings.HTTPS_ONLY and told):
            return [(near, _key(name, request.META.get("REMOTE_ADDR") or ""))]
        everywhere = RateLimitItemPerMinute(A_PROXY * self._most, MINUTES)
        return [(near, _key(name, told.rpartition(",")[2].strip())), (everywhere, _key(name, ""))]

    def spend(self, counts: list[Count]) -> float:
        """Counts a try. Seconds to wait; 0: it may be made."""
        for count in counts:  # what the first refuses does not count in the second
            if wait := self._tried(_spend, count):
                return wait
        return 0.0

    def wipe(self, counts: list[Count]) -> None:
        for count in counts:
            self._tried(_wipe, count)

    def _tried(self, act: Callable[[MovingWindowRateLimiter, Count], float], count: Count) -> float:
        try:
            result = act(self._shared, count)
            self._lost = False
        except (RedisError, OSError) as error:
            if not self._lost:
                self._lost = True
                logger.warning(
                    "tries to log in are counted in this process alone", extra={"cause": repr(error)}
                )
            return act(self._own, count)
        return result


def _spend(limiter: MovingWindowRateLimiter, count: Count) -> float:
    item, key = count
    if limiter.hit(item, key):
        return 0.0
    wait = limiter.get_window_stats(item, key).reset_time - time.time()
    if wait > item.get_expiry():  # the clock was set back: what was counted is of the future
        limiter.clear(item, key)
        return _spend(limiter, count)
    return max(1.0, wait)


def _wipe(limiter: MovingWindowRateLimiter, count: Count) -> float:
    limiter.clear(*count)
    return 0.0


def _key(name: str, address: str) -> str:
    """Hashed, for people type passwords where the name belongs."""
    return salted_hmac("login tries", f"{name.casefold()}\0{network(address)}").hexdigest()


def network(address: str) -> str:
    """Whom an address stands for: who has one of them often has its neighbours as well."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))


@cache
def login_tries() -> LoginTries:
    return LoginTries(settings.REDIS_URL, settings.LOGIN_TRIES)


class Counted(AuthenticationForm):
    """Refuses a try of which there were too many, with `login_wait` at the request for the view."""

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name is None or not password or self.request is None:
            return super().clean()
        with self._counted(name, self.request):
            return super().clean()

    @contextmanager
    def _counted(self, name: str, request: HttpRequest) -> Iterator[None]:
        tries = login_tries()
        counts = tries.counts(name, request)
        if wait := tries.spend(counts):
            request.login_wait = wait  # type: ignore[attr-defined]
            raise ValidationError(
                f"Too many failed tries to log in with this name. Try again in {spoken(wait)}.",
                code="too_many",
            )
        is_wrong = False
        try:
            yield
        except ValidationError:
            is_wrong = True
            raise
        finally:
            if not is_wrong:  # right, or nobody could look
                tries.wipe(counts)


class LoginView(auth.LoginView):
    authentication_form = Counted
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Not back to this page: for who is logged in that would be a bug of ours, says Django."""
        chosen = super().get_redirect_url()
        return "" if urlsplit(chosen).path == self.request.path else chosen


class AdminLoginForm(Counted, AdminAuthenticationForm):
    pass


def spoken(seconds: float) -> str:
    if seconds <= 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} minutes"


def tells_to_wait(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The status of a refused try."""

    @wraps(view)
    def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if wait := getattr(request, "login_wait", 0):
            response.status_code = 429
            response["Retry-After"] = str(math.ceil(wait))
        return response

    return told

"""A socket is opened from our own pages only. Browsers send cookies with any socket and tell the page's
origin; a client without an Origin header is no browser and carries no one else's cookies."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[Any]]
DEFAULT_PORTS = {"http": "80", "https": "443"}


def same_origin(origin: str, host: str, allowed_hosts: list[str]) -> bool:
    """Whether a page of `origin` (`https://docs.example:8000`) was served by `host` (`docs.example:8000`),
    and the host is one of ours."""
    domain, port = split_domain_port(host)
    if not domain or not validate_host(domain, allowed_hosts):
        return False
    parts = urlsplit(origin)
    default = DEFAULT_PORTS.get(parts.scheme)
    if default is None:
        return False
    page_domain, page_port = split_domain_port(parts.netloc)
    return domain == page_domain and (port or default) == (page_port or default)


async def deny(scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Refuses a socket, for which it needs neither Redis nor Postgres."""
    await receive()
    await send({"type": "websocket.close"})


class SameOrigin:
    """Denies a socket whose page came from elsewhere."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> Any:
        headers = {name.lower(): value.decode("latin1") for name, value in scope.get("headers", ())}
        origin = headers.get(b"origin")
        if origin is not None and not same_origin(origin, headers.get(b"host", ""), settings.ALLOWED_HOSTS):
            return await deny(scope, receive, send)
        return await self.application(scope, receive, send)

"""Who opens a socket is read from Postgres, and while that does not answer, nobody can be told. Then a socket goes its
own way: a server would drop it without a word, or answer 500."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.db import Error

from retrieval.outages import is_outage

logger = logging.getLogger("qa_site")

PATIENCE = 4.0
"""Seconds to find out; daphne drops a handshake after 5."""


class Callers(AuthMiddleware):  # type: ignore[misc]
    """Puts the user into the scope, or turns to `unknown`."""

    def __init__(self, known: Any, unknown: Any) -> None:
        super().__init__(known)
        self.unknown = unknown

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> Any:
        scope = dict(scope)
        self.populate_scope(scope)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.resolve_scope(scope)
        except (Error, TimeoutError) as error:
            if not (is_outage(error) or isinstance(error, TimeoutError)):
                raise
            logger.warning("it cannot be told who opens a socket", extra={"cause": repr(error)})
            return await self.unknown(scope, receive, send)
        return await self.inner(scope, receive, send)


def told_apart(known: Any, unknown: Any) -> Any:
    """The sockets of those who are `known`, be it as anonymous, and of others."""
    return CookieMiddleware(SessionMiddleware(Callers(known, unknown)))

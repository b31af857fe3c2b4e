"""Who opens a socket is read from Postgres, and while that does not answer, nobody can be told. Then a socket goes its
own way: a server would drop it without a word, or answer 500."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from channels.auth import AuthMiddleware
from channels.sessions import CookieMiddleware, SessionMiddleware

from retrieval.outages import is_outage

logger = logging.getLogger("qa_site")

PATIENCE = 3.0
"""Seconds to find out; daphne drops a handshake after 4 to 5."""


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
        finding = asyncio.ensure_future(self.resolve_scope(scope))
        finding.add_done_callback(_heard)
        await asyncio.wait({finding}, timeout=PATIENCE)
        error = finding.exception() if finding.done() else TimeoutError()
        finding.cancel()  # and not waited for: its thread waits for Postgres
        if error is None:
            return await self.inner(scope, receive, send)
        if not is_outage(error) and not isinstance(error, TimeoutError):
            raise error
        logger.warning("it cannot be told who opens a socket", extra={"cause": repr(error)})
        return await self.unknown(scope, receive, send)


def _heard(finding: "asyncio.Future[None]") -> None:
    """Nobody is left to whom a late error could be told."""
    if not finding.cancelled():
        finding.exception()


def told_apart(known: Any, unknown: Any) -> Any:
    """The sockets of those who are `known`, be it as anonymous, and of others."""
    return CookieMiddleware(SessionMiddleware(Callers(known, unknown)))

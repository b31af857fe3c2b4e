"""Daphne on uvloop: `python -m qa_site.serve` takes daphne's options. uvloop does with a fifth less processor time what
asyncio's own loop does; where it has no wheel, that one serves.

What is sent goes to Django as it came. Twisted alone would read a form into memory first, on the event loop: in that
second and a half (a file of 45 MB, which takes 600 MB there) no answer of the process would go on.

With `--warm` it gets ready to answer at once, and not when it is first asked: that takes seconds, which the first one
to ask would wait, and until then nobody takes over what a process that died was at. One that is told to stop leaves
that to the others at once."""

import asyncio
import sys
from contextlib import suppress
from typing import Any

with suppress(ImportError):
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

import daphne.server  # noqa: F401 - first, for it makes asyncio's loop the reactor's
from daphne import http_protocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from qa_site.asgi import get_ready, leave
from qa_site.flow import CommandLine
from qa_site.processes import WARM


def hand_over() -> Deferred[None]:
    """As the process is told to stop. The reactor waits for it."""
    return Deferred.fromFuture(asyncio.ensure_future(leave()))


class Request(http_protocol.WebRequest):  # type: ignore[misc]
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, parsePOSTFormSubmission=False)


http_protocol.WebRequest = Request  # daphne has no setting for it

if __name__ == "__main__":
    reactor.addSystemEventTrigger("before", "shutdown", hand_over)  # type: ignore[arg-type]
    if WARM in sys.argv:
        sys.argv.remove(WARM)
        reactor.callLater(0, lambda: asyncio.ensure_future(get_ready()))  # type: ignore[arg-type]
    CommandLine.entrypoint()

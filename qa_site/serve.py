"""Daphne on uvloop: `python -m qa_site.serve` takes daphne's options. uvloop does with a fifth less processor time what
asyncio's own loop does; where it has no wheel, that one serves.

With `--warm` it gets ready to answer at once, and not when it is first asked: that takes seconds, which the first one
to ask would wait, and until then nobody takes over what a process that died was at. One that is told to stop leaves
that to the others at once."""

import asyncio
import sys
from contextlib import suppress

with suppress(ImportError):
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

import daphne.server  # noqa: F401 - first, for it makes asyncio's loop the reactor's
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from qa_site.asgi import get_ready, leave
from qa_site.bodies import install
from qa_site.flow import CommandLine
from qa_site.processes import WARM


def hand_over() -> Deferred[None]:
    """As the process is told to stop. The reactor waits for it."""
    return Deferred.fromFuture(asyncio.ensure_future(leave()))


if __name__ == "__main__":
    install()
    reactor.addSystemEventTrigger("before", "shutdown", hand_over)  # type: ignore[arg-type]
    if WARM in sys.argv:
        sys.argv.remove(WARM)
        reactor.callLater(0, lambda: asyncio.ensure_future(get_ready()))  # type: ignore[arg-type]
    CommandLine.entrypoint()

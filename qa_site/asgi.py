"""The ASGI application, for any ASGI server: Django for HTTP, Channels for the sockets."""

import logging
import os
from typing import Any

import psycopg
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qa_site.settings")
http = get_asgi_application()

# Only now are the apps loaded that the routes need.
import answering.routing  # noqa: E402
import retrieval.routing  # noqa: E402
from answering.errors import AnsweringError  # noqa: E402
from answering.wiring import leave as leave  # noqa: E402
from answering.wiring import wiring  # noqa: E402
from qa_site.callers import told_apart  # noqa: E402
from qa_site.origin import SameOrigin, deny  # noqa: E402
from qa_site.uploads import Roomed  # noqa: E402
from retrieval.errors import RetrievalError  # noqa: E402
from retrieval.postgres.connections import impatient  # noqa: E402

elsewhere = re_path("", deny)  # type: ignore[arg-type]  # an unknown address is no bug of ours
known = [*answering.routing.websocket_urlpatterns, *retrieval.routing.websocket_urlpatterns, elsewhere]
unknown = [*answering.routing.of_unknown, elsewhere]
sockets = SameOrigin(told_apart(URLRouter(known), URLRouter(unknown)))
routes = ProtocolTypeRouter({"http": Roomed(http), "websocket": sockets})


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Somebody waits for all that comes this way."""
    impatient.set(True)
    await routes(scope, receive, send)


async def get_ready() -> None:
    """Before anybody asks. What fails here is tried again when somebody does."""
    try:
        await wiring()
    except (RetrievalError, AnsweringError, psycopg.Error, OSError) as error:
        logging.getLogger("qa_site").warning("not ready yet", extra={"cause": repr(error)})

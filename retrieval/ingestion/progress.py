"""Tells open pages that a document has changed. A hint only: the pages read the row again, under their own
access."""

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import time
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
_APART = 0.4  # seconds between two hints of one document
_GATHER = 0.1  # seconds in which what is said twice of a document is sent once
_PATIENCE = 5.0  # seconds

_last: dict[UUID, float] = {}
_waiting: dict[tuple[str, str], dict[str, Any]] = {}  # by group and document
_starting = threading.Lock()
_sender: tuple[int, asyncio.AbstractEventLoop, threading.Thread] | None = None


def group_of_collection(collection_id: int) -> str:
    return f"library.collection.{collection_id}"


def group_of_user(user_id: int) -> str:
    return f"library.user.{user_id}"


def hint(document_id: UUID, collection_id: int, uploaded_by: int | None, *, urgent: bool = True) -> None:
    """Sends the hint to the readers of the collection and to the uploader; what is not urgent may be left
    out."""
    now = time.monotonic()
    if not urgent and now - _last.get(document_id, 0.0) < _APART:
        return
    if len(_last) > 1000:
        _last.clear()
    _last[document_id] = now
    message: dict[str, Any] = {
        "type": "document.changed",
        "id": str(document_id),
        "collection": collection_id,
    }
    sent = {group_of_collection(collection_id): message}
    if uploaded_by is not None:
        sent[group_of_user(uploaded_by)] = message | {"collection": None}
    with _starting:
        loop = _loop()
        first = not _waiting
        _waiting.update({(group, str(document_id)): message for group, message in sent.items()})
    if first:
        asyncio.run_coroutine_threadsafe(_send(), loop)


async def _send() -> None:
    await asyncio.sleep(_GATHER)
    with _starting:
        sent = dict(_waiting)
        _waiting.clear()
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            for (group, _), message in sent.items():
                await layer.group_send(group, message)
    except (RedisError, OSError, TimeoutError) as error:
        logger.warning("open library pages are not told of changes: %s", error)


def _loop() -> asyncio.AbstractEventLoop:
    """An event loop in a thread of its own, one a process: indexing waits for no hint, and the connection stays."""
    global _sender
    if _sender is None or _sender[0] != os.getpid():
        _waiting.clear()  # of the process that this one was forked from
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="hints", daemon=True)
        thread.start()
        _sender = (os.getpid(), loop, thread)
        atexit.register(_stop)
    return _sender[1]


def _stop() -> None:
    """Sends what is on its way and closes the connection."""
    global _sender
    sender, _sender = _sender, None
    if sender is None or sender[0] != os.getpid():
        return
    _, loop, thread = sender
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(_PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_PATIENCE)
    if not thread.is_alive():
        loop.close()


async def _settle() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)

"""Tells open pages that a document has changed. A hint only: the pages read the row again, under their own
access."""

import logging
import time
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
_APART = 0.4  # seconds between two hints of one document

_last: dict[UUID, float] = {}


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
    message = {"type": "document.changed", "id": str(document_id), "collection": collection_id}
    sent = {group_of_collection(collection_id): message}
    if uploaded_by is not None:
        sent[group_of_user(uploaded_by)] = message | {"collection": None}
    try:
        _send(sent)
    except (RedisError, OSError) as error:
        logger.warning("Open library pages are not told of changes: %s", error)


@async_to_sync
async def _send(sent: dict[str, dict[str, Any]]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        for group, message in sent.items():
            await layer.group_send(group, message)

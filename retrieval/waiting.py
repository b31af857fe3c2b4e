"""Which documents the queue knows of. Redis keeps a message that a worker has taken until that one is done with it, and
of a worker that was killed for an hour: it says nothing of whether anybody is at it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

MOST_READ = 2000
"""Messages, a megabyte or two."""

LONGEST_WAIT = timedelta(minutes=5)
"""For which a worker keeps a message; a time beyond it is of a clock that was set back since."""


def waiting_documents(channel: Any, task: str, *, fresh: timedelta) -> set[UUID] | None:
    """The documents whose messages for `task` wait for a worker, or with one for their time, or were taken within
    `fresh`; None where the queue is too long to be read. `channel` is one of kombu's."""
    client, queue = channel.client, settings.CELERY_TASK_DEFAULT_QUEUE
    if client.llen(queue) + client.hlen(channel.unacked_key) > MOST_READ:
        return None
    with client.pipeline() as together:
        together.lrange(queue, 0, -1)
        together.hgetall(channel.unacked_key)
        together.zrange(channel.unacked_index_key, 0, -1, withscores=True)
        waiting, taken, at = together.execute()
    now = datetime.now(UTC)
    lately = {tag for tag, when in at if abs(when - now.timestamp()) <= fresh.total_seconds()}
    kept = {tag: json.loads(raw)[0] for tag, raw in taken.items()}
    messages = [json.loads(raw) for raw in waiting]
    messages += [message for tag, message in kept.items() if tag in lately or _later(message, now)]
    return set(_documents(channel, task, messages))


def _later(message: dict[str, Any], now: datetime) -> bool:
    """Whether a worker keeps it for a time that is still to come."""
    eta = message["headers"].get("eta")
    return eta is not None and now < datetime.fromisoformat(eta) <= now + LONGEST_WAIT


def _documents(channel: Any, task: str, messages: list[dict[str, Any]]) -> Iterator[UUID]:
    for message in messages:
        if message["headers"]["task"] == task:
            args, _, _ = channel.message_to_python(message).decode()
            yield UUID(args[0])

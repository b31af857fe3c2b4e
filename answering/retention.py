"""An end for questions. What was asked more than KEEP_QUESTIONS_DAYS ago is deleted, and with it all that still shows
it: the answer, its sources and frames, the conversation once nothing is left in it, or else its name, and answers kept
for the like of it. In batches, each a short transaction, so that no question waits for it."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings

from answering.caches.answer import TTL
from answering.store import title_of
from retrieval import maintenance
from retrieval.maintenance import MaintenanceBusy

Connection = psycopg.Connection[Any]

LOCK = 20486
BATCH = 500
"""Rows that are deleted at once: a tenth of a second or two."""

# Not those under way, however old: their process would have nothing to store the end in.
_RUNS = """
    WITH old AS (
        SELECT id FROM answering_run WHERE created_at < %s AND status <> 'running'
        ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    DELETE FROM answering_run r USING old WHERE r.id = old.id RETURNING r.conversation_id, r.question
"""
_EMPTY = """
    DELETE FROM answering_conversation c WHERE id = ANY(%s)
        AND NOT EXISTS (SELECT FROM answering_run r WHERE r.conversation_id = c.id)
"""
_LEFT = """
    SELECT c.id, c.title, first.question FROM answering_conversation c CROSS JOIN LATERAL (
        SELECT question FROM answering_run r WHERE r.conversation_id = c.id ORDER BY created_at LIMIT 1) first
    WHERE c.id = ANY(%s)
"""
_RENAME = "UPDATE answering_conversation SET title = %s WHERE id = %s AND title = %s"
_ANSWERS = """
    DELETE FROM answering_cachedanswer WHERE id IN (
        SELECT id FROM answering_cachedanswer WHERE asked_at < %s ORDER BY asked_at LIMIT %s
        FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many were deleted. `complete`: nothing that is too old is left."""

    runs: int
    conversations: int
    answers: int
    complete: bool = True


def forget(connection: Connection, days: int, *, seconds: float = math.inf, batch: int = BATCH) -> Forgotten:
    """Deletes what was asked more than `days` ago (0: nothing), and kept answers that serve no more. Stops after about
    `seconds`. Takes an autocommit connection. Raises MaintenanceBusy."""
    stop_at = time.monotonic() + seconds
    runs = conversations = answers = 0
    with maintenance.alone(connection, LOCK):
        now = _now(connection)
        before = now - timedelta(days=days)
        kept_from = max(before, now - timedelta(seconds=TTL)) if days else now - timedelta(seconds=TTL)
        old = days > 0
        stale = True
        while (old or stale) and time.monotonic() < stop_at:
            if old:
                some, emptied = _forget_runs(connection, before, batch)
                runs, conversations, old = runs + some, conversations + emptied, some == batch
            if stale:
                some = connection.execute(_ANSWERS, [kept_from, batch]).rowcount
                answers, stale = answers + some, some == batch
        return Forgotten(runs, conversations, answers, complete=not (old or stale))


def chore(connection: Connection) -> str:
    """What `manage.py maintain` does of this, and says."""
    try:
        done = forget(connection, settings.KEEP_QUESTIONS_DAYS)
    except MaintenanceBusy:
        return "Old questions are being deleted by the scheduler just now."
    for table in ("answering_run", "answering_conversation", "answering_cachedanswer"):
        maintenance.vacuum(connection, table)
    return (
        f"Too old and deleted: {done.runs} questions, {done.conversations} conversations,"
        f" {done.answers} kept answers."
    )


def _now(connection: Connection) -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _forget_runs(connection: Connection, before: datetime, batch: int) -> tuple[int, int]:
    """One batch: how many runs, and conversations, have gone."""
    with connection.transaction():
        gone = connection.execute(_RUNS, [before, batch]).fetchall()
        # Last, since the end of a question that is under way in one of these waits for it.
        return len(gone), _tidy_conversations(connection, gone)


def _tidy_conversations(connection: Connection, gone: Iterable[tuple[UUID, str]]) -> int:
    """Deletes those that are empty now, and says how many; the others are no longer named after what is gone."""
    named: dict[UUID, set[str]] = {}
    for conversation, question in gone:
        named.setdefault(conversation, set()).add(title_of(question))
    emptied = connection.execute(_EMPTY, [list(named)]).rowcount
    for key, title, question in connection.execute(_LEFT, [list(named)]).fetchall():
        if title in named[key]:
            connection.execute(_RENAME, [title_of(question), key, title])
    return emptied

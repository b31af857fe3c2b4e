"""What Celery does for questions, on its schedule."""

import logging

import psycopg
from celery import shared_task
from django.conf import settings

from answering.retention import forget
from retrieval.maintenance import MaintenanceBusy
from retrieval.tasks import postgres_may_be_away

logger = logging.getLogger("answering")

TURN = 20.0
"""Seconds after which documents that wait have their turn."""


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def forget_questions() -> None:
    """Deletes what is older than it may be, in turns with the documents that wait."""
    try:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as own:
            done = forget(own, settings.KEEP_QUESTIONS_DAYS, seconds=TURN)
    except MaintenanceBusy:
        return
    if done.runs:
        logger.info("deleted %d old questions and %d conversations", done.runs, done.conversations)
    if not done.complete:
        forget_questions.apply_async(retry=False)

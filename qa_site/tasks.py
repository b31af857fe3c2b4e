"""What Celery does for the site, on its schedule."""

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from retrieval.maintenance import Connection
from retrieval.tasks import postgres_may_be_away


def clear() -> int:
    """Deletes sessions that have expired, and says how many: Django leaves one for each login, for ever."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


@shared_task(ignore_result=True)  # type: ignore[untyped-decorator]
@postgres_may_be_away()
def clear_sessions() -> None:
    clear()


def chore(_: Connection) -> str:
    """What `manage.py maintain` does of this, and says."""
    return f"Expired sessions deleted: {clear()}."

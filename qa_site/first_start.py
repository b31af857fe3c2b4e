"""What only the first start does: the administrator, and a small handbook to ask about."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User

from qa_site.errors import UpError
from retrieval.models import Collection, Document

ADMIN = "admin"
UNFINISHED = (Document.Status.QUEUED, Document.Status.PARSING, Document.Status.EMBEDDING)


def make_admin(say: Callable[[str], None]) -> None:
    """The user `admin`, when there is no user at all. A random password is shown here and never again."""
    if User.objects.exists():
        return
    given = os.environ.get("ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(9)
    User.objects.create_superuser(ADMIN, password=password)
    shown = "as in ADMIN_PASSWORD" if given else f"{password}   (shown only now)"
    say(f"First start. User: {ADMIN}   Password: {shown}")


def library_is_empty() -> bool:
    return not Collection.objects.filter(scratch=False).exists()


def add_sample(say: Callable[[str], None]) -> None:
    """In a process of its own: what it needs would stay in this one's memory for good."""
    say("The library is empty: adding a small sample handbook ...")
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "sample"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise UpError(
            f"The sample handbook could not be added: {done.stderr.strip()}. Leave it out with --no-sample."
        )


def documents_wait() -> bool:
    """Whether a document is still on its way in."""
    return Document.objects.filter(status__in=UNFINISHED).exists()

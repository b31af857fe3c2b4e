"""What only the first start does: the administrator, and a small handbook to ask about."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from threading import Event

from django.conf import settings
from django.contrib.auth.models import User

from qa_site.errors import UpError
from qa_site.processes import tied_to_parent
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


def add_sample(say: Callable[[str], None], stopping: Event) -> None:
    """In a process of its own: what it needs would stay in this one's memory for good. All of it is added, or, when it
    is `stopping` before that, nothing, and the next start does it."""
    say("The library is empty: adding a small sample handbook ...")
    child = subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "sample"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C on the terminal is for us to handle
        preexec_fn=tied_to_parent(),
    )
    errors = ended(child, stopping)
    if child.returncode and not stopping.is_set():
        said = errors.strip().removesuffix(".")
        raise UpError(f"The sample handbook could not be added: {said}. Leave it out with --no-sample.")


def ended(child: "subprocess.Popen[str]", stopping: Event) -> str:
    """What a child has said of errors when it has come to its end, which is soon when it is `stopping`."""
    while True:
        try:
            return child.communicate(timeout=0.1)[1]
        except subprocess.TimeoutExpired:
            if stopping.is_set():
                child.terminate()


def documents_wait() -> bool:
    """Whether a document is still on its way in."""
    return Document.objects.filter(status__in=UNFINISHED).exists()

"""What only the first start does: the administrator, and a small handbook to ask about."""

import os
import secrets
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from django.contrib.auth.models import Group, User
from django.core.management import call_command

from qa_site.everyone import EVERYONE
from retrieval.models import Collection, Document

ADMIN = "admin"
SAMPLE = Path(__file__).parent / "sample"
SAMPLE_COLLECTION = "handbook"
UNFINISHED = (Document.Status.QUEUED, Document.Status.PARSING, Document.Status.EMBEDDING)


def make_admin(say: Callable[[str], None]) -> None:
    """The user `admin`, when there is no user at all. A random password is shown here and never again."""
    if User.objects.exists():
        return
    given = os.environ.get("ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(9)
    User.objects.create_superuser(ADMIN, password=password)
    shown = (
        "from ADMIN_PASSWORD" if given else f"{password}   (shown only now; change it at /accounts/password/)"
    )
    say(f"First start. User: {ADMIN}   Password: {shown}")


def add_sample(say: Callable[[str], None]) -> None:
    """The sample handbook, when the library is empty; the group of everyone may read it."""
    if Collection.objects.filter(scratch=False).exists():
        return
    group, _ = Group.objects.get_or_create(name=EVERYONE)
    group.user_set.add(*User.objects.all())
    collection = Collection.objects.create(slug=SAMPLE_COLLECTION, name="Sample handbook", languages=["en"])
    collection.groups.add(group)
    say("The library is empty: reading a small sample handbook ...")
    call_command("ingest", str(SAMPLE), collection=SAMPLE_COLLECTION, stdout=StringIO(), stderr=StringIO())


def sample_is_read() -> bool:
    """Whether nothing of the sample is still on its way in (or there is no sample)."""
    return not Document.objects.filter(collection__slug=SAMPLE_COLLECTION, status__in=UNFINISHED).exists()

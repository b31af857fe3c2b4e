"""The sample handbook: a small invented one, so that a newcomer has something to ask about."""

from pathlib import Path

from django.contrib.auth.models import Group, User
from django.db import transaction

from qa_site.everyone import EVERYONE
from retrieval import library

FOLDER = Path(__file__).parent / "sample"
COLLECTION = "handbook"


@transaction.atomic
def add() -> int:
    """Queues its documents, for every user to read through the group of everyone: all or none. Returns how many."""
    group, _ = Group.objects.get_or_create(name=EVERYONE)
    group.user_set.add(*User.objects.all())
    collection = library.create_collection(None, COLLECTION, "Sample handbook", [group])
    files = sorted(FOLDER.glob("*.md"))
    for file in files:
        library.add(None, collection, file.name, [file.read_bytes()])
    return len(files)

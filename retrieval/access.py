"""Which collections a user may read. A scope is computed once for a question and goes into every search,
cache key, prefetch and page; an empty scope finds nothing."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

# Superusers read every collection; others those of their groups; accounts switched off read nothing.
SCOPE_SQL = """
    SELECT c.id, c.slug FROM retrieval_collection c
    WHERE NOT c.scratch AND EXISTS (
        SELECT 1 FROM auth_user u WHERE u.id = %(user)s AND u.is_active AND u.is_superuser)
       OR EXISTS (
        SELECT 1 FROM retrieval_collection_groups cg
        JOIN auth_user_groups ug ON ug.group_id = cg.group_id
        JOIN auth_user u ON u.id = ug.user_id
        WHERE cg.collection_id = c.id AND ug.user_id = %(user)s AND u.is_active)
"""


@dataclass(frozen=True, slots=True)
class AccessScope:
    """The collection ids a question may see."""

    collection_ids: frozenset[int]

    @property
    def key(self) -> str:
        """A short stable name of this set of collections, for cache keys."""
        joined = ",".join(map(str, sorted(self.collection_ids)))
        return hashlib.blake2b(joined.encode(), digest_size=12).hexdigest()

    def __bool__(self) -> bool:
        return bool(self.collection_ids)

    def __contains__(self, collection_id: int) -> bool:
        return collection_id in self.collection_ids


NOTHING = AccessScope(frozenset())


def narrowed(rows: Iterable[tuple[int, str]], slugs: Iterable[str] | None) -> AccessScope:
    """The scope of `rows` (id, slug), kept to `slugs` where given, in whatever case: as `library.named` finds them.
    Unknown and unreadable slugs are alike: ignored."""
    if slugs is None:
        return AccessScope(frozenset(pk for pk, _ in rows))
    readable, wanted = dict(rows), frozenset(slugs)
    others = {slug.lower() for slug in wanted.difference(readable.values())}
    kept = (pk for pk, slug in readable.items() if slug in wanted or slug.lower() in others)
    return AccessScope(frozenset(kept))


def scope_for(user: "User | AnonymousUser", slugs: Iterable[str] | None = None) -> AccessScope:
    """The scope of a user through Django's connection, for pages and commands. The question path reads it without
    the ORM, in the statement that stores the question (`answering/store.py`)."""
    if user.pk is None:
        return NOTHING
    with connection.cursor() as cursor:
        cursor.execute(SCOPE_SQL, {"user": user.pk})
        return narrowed(cursor.fetchall(), slugs)

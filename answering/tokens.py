"""Tokens of the HTTP interface. A token is shown once; only its SHA-256 is stored (it has 256 random bits, so a
slow password hash would add nothing)."""

import hashlib
import secrets

from django.contrib.auth.models import User
from django.utils import timezone

from answering.models import ApiToken

PREFIX = "cf_"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(user: User) -> str:
    """A new token of `user`."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, token_hash=digest(token))
    return token


def user_of(token: str) -> User | None:
    """The active user whose token this is."""
    found = ApiToken.objects.select_related("user").filter(token_hash=digest(token), user__is_active=True)
    row = found.first()
    if row is None:
        return None
    found.filter(pk=row.pk).update(last_used_at=timezone.now())
    return row.user

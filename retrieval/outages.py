"""Which errors of Django's ORM are no bug: Postgres is away, or takes no changes for now."""

import psycopg
from django.db import InterfaceError, InternalError, OperationalError


def is_outage(error: BaseException | None) -> bool:
    """Whether the same call may well succeed later. A Postgres takes no changes while it is a standby, as in the midst
    of a failover, and where its host has made it read-only, as some do when their disk is full."""
    if isinstance(error, InternalError):
        return isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    return isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError))

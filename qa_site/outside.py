"""The Postgres and the Redis that settings point to: whether they will do, said before anything is built on them."""

import psycopg
from django.conf import settings
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from qa_site.errors import OutsideError, Unanswered

PATIENCE = 10.0  # seconds to answer at all
OLDEST_POSTGRES = 16
OLDEST_VECTOR = (0, 8)


def check_postgres() -> None:
    """Raises OutsideError where the database of DATABASE_URL cannot be used."""
    try:
        with psycopg.connect(settings.DATABASE_URL, connect_timeout=round(PATIENCE)) as connection:
            _check_server(connection)
            _check_vector(connection)
            connection.commit()
            connection.autocommit = True
            _check_session(connection)
    except psycopg.Error as error:
        raise OutsideError(
            f"DATABASE_URL: {_said(error)}. Is that Postgres running, and are host, database, user and password right?"
        ) from None


def _check_server(connection: psycopg.Connection) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_POSTGRES:
        raise OutsideError(f"DATABASE_URL: that is Postgres {version}; {OLDEST_POSTGRES} or newer is needed.")
    row = connection.execute(
        "SELECT pg_is_in_recovery(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), current_user"
    ).fetchone()
    standby, may_create, user = row or (False, True, "")
    if standby:
        raise OutsideError("DATABASE_URL: that Postgres is a standby, which is read-only. Use the primary.")
    if not may_create:
        raise OutsideError(
            f"DATABASE_URL: the user {user} may make no tables there. Make it the database's owner: ALTER DATABASE \""
            f'{connection.info.dbname}" OWNER TO "{user}".'
        )


def _check_vector(connection: psycopg.Connection) -> None:
    """Makes the extension where it is not there yet and the user may."""
    wanted = ".".join(map(str, OLDEST_VECTOR))
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.errors.InsufficientPrivilege:
        raise OutsideError(
            "DATABASE_URL: that user may not add the extension pgvector. Let a superuser run, once, in the database"
            f" {connection.info.dbname}: CREATE EXTENSION vector"
        ) from None
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        raise OutsideError(
            f"DATABASE_URL: that Postgres has no pgvector. Install {wanted} or newer on its host"
            " (Debian: postgresql-NN-pgvector)."
        ) from None
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row and tuple(int(part) for part in row[0].split(".")[:2]) < OLDEST_VECTOR:
        raise OutsideError(
            f"DATABASE_URL: its pgvector is {row[0]}; {wanted} or newer is needed. Install that on its host, then let a"
            " superuser run: ALTER EXTENSION vector UPDATE"
        )


def _check_session(connection: psycopg.Connection) -> None:
    """Refuses a pooler that lends out a session for one transaction: the locks that documents are read under, LISTEN
    and prepared statements would be another's. It shows where the session that was ours is lent on meanwhile."""
    before = _session(connection)
    with psycopg.connect(settings.DATABASE_URL, connect_timeout=round(PATIENCE)) as other:
        _session(other)  # and keeps it, for its transaction is open
        after = _session(connection)
    if before != after:
        raise OutsideError(
            "DATABASE_URL: that is a pooler which lends out a session for one transaction (PgBouncer's pool_mode ="
            " transaction); locks and notifications get lost there. Use pool_mode = session, or Postgres itself."
        )


def _session(connection: psycopg.Connection) -> int:
    """The process of Postgres that serves this connection."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row[0] if row else 0


def check_migrated() -> None:
    """Raises OutsideError where the database of DATABASE_URL has no tables yet."""
    with psycopg.connect(settings.DATABASE_URL, connect_timeout=round(PATIENCE)) as connection:
        row = connection.execute("SELECT to_regclass('retrieval_collection')").fetchone()
    if row == (None,):
        raise OutsideError(
            "The database of DATABASE_URL is empty. Run `manage.py up` or `manage.py migrate` first."
        )


def check_redis() -> str:
    """A warning about the Redis of REDIS_URL; empty when all is well. Raises OutsideError where it cannot be used, and
    Unanswered where it is away."""
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    try:
        client.ping()
        info = client.info()
    except TypeError as error:  # of an option that its client does not know
        raise OutsideError(f"REDIS_URL: {_said(error)}.") from None
    except NoPermissionError:
        return ""  # it answers, and tells nothing of itself
    except AuthenticationError:
        raise OutsideError(
            "REDIS_URL: that Redis wants another user or password: redis://user:password@host:6379/0, without user:"
            " where there is only a password."
        ) from None
    except ResponseError as error:
        raise OutsideError(f"REDIS_URL: that Redis refuses: {_said(error)}.") from None
    except (RedisError, OSError) as error:
        raise Unanswered(f"REDIS_URL: no answer ({_said(error)}).") from None
    finally:
        client.close()
    if info.get("role") == "slave" and info.get("slave_read_only", 1):
        raise OutsideError("REDIS_URL: that Redis is a replica, which is read-only. Use its primary.")
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        return (
            f"REDIS_URL: that Redis drops any key when its memory is full (maxmemory-policy {policy}), waiting"
            " documents too. Set volatile-ttl or noeviction."
        )
    return ""


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].removesuffix(".")

"""What a start says of an operator's own Postgres and Redis when they will not do."""

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from kombu import Connection

from qa_site import outside, places
from qa_site.bundled import redis_program
from qa_site.errors import OutsideError, Unanswered
from tests.conftest import DATA
from tests.pooler import transaction_pooler

SOCKETS = places.socket_dir(DATA)


def url_of(user, database="strange"):
    return f"postgresql://{user}@/{database}?host={SOCKETS}"


@pytest.fixture
def run(servers):
    with psycopg.connect(url_of("postgres", "postgres"), autocommit=True) as link:
        yield link.execute


@pytest.fixture
def guest(run):
    """A user of the database `strange`, and no more than that."""
    run("CREATE ROLE guest LOGIN")
    run("CREATE DATABASE strange")
    yield "guest"
    run("DROP DATABASE strange WITH (FORCE)")
    run("DROP ROLE guest")


@contextmanager
def own_redis(*options):
    """The URL of a Redis with these options."""
    folder = Path(tempfile.mkdtemp(prefix="citefirst-"))
    path = folder / "redis.sock"
    command = [redis_program(), "--port", "0", "--save", "", "--dir", folder, "--unixsocket", path, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert any("ready to accept" in line.lower() for line in process.stdout)  # Redis 7: "Ready"
        yield f"unix://{path}"
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(folder)


def told(settings, **changed):
    for name, value in changed.items():
        setattr(settings, name, value)
    with pytest.raises(OutsideError) as caught:
        outside.check_postgres() if "DATABASE_URL" in changed else outside.check_redis()
    return str(caught.value)


def test_a_pooler_that_lends_out_a_session_for_one_transaction_is_refused(settings, servers):
    with (
        tempfile.TemporaryDirectory(prefix="citefirst-") as folder,
        transaction_pooler(Path(folder), SOCKETS / ".s.PGSQL.5432"),
    ):
        said = told(settings, DATABASE_URL=f"postgresql://postgres@/postgres?host={folder}")
    assert "Use pool_mode = session" in said


def test_a_postgres_that_will_do_is_no_matter(settings, guest, run):
    run(f"ALTER DATABASE strange OWNER TO {guest}")
    settings.DATABASE_URL = url_of("postgres")
    outside.check_postgres()
    settings.DATABASE_URL = url_of(guest)
    outside.check_postgres()


def test_a_database_that_is_not_there_is_named(settings, servers):
    said = told(settings, DATABASE_URL=url_of("postgres", "nowhere"))
    assert said.startswith("DATABASE_URL: ")
    assert 'database "nowhere" does not exist' in said
    assert "\n" not in said


def test_a_user_who_may_make_no_tables_is_told_the_remedy(settings, guest, run):
    assert f'ALTER DATABASE "strange" OWNER TO "{guest}"' in told(settings, DATABASE_URL=url_of(guest))


def test_a_user_who_may_not_add_pgvector_is_told_the_remedy(settings, guest, run):
    run(f"ALTER DATABASE strange OWNER TO {guest}")
    assert "superuser" in (said := told(settings, DATABASE_URL=url_of(guest)))
    assert "in the database strange: CREATE EXTENSION vector" in said


def test_an_old_pgvector_is_named_with_its_remedy(settings, guest):
    with psycopg.connect(url_of("postgres")) as link:
        link.execute("CREATE EXTENSION vector")
        link.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    said = told(settings, DATABASE_URL=url_of("postgres"))
    assert "its pgvector is 0.7.4" in said
    assert "ALTER EXTENSION vector UPDATE" in said


@pytest.mark.django_db
def test_an_empty_database_is_told_from_one_with_tables(settings, guest, database_url):
    settings.DATABASE_URL = database_url
    outside.check_migrated()
    settings.DATABASE_URL = url_of("postgres")
    with pytest.raises(OutsideError, match="is empty"):
        outside.check_migrated()


def test_a_redis_that_will_do_is_no_matter(settings, redis_url):
    settings.REDIS_URL = redis_url
    assert outside.check_redis() == ""


def test_the_queue_is_in_the_database_of_redis_that_was_named(redis_url):
    with Connection(places.celery_broker_url(f"{redis_url}?db=3")) as broker:
        assert broker.default_channel.client.connection_pool.connection_kwargs["db"] == 3


def test_an_option_of_redis_that_there_is_not_is_named(settings, redis_url):
    settings.REDIS_URL = f"{redis_url}?colour=red"
    with pytest.raises(OutsideError, match=r"REDIS_URL: .*'colour'"):
        outside.check_redis()


def test_a_redis_that_wants_a_password_says_so(settings):
    with own_redis("--requirepass", "secret") as url:
        assert "wants another user or password" in told(settings, REDIS_URL=url)
        assert "wants another user or password" in told(settings, REDIS_URL=url + "?password=wrong")
        settings.REDIS_URL = url + "?password=secret"
        assert outside.check_redis() == ""


def test_a_replica_is_refused(settings):
    with own_redis("--replicaof", "127.0.0.1", "1") as url:
        assert "Use its primary" in told(settings, REDIS_URL=url)


def test_a_redis_that_may_drop_the_queue_is_warned_of(settings):
    with own_redis("--maxmemory-policy", "allkeys-lru") as settings.REDIS_URL:
        assert "maxmemory-policy allkeys-lru" in outside.check_redis()


def test_a_redis_that_is_away_is_no_reason_not_to_start(settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/redis.sock"
    with pytest.raises(Unanswered, match="REDIS_URL: no answer"):
        outside.check_redis()

"""One bundled Postgres and Redis for the whole session, in a folder of its own. The environment is set here,
before the settings are read, so nothing of the developer's own reaches a test."""

import gc
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase

from qa_site import places
from qa_site.embedded import Servers

SETTINGS = re.compile(
    "(DATABASE_URL|REDIS_URL|SECRET_KEY|ALLOWED_HOSTS|DEBUG|DATA_DIR|LEXICAL_ENGINE|WEB|LOG_LEVEL|HTTPS_ONLY|TIME_ZONE"
    "|(ANSWER|FAST)_MODEL|(KEEP|OPENAI|FALLBACK|EMBEDDING|RERANK|BUDGET|QUOTA|METRICS|MAX|PROMETHEUS)_.*)$"
)
DATA = Path(tempfile.mkdtemp(prefix="citefirst tests "))
SERVERS = Servers(DATA, durable=False)

for name in filter(SETTINGS.match, list(os.environ)):
    del os.environ[name]
os.environ["DATA_DIR"] = str(DATA)
os.environ["DATABASE_URL"] = places.bundled_database_url(DATA)
os.environ["REDIS_URL"] = places.bundled_redis_url(DATA)
os.environ["SECRET_KEY"] = "of-the-tests-alone-and-long-enough-for-the-checks"
os.environ["DJANGO_SETTINGS_MODULE"] = "qa_site.settings"
# The settings are read here, before pytest-django sets Django up; pools find its database by DATABASE_URL.
settings.DATABASES["default"]["TEST"] = {"NAME": places.DATABASE_NAME}
# The usual hash takes a quarter of a second on purpose, and a test makes several users.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


ORDER = ("unit", "integration", "acceptance", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is quick goes first. Browser tests go last: Playwright keeps an event loop running in this thread from its
    first test on, beside which no other can run."""

    items.sort(key=lambda item: ORDER.index(folder_of(item)) if folder_of(item) in ORDER else 0)


def folder_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_collection_finish() -> None:
    """What is loaded by now stays. To look through all of it for garbage, again and again, takes the collector a fifth
    of the time of the unit tests, and in the middle of whichever test is running."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """With `-n 2` each of two processes sets all this for itself, before it reads the settings: servers of its own."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is for one process, and so are all browser tests, which share a stack. Files are taken in the order above:
    those two that take longest come last, and so run side by side."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What fails gives way and is logged, so a test could pass over it: one that logs an error fails, unless it is
    marked `expects_errors`. In the slower folders most of what is logged is of other processes."""
    yield
    if request.node.get_closest_marker("expects_errors") or folder_of(request.node) in (
        "acceptance",
        "browser",
    ):
        return
    records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]
    errors = [
        f"{record.name}: {record.getMessage()}" for record in records if record.levelno >= logging.ERROR
    ]
    assert not errors, errors


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The bundled Postgres and Redis, running."""
    SERVERS.start()
    yield SERVERS
    SERVERS.stop()


def pytest_unconfigure(config: pytest.Config) -> None:
    SERVERS.stop()
    shutil.rmtree(DATA, ignore_errors=True)
    shutil.rmtree(places.socket_dir(DATA), ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: Servers) -> None:
    """Django's test database is made in the bundled Postgres, which runs from here on."""


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The database goes with its folder; to drop it first would fail on a thread's connection still open."""
    return True


KEPT = {"django_content_type", "auth_permission"}
"""What a migration fills, and no test changes."""


def empty(case: TransactionTestCase) -> None:
    """As a migration leaves the database. Django's own way, to truncate every table and then to migrate nothing, takes
    as long as most tests. Locked first, so that what a test has left behind is waited for and goes as well."""
    from retrieval.permissions import ensure_librarians  # for which the apps must be loaded

    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    filled = ", ".join(sorted({*tables} - KEPT))
    deleted = "".join(f"DELETE FROM {table};" for table in sorted({*tables} - KEPT))
    with transaction.atomic(), connection.cursor() as cursor:
        # With its trigger, that drops the tables of vectors; of the others what refers to what does not matter.
        cursor.execute(f"LOCK TABLE {filled} IN EXCLUSIVE MODE; TRUNCATE retrieval_chunk")
        cursor.execute(f"SET LOCAL session_replication_role = replica; {deleted}")
    ensure_librarians(apps.get_app_config("retrieval"), using="default")


@pytest.fixture(scope="session", autouse=True)
def emptied_quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """The URL of a real Redis."""
    return places.bundled_redis_url(DATA)


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> str:
    """The URL of the real test database, for psycopg. Tests that write need `transactional_db` beside it."""
    return places.bundled_database_url(DATA)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of large public sets (CITEFIRST_DATA); without it the test is skipped."""
    folder = Path(os.environ.get("CITEFIRST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the data sets are not at {folder}; set CITEFIRST_DATA")
    return folder

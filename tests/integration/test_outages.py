"""What is not a question, while Postgres is away or takes no changes."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError, connection
from django.test import AsyncClient, Client
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from answering import consumers, tokens
from qa_site import callers, health
from qa_site.asgi import application
from qa_site.logs import JsonFormatter
from retrieval import consumers as library_consumers
from retrieval import library, tasks
from retrieval.database import make_pool
from retrieval.models import Collection, Document

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.expects_errors]
PAGES = ["/", "/library/", "/ops/", "/accounts/password/", "/nothing-here", "/metrics"]


@contextmanager
def failing(error: Exception) -> Iterator[None]:
    def fail(execute, sql, params, many, context):
        raise error

    with connection.execute_wrapper(fail):
        yield


@contextmanager
def read_only() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        connection.close()


@pytest.fixture
def client() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_that_the_database_is_away(client, path):
    with failing(OperationalError("connection refused")):
        response = client.get(path)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "The database cannot be reached right now" in response.content.decode()


@sync_to_async
def fail_from_now(fail):
    connection.execute_wrappers.append(fail)


@pytest.fixture
async def outage():
    """Begun by the test, in the thread in which sockets find out whose they are."""
    back.clear()
    yield fail_from_now
    back.set()
    await sync_to_async(lambda: connection.execute_wrappers.clear())()


async def a_socket(path="/ws/ask/"):
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="reader"))
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return WebsocketCommunicator(application, path, headers=[(b"cookie", cookie.encode())])


back = threading.Event()


def away(execute, sql, params, many, context):
    raise OperationalError("connection refused")


def hanging(execute, sql, params, many, context):
    back.wait(20)
    return away(execute, sql, params, many, context)


@pytest.mark.parametrize("outage_of", [away, hanging])
async def test_a_socket_opened_in_an_outage_says_so(outage, outage_of, monkeypatch):
    monkeypatch.setattr(callers, "PATIENCE", 0.1)
    socket = await a_socket()
    await outage(outage_of)
    assert (await socket.connect())[0]
    run = "0b0e9b52-6f0c-4d3c-8e1e-0d8d8d1a7a11"
    await socket.send_json_to({"type": "typing", "text": "how many days"})
    await socket.send_json_to({"type": "ask", "id": run, "question": "How many days of leave?"})
    refused = await socket.receive_json_from()
    assert (refused["type"], refused["code"], refused["run"]) == ("error", "unavailable", run)
    assert refused["retry_after"] == 5
    assert (await socket.receive_output())["code"] == consumers.TRY_AGAIN  # Postgres may be back
    await socket.disconnect()


@pytest.mark.parametrize("kind", ["resume", "stop"])
async def test_an_answer_under_way_is_not_ended_by_an_outage(outage, kind):
    socket = await a_socket()
    await outage(away)
    assert (await socket.connect())[0]
    await socket.send_json_to({"type": kind, "run": "0b0e9b52-6f0c-4d3c-8e1e-0d8d8d1a7a11", "after": 3})
    assert (await socket.receive_output())["code"] == consumers.TRY_AGAIN
    await socket.disconnect()


@pytest.mark.parametrize("code", [consumers.TRY_AGAIN, library_consumers.TRY_AGAIN])
def test_daphne_sends_the_close_code(code):
    """All but these it answers with an exception, and the socket ends as 1011."""
    assert 3000 <= code <= 4999


async def test_a_socket_opened_in_an_outage_does_not_stay(outage, monkeypatch):
    monkeypatch.setattr(consumers, "NEXT_TRY", 0.01)
    socket = await a_socket()
    await outage(away)
    assert (await socket.connect())[0]
    assert (await socket.receive_output())["code"] == consumers.TRY_AGAIN
    await socket.disconnect()


async def test_the_librarys_socket_is_not_opened_in_an_outage(outage):
    socket = await a_socket("/ws/library/")
    await outage(away)
    assert not (await socket.connect())[0]


def test_a_bug_is_still_one(client):
    with failing(DatabaseError("syntax error")):
        response = client.get("/")
    assert response.status_code == 500
    assert "Something went wrong here" in response.content.decode()


def test_a_database_that_takes_no_changes_is_one_that_is_away(client):
    bearer = {"Authorization": f"Bearer {tokens.create(User.objects.get())}"}
    with read_only():
        page = client.post("/accounts/logout/")
        api = client.get("/api/v1/documents/11111111-1111-1111-1111-111111111111", headers=bearer)
    assert (page.status_code, api.status_code) == (503, 503)
    assert api.json()["error"]["code"] == "unavailable"


def test_the_sweeper_waits_until_changes_are_taken_again(caplog):
    people = Collection.objects.create(slug="people", name="People")
    library.add(None, people, "a.md", [b"# Leave"])
    Document.objects.update(status="parsing", heartbeat_at=timezone.now() - timedelta(minutes=1))
    with read_only(), caplog.at_level(logging.WARNING, logger="retrieval.tasks"):
        tasks.sweep()
    assert "read-only" in caplog.text


@pytest.mark.parametrize(
    ("options", "state"), [("", "ok"), ("-c default_transaction_read_only=on", "read-only")]
)
async def test_what_takes_no_changes_is_not_ready(database_url, options, state):
    pool = make_pool(make_conninfo(database_url, options=options), min_size=1, max_size=1)
    async with pool:
        assert await health._state(health._postgres, SimpleNamespace(pool=pool)) == state


def test_an_outage_is_a_line_in_the_log_and_no_stack():
    try:
        raise OperationalError("connection refused\nIs the server running?")
    except OperationalError:
        record = logging.makeLogRecord({"msg": "Service Unavailable: /", "exc_info": sys.exc_info()})
    read = json.loads(JsonFormatter().format(record))
    assert read["cause"] == "connection refused"
    assert "exception" not in read

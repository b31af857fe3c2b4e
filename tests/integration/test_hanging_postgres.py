"""A Postgres that keeps connections open and does not answer, and one of several that is gone."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.db import OperationalError, connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.faultproxy import FaultProxy
from qa_site import health
from qa_site.asgi import application
from retrieval.database import make_pool
from retrieval.postgres.base import DatabaseWrapper
from retrieval.postgres.connections import Connection, impatient


class Hasty(Connection):
    silence = 0.2


@pytest.fixture
async def proxy(database_url):
    folder = Path(str(conninfo_to_dict(database_url)["host"]))
    async with FaultProxy(folder / ".s.PGSQL.5432") as proxy:
        yield proxy


@pytest.fixture
def waits():
    """Somebody waits for what this test asks."""
    token = impatient.set(True)
    yield
    impatient.reset(token)


def through(proxy: FaultProxy, database_url: str, *more: int) -> str:
    """The URL of Postgres behind a proxy; `more` are ports that go before it."""
    ports = [*more, proxy.port]
    hosts = ",".join(["127.0.0.1"] * len(ports))
    options = {"host": hosts, "port": ",".join(map(str, ports)), "connect_timeout": 2}
    return make_conninfo(database_url, **options)


async def connected(kind: type[Connection], url: str) -> Connection:
    """The proxy is in this thread, so whoever waits for what is behind it must be in another."""
    return await asyncio.to_thread(kind.connect, url, autocommit=True)


async def said(connection: Connection, sql: str) -> object:
    return await asyncio.to_thread(lambda: connection.execute(sql).fetchone())


async def test_a_page_does_not_wait_for_a_postgres_that_hangs(proxy, database_url, waits):
    with closing(await connected(Hasty, through(proxy, database_url))) as open_now:
        await proxy.change("hang")
        with pytest.raises(psycopg.OperationalError, match="does not answer"):
            await said(open_now, "SELECT 1")
        assert open_now.closed
    await proxy.change("ok")
    with closing(await connected(Hasty, through(proxy, database_url))) as again:
        assert await said(again, "SELECT 1") == (1,)


async def test_what_is_slow_is_waited_for(proxy, database_url, waits):
    with closing(await connected(Hasty, through(proxy, database_url))) as slow:
        before = proxy.accepted
        assert await said(slow, "SELECT 1 FROM pg_sleep(1)") == (1,)
        assert proxy.accepted > before  # it was asked


async def test_a_command_waits_until_postgres_goes_on(proxy, database_url):
    with closing(await connected(Hasty, through(proxy, database_url))) as open_now:
        await proxy.change("hang")
        work = asyncio.create_task(said(open_now, "SELECT 1"))
        assert not (await asyncio.wait({work}, timeout=5 * Hasty.silence))[0]
        await proxy.change("ok")
        assert await work == (1,)


@pytest.mark.django_db(transaction=True)
async def test_the_orm_is_told_of_an_outage(proxy, database_url, waits):
    place = {"HOST": "127.0.0.1", "PORT": str(proxy.port), "OPTIONS": {"connect_timeout": 2}}
    wrapper = DatabaseWrapper({**connection.settings_dict, **place})

    def ask():
        wrapper.inc_thread_sharing()
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT 1")

    await asyncio.to_thread(ask)
    await proxy.change("hang")
    with pytest.raises(OperationalError, match="does not answer"):
        await asyncio.to_thread(ask)
    await proxy.change("ok")
    await asyncio.to_thread(wrapper.close)
    await asyncio.to_thread(ask)
    await asyncio.to_thread(wrapper.close)


async def test_somebody_waits_for_what_a_web_process_is_asked():
    with pytest.raises(ValueError, match="No application"):
        await application({"type": "unknown"}, None, None)
    assert impatient.get()


async def test_readiness_does_not_wait_for_a_postgres_that_hangs(proxy, database_url):
    async with make_pool(through(proxy, database_url), min_size=1, max_size=1) as pool:
        await pool.wait()
        await proxy.change("hang")
        begun = time.monotonic()
        assert (await health._state(health._postgres, SimpleNamespace(pool=pool))).startswith("no answer")
        assert time.monotonic() - begun < 2 * health.PATIENCE
        await proxy.change("ok")  # or the pool waits for it as it closes


async def test_the_server_that_served_last_is_tried_first(proxy, database_url):
    async with FaultProxy(("127.0.0.1", 1), mode="hang") as gone:
        both = through(proxy, database_url, gone.port)
        for _ in range(3):
            with closing(await connected(Connection, both)) as made:
                assert made.info.port == proxy.port
        async with make_pool(both, min_size=2, max_size=2) as pool:
            await pool.wait()
        assert gone.accepted == 1


async def test_the_next_server_is_tried_where_that_one_goes(proxy, database_url):
    folder = Path(str(conninfo_to_dict(database_url)["host"]))
    async with FaultProxy(folder / ".s.PGSQL.5432") as first:
        both = through(proxy, database_url, first.port)
        for hanging, serving in ((first, proxy), (proxy, first)):
            await hanging.change("hang")
            with closing(await connected(Connection, both)) as made:
                assert made.info.port == serving.port
            await hanging.change("ok")

import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.db import connection

from retrieval.database import make_pool


@pytest.mark.django_db
def test_the_orm_has_a_real_postgres_18():
    User.objects.create_user("ada")
    assert connection.pg_version >= 180000


def test_pgvector_can_be_used(database_url):
    with psycopg.connect(database_url) as link, link.transaction(force_rollback=True):
        link.execute("CREATE EXTENSION IF NOT EXISTS vector")
        (distance,) = link.execute("SELECT '[1,0]'::halfvec(2) <=> '[0,1]'::halfvec(2)").fetchone()
    assert distance == 1


def test_redis_answers(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


async def test_no_query_meets_a_connection_that_a_restart_of_postgres_has_closed(database_url):
    async with make_pool(database_url, min_size=4, max_size=4) as pool:
        await pool.wait()
        held = [await pool.getconn() for _ in range(4)]
        backends = [one.info.backend_pid for one in held]
        for one in held:
            await pool.putconn(one)
        async with await psycopg.AsyncConnection.connect(database_url) as link:
            await link.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [backends]
            )

        for _ in range(4):
            async with pool.connection(timeout=5) as one:
                await one.execute("SELECT 1")

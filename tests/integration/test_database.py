import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.db import connection


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

"""Who may read /metrics."""

from ipaddress import ip_network

import pytest
from django.contrib.auth.models import User

from answering import tokens

pytestmark = pytest.mark.django_db


@pytest.fixture
def inside(settings):
    settings.METRICS_ALLOW = [ip_network("10.0.0.0/8")]


def test_staff_may_by_session_and_by_token(client):
    operator = User.objects.create_user("operator", is_staff=True)
    token = tokens.create(operator)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    client.force_login(operator)
    assert b"qa_stage_seconds" in client.get("/metrics").content


def test_readers_and_visitors_may_not(client):
    assert client.get("/metrics").status_code == 403
    client.force_login(User.objects.create_user("reader"))
    assert client.get("/metrics").status_code == 403


def test_an_allowed_network_may_without_logging_in(client, inside):
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_who_comes_through_a_proxy_has_not_the_proxys_address(client, inside, header):
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3", headers={header: "10.1.2.3"}).status_code == 403

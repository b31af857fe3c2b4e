"""Who may open the operations page."""

import pytest
from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def test_staff_sees_figures(client):
    client.force_login(User.objects.create_user("operator", is_staff=True))
    assert b"What askers wait for" in client.get("/ops/").content


def test_a_reader_is_told_that_it_is_not_for_them(client):
    client.force_login(User.objects.create_user("reader"))
    response = client.get("/ops/", follow=True)
    assert response.status_code == 403
    assert b"Not for your account" in response.content


def test_a_visitor_logs_in_first(client):
    assert client.get("/ops/")["Location"] == "/accounts/login/?next=/ops/"

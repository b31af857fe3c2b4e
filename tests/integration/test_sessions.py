"""Sessions that have expired."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from qa_site.celery import app

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "qa_site.tasks.clear_sessions"


@pytest.fixture
def one_expired_and_one_not(client):
    user = User.objects.create_user("reader")
    client.force_login(user)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    client.cookies.clear()
    client.force_login(user)
    assert Session.objects.count() == 2


def test_those_that_expired_are_deleted_on_a_schedule(client, one_expired_and_one_not):
    assert TASK in [job["task"] for job in settings.CELERY_BEAT_SCHEDULE.values()]
    app.loader.import_default_modules()
    app.tasks[TASK]()
    assert Session.objects.count() == 1
    assert client.get("/").status_code == 200


def test_those_that_expired_are_deleted_by_maintain(one_expired_and_one_not, capsys):
    call_command("maintain")
    assert "Expired sessions deleted: 1." in capsys.readouterr().out
    assert Session.objects.count() == 1

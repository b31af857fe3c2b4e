"""Pages that stay open while their session ends."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from retrieval.logins import UNDONE

PASSWORD = "of-nobody-else-9"

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser(f"ada-{uuid4().hex}", password=PASSWORD)


@pytest.mark.parametrize("name", ["document_delete", "document_move", "rename_conversation"])
def test_who_logs_in_for_a_button_comes_back_to_its_page(client, user, name):
    page = "/library/?collection=handbook&page=2"
    sent = client.post(reverse(name, args=[uuid4()]), headers={"Referer": f"http://testserver{page}"})
    login = client.get(sent["Location"])
    assert UNDONE in login.content.decode()
    done = client.post(sent["Location"], {"username": user.username, "password": PASSWORD})
    assert done["Location"] == page


@pytest.mark.parametrize("came", ["", "https://evil.example//evil.example/", "http://["])
def test_nobody_is_led_elsewhere(client, user, came):
    sent = client.post(reverse("document_delete", args=[uuid4()]), headers={"Referer": came} if came else {})
    done = client.post(sent["Location"], {"username": user.username, "password": PASSWORD})
    assert done["Location"] == "/"


def test_a_page_is_come_back_to_as_it_was_asked_for(client):
    assert client.get("/library/?page=2")["Location"] == "/accounts/login/?next=/library/%3Fpage%3D2"
    assert UNDONE not in client.get("/accounts/login/").content.decode()


@pytest.mark.expects_errors  # Django logs what it refuses
def test_a_login_page_that_was_left_open_leads_on_once_one_is_logged_in(user):
    browser = Client(enforce_csrf_checks=True)
    form = {"username": user.username, "password": PASSWORD, "csrfmiddlewaretoken": "x" * 64}
    assert browser.post("/accounts/login/?next=/library/", form).status_code == 403
    browser.force_login(user)
    again = browser.post("/accounts/login/?next=/library/", form)
    assert browser.get(again["Location"])["Location"] == "/library/"
    assert browser.post("/accounts/logout/", form).status_code == 403


@pytest.mark.expects_errors
@pytest.mark.parametrize(
    ("origin", "says"),
    [("https://testserver", "HTTPS_ONLY=true"), ("null", "too old"), (None, "too old")],
)
def test_a_form_that_a_proxy_brings_says_what_the_proxy_lacks(origin, says):
    browser = Client(enforce_csrf_checks=True)
    refused = browser.post("/accounts/login/", headers={"Origin": origin} if origin else {})
    assert refused.status_code == 403
    assert says in refused.content.decode()

"""A server that is asked by a name that is none of its own."""

import pytest
from django.core.exceptions import DisallowedHost
from django.http import HttpResponse

from qa_site.health import ByAnyName

STRANGER = "10.1.2.3:8000"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_who_watches_over_it_may_call_it_by_its_address(rf, settings, path):
    settings.ALLOWED_HOSTS = ["docs.example"]
    reached = ByAnyName(lambda request: HttpResponse("reached"))
    assert reached(rf.get(path, headers={"host": STRANGER})).text == "reached"
    with pytest.raises(DisallowedHost):
        reached(rf.get("/metrics", headers={"host": STRANGER}))


@pytest.mark.expects_errors
def test_a_person_is_told_which_name_it_was(client, settings):
    settings.ALLOWED_HOSTS = ["docs.example"]
    answer = client.get("/", headers={"host": STRANGER})
    assert answer.status_code == 400
    assert f"<code>{STRANGER}</code>" in answer.text
    assert "ALLOWED_HOSTS" in answer.text


@pytest.mark.expects_errors
def test_a_program_is_told_too(client, settings):
    settings.ALLOWED_HOSTS = ["docs.example"]
    error = client.post("/api/v1/ask", headers={"host": STRANGER}).json()["error"]
    assert error["code"] == "bad_request"
    assert STRANGER in error["message"]
    assert "ALLOWED_HOSTS" in error["message"]


@pytest.mark.expects_errors
def test_what_stands_in_the_place_of_a_name_is_shown_as_text(client, settings):
    settings.ALLOWED_HOSTS = ["docs.example"]
    answer = client.get("/", headers={"host": "<script>alert(1)</script>"})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text


def test_that_is_how_the_pages_are_asked_for(client, settings):
    settings.ALLOWED_HOSTS = ["docs.example"]
    assert client.get("/healthz", headers={"host": STRANGER}).status_code == 200

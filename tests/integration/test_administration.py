"""Administration of a site with years of questions: how much is read for a page."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from answering.models import ApiToken, Conversation, Run
from retrieval.models import Collection, Document

pytestmark = pytest.mark.django_db

ANSWERS = ("question", "answer", "html", "events", "citations", "stages")


@pytest.fixture
def admin(client):
    user = User.objects.create_superuser("admin")
    client.force_login(user)
    return client


@pytest.fixture
def busy():
    user = User.objects.create_user("busy")
    for _ in range(3):
        conversation = Conversation.objects.create(user=user, title="A title")
        for _ in range(4):
            Run.objects.create(user=user, conversation=conversation, question="A question", status="done")
    return user


def statements(client, address, **posted):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.post(address, posted) if posted else client.get(address)
    assert response.status_code == 200, response
    return response.content.decode(), [query["sql"] for query in captured]


def reads_answers(sql):
    return any(f'"answering_run"."{column}"' in sql for column in ANSWERS)


@pytest.mark.parametrize("chosen", [False, True], ids=["on their page", "in the list"])
def test_to_delete_a_user_reads_none_of_what_they_asked(admin, busy, chosen):
    address = "/admin/auth/user/" + ("" if chosen else f"{busy.pk}/delete/")
    posted = {"action": "delete_selected", "_selected_action": busy.pk} if chosen else {}
    page, sql = statements(admin, address, **posted)
    assert "Runs: 12" in page
    assert "Conversations: 3" in page
    assert not any(map(reads_answers, sql))
    assert not any(query.startswith('SELECT "answering_') for query in sql)


def test_a_user_is_deleted_with_what_they_asked(admin, busy):
    admin.post(f"/admin/auth/user/{busy.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=busy.pk).exists()
    assert Run.objects.count() == Conversation.objects.count() == 0


def test_who_may_not_delete_what_a_user_has_may_not_delete_the_user(client, busy):
    ApiToken.objects.create(user=busy, token_hash="0" * 64)
    staff = User.objects.create_user("staff", is_staff=True)
    names = ("view_user", "delete_user", "delete_run")
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(staff)
    page, _ = statements(client, f"/admin/auth/user/{busy.pk}/delete/")
    assert "<title>Cannot delete user" in page
    assert "<li>api token</li>" in page
    assert "<li>run</li>" not in page


@pytest.mark.parametrize("query", ["", "?finish=complete", "?status__exact=done", "?_facets=True"])
def test_the_list_of_runs_reads_no_answers_and_looks_for_no_values(admin, busy, query):
    """To find out which values a filter could have would read every row."""
    page, sql = statements(admin, f"/admin/answering/run/{query}")
    assert not any(map(reads_answers, sql))
    assert not any("DISTINCT" in each for each in sql)
    assert sum("COUNT(" in each for each in sql) == 1
    assert "sortable column-total_ms" not in page


def test_runs_are_found_by_how_they_ended(admin, busy):
    Run.objects.filter(pk=Run.objects.first().pk).update(finish="partial")
    page, _ = statements(admin, "/admin/answering/run/?finish=partial")
    assert "1 run\n" in page
    page, _ = statements(admin, "/admin/answering/run/?finish=complete")
    assert "0 runs\n" in page


def test_no_more_runs_are_counted_than_the_list_leads_to(admin, busy):
    page, sql = statements(admin, "/admin/answering/run/")
    assert "the newest 10,000 that fit" in page
    assert ["LIMIT 10000" in each for each in sql if "COUNT(" in each] == [True]


def test_runs_are_counted_before_they_are_deleted(admin, busy):
    every = [str(run.pk) for run in Run.objects.all()]
    posted = {"action": "delete_selected", "_selected_action": every}
    page, sql = statements(admin, "/admin/answering/run/", **posted)
    assert "Runs: 12" in page
    assert not any(map(reads_answers, sql))
    admin.post("/admin/answering/run/", posted | {"post": "yes"})
    assert Run.objects.count() == 0


def test_the_list_of_documents_looks_for_no_collections_among_them(admin, busy):
    collection = Collection.objects.create(slug="handbook", name="Handbook")
    other = Collection.objects.create(slug="papers", name="Papers")
    for name, place in (("leave.md", collection), ("merger.md", other)):
        Document.objects.create(collection=place, name=name)
    page, sql = statements(admin, f"/admin/retrieval/document/?collection={collection.pk}")
    assert "leave.md" in page
    assert "merger.md" not in page
    assert not any("DISTINCT" in each or "IN (SELECT" in each for each in sql if "retrieval_document" in each)


@pytest.mark.parametrize("value", ["x", "-1", "9" * 30])
def test_a_collection_that_cannot_be_has_no_documents(admin, value):
    assert admin.get(f"/admin/retrieval/document/?collection={value}").status_code == 200


def test_the_library_counts_documents_once(admin):
    for slug in ("a", "b", "c"):
        place = Collection.objects.create(slug=slug, name=slug)
        Document.objects.create(collection=place, name="a.md", status="failed")
        Document.objects.create(collection=place, name="b.md", status="ready")
    page, sql = statements(admin, "/library/")
    assert page.count("2 documents") == 3
    assert page.count(">1 failed<") == 3
    (counting,) = [each for each in sql if "GROUP BY" in each]
    assert counting.count('FROM "retrieval_document"') == 1
    assert "DISTINCT" not in counting


@pytest.mark.parametrize("kind", ["collection", "document"])
def test_a_list_asks_as_much_for_many_as_for_one(admin, kind):
    """And not for the user of each."""

    def add(count):
        for n in range(count):
            by = User.objects.create_user(f"{count} {n}")
            place = Collection.objects.create(slug=f"c{count}-{n}", name="A", created_by=by)
            Document.objects.create(collection=place, name="a.md", uploaded_by=by)
        return len(statements(admin, f"/admin/retrieval/{kind}/")[1])

    assert add(1) == add(5)

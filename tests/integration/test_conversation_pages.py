"""The ask page and conversations: whose they are, and what of old answers may still be shown."""

import html
import re
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from answering.examples import question
from answering.history import CONVERSATIONS_A_PAGE, RUNS_SHOWN
from answering.models import Conversation, Run
from retrieval.models import Chunk, Collection, Document

pytestmark = pytest.mark.django_db

SCRIPTS = Path(__file__).resolve().parents[2] / "static" / "js"
SECRET = "The merger is planned for March."


@pytest.fixture
def staff() -> Group:
    return Group.objects.create(name="staff")


@pytest.fixture
def owner(staff: Group) -> User:
    user = User.objects.create_user("owner")
    user.groups.add(staff)
    return user


@pytest.fixture
def collection(staff: Group) -> Collection:
    made = Collection.objects.create(slug="plans", name="Plans")
    made.groups.add(staff)
    return made


@pytest.fixture
def document(collection: Collection) -> Document:
    made = Document.objects.create(
        collection=collection, name="plan.md", title="Plan", status="ready", ready_at=timezone.now()
    )
    Chunk.objects.create(
        id=7, document=made, collection=collection, ordinal=0, text=SECRET, heading="Plan › Our merger plans"
    )
    return made


@pytest.fixture
def conversation(owner: User) -> Conversation:
    return Conversation.objects.create(user=owner, title="When is the merger?")


@pytest.fixture
def run(owner: User, conversation: Conversation, document: Document) -> Run:
    passage = {
        "n": 1,
        "document": str(document.id),
        "title": "Plan",
        "collection": "plans",
        "heading": "Plan",
        "page": None,
        "text": SECRET,
        "marks": [[0, 10]],
        "url": f"/d/{document.id}/?chunk=7",
    }
    return Run.objects.create(
        user=owner,
        conversation=conversation,
        question="When is the merger?",
        status="done",
        finish="complete",
        route="hybrid",
        answer=f"{SECRET} [1]",
        html=f"<p>{SECRET}</p>",
        citations=[passage],
        cited=[1],
        events=[{"type": "delta", "text": SECRET}],
    )


@pytest.fixture
def browser(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def address(conversation: Conversation) -> str:
    return f"/c/{conversation.id}/"


def test_a_visitor_is_sent_to_the_login(client):
    assert client.get("/").url == "/accounts/login/?next=/"


def test_an_owner_sees_their_answer_with_its_sources(browser, conversation, run):
    shown = browser.get(address(conversation)).context["page"]["runs"][0]
    assert SECRET in shown["html"]
    assert shown["passages"][0]["text"] == SECRET
    assert shown["passages"][0]["changed"] is False


def test_what_a_program_asked_is_listed_on_demand_alone(browser, owner, conversation):
    program = Conversation.objects.create(user=owner, title="Nightly check", by_program=True)
    first, every = browser.get("/").content.decode(), browser.get("/?all").content.decode()
    assert address(conversation) in first
    assert address(program) not in first
    assert "Show all conversations" in first
    assert address(program) in every
    assert browser.get(address(program)).status_code == 200


def addresses(page):
    """Of the conversations that a page lists, in their order."""
    return re.findall(r'<a href="(/c/[^"]+/)"', page.content.decode())


def test_all_conversations_are_listed_page_by_page(browser, owner):
    """However many there are: each once, the newest first, also those of the same moment."""
    now = timezone.now()
    count = 2 * CONVERSATIONS_A_PAGE + 3
    Conversation.objects.bulk_create(Conversation(user=owner, title=f"No. {n}") for n in range(count))
    Conversation.objects.update(updated_at=now)
    Conversation.objects.filter(pk__in=Conversation.objects.values("pk")[:50]).update(
        updated_at=now - timedelta(days=1)
    )
    seen, at = [], "/?all"
    while at:
        page = browser.get(at)
        assert len(addresses(page)) <= CONVERSATIONS_A_PAGE
        seen += addresses(page)
        on = re.search(r'href="([^"]+)">Older conversations', page.content.decode())
        at = "/" + html.unescape(on[1]) if on else ""
    expected = Conversation.objects.order_by("-updated_at", "-pk")
    assert seen == [address(each) for each in expected]


def test_a_page_of_conversations_begins_anew_where_its_beginning_has_gone(browser, conversation):
    assert addresses(browser.get(f"/?all&after={uuid.uuid4()}")) == [address(conversation)]


def plan_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
        )
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("which", ["/?all", "/"])
def test_a_list_of_conversations_reads_no_more_than_it_shows(browser, conversation, which):
    """They are found in their order by an index, and not sorted."""
    with CaptureQueriesContext(connection) as captured:
        browser.get(which)
    (sql,) = [
        each["sql"]
        for each in captured
        if "LIMIT" in each["sql"] and '"title"' in each["sql"] and "conversation" in each["sql"]
    ]
    plan = plan_of(sql)
    assert "Presorted Key: updated_at" in plan
    assert "LIMIT" in sql


def test_examples_look_at_the_newest_of_each_collection_alone(browser, document):
    """And not at every document that the reader may read."""
    with CaptureQueriesContext(connection) as captured:
        browser.get("/")
    (sql,) = [each["sql"] for each in captured if "CROSS JOIN LATERAL" in each["sql"]]
    plan = plan_of(sql)
    assert "Index Cond: ((collection_id = c.id) AND (ready_at IS NOT NULL))" in plan
    assert plan.count("Limit") == 2


def test_a_conversation_of_another_is_not_there(client, conversation, run, staff):
    stranger = User.objects.create_user("stranger")
    stranger.groups.add(staff)
    client.force_login(stranger)
    assert client.get(address(conversation)).status_code == 404


def test_even_a_superuser_does_not_read_the_conversations_of_others(client, conversation, run):
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(address(conversation)).status_code == 404


def test_a_lost_group_takes_passages_and_answer_along(browser, conversation, run, owner):
    owner.groups.clear()
    reply = browser.get(address(conversation))
    assert SECRET not in reply.content.decode()
    assert reply.context["page"]["runs"][0]["hidden"] is True
    assert reply.context["page"]["runs"][0]["passages"] == [{"n": 1, "gone": True}]


def test_a_document_that_moved_out_of_sight_takes_its_answer_along(browser, conversation, run, document):
    document.collection = Collection.objects.create(slug="board")
    document.save()
    assert SECRET not in browser.get(address(conversation)).content.decode()


@pytest.mark.parametrize("change", ["group", "moved", "group and deleted"])
def test_an_answer_that_read_a_lost_passage_is_hidden_though_it_cites_another(
    browser, conversation, run, owner, document, change
):
    Run.objects.filter(id=run.id).update(cited=[2])
    if change == "moved":
        Document.objects.update(collection=Collection.objects.create(slug="board"))
    else:
        owner.groups.clear()
    if change == "group and deleted":
        document.delete()
    assert SECRET not in browser.get(address(conversation)).content.decode()


def test_a_deleted_document_takes_the_answer_that_cites_it_along(browser, conversation, run, document):
    document.delete()
    assert SECRET not in browser.get(address(conversation)).content.decode()


def test_a_deleted_document_takes_an_answer_along_that_was_stopped_before_it_cited(
    browser, conversation, run, document
):
    Run.objects.filter(id=run.id).update(cited=[], finish="stopped")
    document.delete()
    assert SECRET not in browser.get(address(conversation)).content.decode()


def test_a_deleted_document_that_was_not_cited_leaves_the_answer(browser, conversation, run, document):
    said = {"answer": "It does not say.", "html": "<p>It does not say.</p>"}
    Run.objects.filter(id=run.id).update(cited=[], finish="refused", **said)
    document.delete()
    shown = browser.get(address(conversation)).context["page"]["runs"][0]
    assert shown["html"] == "<p>It does not say.</p>"
    assert shown["passages"] == [{"n": 1, "gone": True}]


def test_a_changed_document_is_said_to_have_changed(browser, conversation, run):
    Chunk.objects.all().delete()
    assert browser.get(address(conversation)).context["page"]["runs"][0]["passages"][0]["changed"] is True


def test_a_run_under_way_brings_nothing_but_its_question(browser, conversation, run):
    Run.objects.filter(id=run.id).update(status="running", answer="", html="")
    reply = browser.get(address(conversation))
    assert reply.context["page"]["runs"][0]["status"] == "running"
    assert SECRET not in reply.content.decode()


def test_frames_of_old_runs_never_reach_the_page(browser, conversation, run):
    Run.objects.filter(id=run.id).update(answer="", html="", citations=[], cited=[])
    assert SECRET not in browser.get(address(conversation)).content.decode()


def test_a_page_is_never_kept_by_a_browser(browser, conversation):
    assert "no-store" in browser.get(address(conversation))["Cache-Control"]


def test_long_conversations_are_turned_page_by_page(browser, conversation, owner):
    begun = timezone.now()
    for i in range(RUNS_SHOWN + 2):
        run = Run.objects.create(user=owner, conversation=conversation, question=f"q{i}", status="error")
        Run.objects.filter(id=run.id).update(created_at=begun + timedelta(seconds=i))
    newest = browser.get(address(conversation))
    assert [run["question"] for run in newest.context["page"]["runs"]][:: RUNS_SHOWN - 1] == ["q2", "q31"]
    older = browser.get(address(conversation), {"before": newest.context["older"]})
    assert [run["question"] for run in older.context["page"]["runs"]] == ["q0", "q1"]


def test_an_owner_renames_their_conversation(browser, conversation):
    browser.post(f"{address(conversation)}rename/", {"title": "Merger"})
    conversation.refresh_from_db()
    assert conversation.title == "Merger"


def test_an_owner_deletes_their_conversation_with_its_runs(browser, conversation, run):
    browser.post(f"{address(conversation)}delete/")
    assert not Run.objects.exists()


@pytest.mark.parametrize("act", ["rename", "delete"])
def test_a_stranger_neither_renames_nor_deletes(client, conversation, act):
    client.force_login(User.objects.create_user("stranger"))
    assert client.post(f"{address(conversation)}{act}/", {"title": "x"}).status_code == 404
    conversation.refresh_from_db()
    assert conversation.title == "When is the merger?"


def test_examples_come_from_readable_documents_alone(browser, client, document):
    assert browser.get("/").context["examples"] == ["What does “Plan” say about our merger plans?"]
    client.force_login(User.objects.create_user("stranger"))
    assert client.get("/").context["examples"] == []


def test_collections_to_choose_from_are_the_readable_ones(browser, collection):
    Collection.objects.create(slug="board", name="Board")
    assert browser.get("/").context["collections"] == [{"slug": "plans", "name": "Plans"}]


def test_readers_are_told_who_adds_documents(browser):
    librarian = User.objects.create_user("grace", first_name="Grace", last_name="Hopper")
    librarian.user_permissions.add(Permission.objects.get(codename="add_document"))
    User.objects.create_superuser("root")
    page = browser.get("/").content.decode()
    assert "added by Grace Hopper." in page
    assert 'href="/library/"' not in page


def test_the_administration_shows_no_question_and_no_answer(client, run):
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(f"/admin/answering/run/{run.id}/change/").content.decode()
    assert SECRET not in page
    assert "When is the merger?" not in page


@pytest.mark.expects_errors  # Django's of suspicious requests
@pytest.mark.parametrize(
    "lookup",
    [
        "answer__startswith=The",
        "question__icontains=merger",
        "citations__0__text__icontains=merger",
        "conversation__title__icontains=merger",
        "user__password__startswith=a",
    ],
)
def test_the_administration_finds_no_run_by_what_it_says(client, run, lookup):
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(f"/admin/answering/run/?{lookup}").status_code == 400
    assert str(run.id) in client.get("/admin/answering/run/?status__exact=done").content.decode()


def test_who_deletes_an_account_is_not_told_what_it_asked(client, owner, run):
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(f"/admin/auth/user/{owner.pk}/delete/").content.decode()
    assert "Conversations: 1" in page
    assert "When is the merger?" not in page


def test_every_module_of_the_page_is_fetched_at_once(browser):
    preloaded = set(browser.get("/").context["modules"])
    found, left = set(), ["ask.js"]
    while left:
        name = left.pop()
        found.add(f"js/{name}")
        text = (SCRIPTS / name).read_text()
        left += [other for other in re.findall(r'from "\./([\w.]+)"', text) if f"js/{other}" not in found]
    assert preloaded == found


def test_a_changed_password_is_said_to_be_changed(client):
    reader = User.objects.create_user("reader", password="an old one of 2019")
    client.force_login(reader)
    new = {"new_password1": "a new one of 2024", "new_password2": "a new one of 2024"}
    page = client.post("/accounts/password/", {"old_password": "an old one of 2019", **new}, follow=True)
    assert "Your password is changed" in page.content.decode()


@pytest.mark.parametrize(
    ("title", "heading", "asked"),
    [
        ("Team", "Who we meet", "What does “Team” say about who we meet?"),
        ("Team", "Michael Bali", "What does “Team” say about Michael Bali?"),
        ("Acme: Health Plus Plan", "Health Plus Plan", ""),
        ("Budget", "Sheet1", ""),
        ("Policy", "4.1. Standards conformance", "What does “Policy” say about standards conformance?"),
        ("FAQ", "2.1. Which is the newest version?", "Which is the newest version?"),
        ("Guide", "About the checklist", "What does “Guide” say about the checklist?"),
        ("Notes", "d666f1f7-46cb-42bd-9a39-9a39cf2a509f", ""),
    ],
)
def test_an_example_reads_like_a_question(title, heading, asked):
    assert question(title, heading) == asked


def listed(page) -> list[str]:
    return [item.title for _, items in page.context["days"] for item in items]


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("merger", ["When is the merger?"]),
        ("MERGER when", ["When is the merger?"]),
        ("zoe", ["Travel"]),  # of a question, whatever the conversation is called
        ("zoe merger", []),
        ("march", []),  # which only an answer has: it may be of what is no longer readable
        ("100%", []),
        ("\0", ["Travel", "When is the merger?"]),
        ("", ["Travel", "When is the merger?"]),
    ],
)
def test_own_conversations_are_found_by_the_words_of_their_questions(browser, owner, run, sought, found):
    travel = Conversation.objects.create(user=owner, title="Travel")
    Run.objects.create(user=owner, conversation=travel, question="Where does Zoë travel?", status="done")
    other = User.objects.create_user("other")
    Conversation.objects.create(user=other, title="Zoe and the merger 100%")
    assert listed(browser.get("/", {"q": sought})) == found


def test_what_was_looked_for_is_kept_from_page_to_page(browser, owner):
    every = [Conversation(user=owner, title=f"Is {n} & more even?") for n in range(CONVERSATIONS_A_PAGE + 1)]
    Conversation.objects.bulk_create(every)
    page = browser.get("/", {"q": "even & more"})
    further = re.search(r'href="(\?q=[^"]+)">Older conversations', page.content.decode())
    assert len(listed(page)) == CONVERSATIONS_A_PAGE
    assert further is not None
    assert len(listed(browser.get("/" + html.unescape(further[1])))) == 1


def test_who_finds_nothing_is_told_so(browser, run):
    page = browser.get("/", {"q": "<unicorn>"}).content.decode()
    assert "No question of yours has these words." in page
    assert 'value="&lt;unicorn&gt;"' in page


@pytest.mark.parametrize(
    ("language", "title", "heading", "asked"),
    [
        ("de", "Reisekosten", "Übernachtung", "Was steht in „Reisekosten“ zu Übernachtung?"),
        ("fr", "Congés", "Jours fériés", "Que dit « Congés » sur jours fériés ?"),
        ("sv", "Semester", "Helgdagar", "Semester: helgdagar"),
    ],
)
def test_an_example_is_in_the_language_of_its_document(language, title, heading, asked):
    assert question(title, heading, language) == asked


def test_only_what_its_own_part_answers_is_offered(browser, collection):
    travel = Document.objects.create(
        collection=collection, name="reise.md", title="Reisekosten", status="ready", ready_at=timezone.now()
    )
    parts = {
        "Was wir so alles nicht können?": "Die Bahn wird in der zweiten Klasse bezahlt, und das ist alles.",
        "Übernachtung": "Für ein Zimmer werden bis zu 140 Euro in der Nacht gezahlt, und das Frühstück nicht.",
    }
    for number, (heading, text) in enumerate(parts.items()):
        Chunk.objects.create(
            id=70 + number, document=travel, collection=collection, ordinal=number, text=text, heading=heading
        )
    assert browser.get("/").context["examples"] == ["Was steht in „Reisekosten“ zu Übernachtung?"]

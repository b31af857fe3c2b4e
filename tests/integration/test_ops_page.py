"""Who may open the operations page, and what it makes of the runs."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from answering import metrics
from answering.models import Conversation, Run
from qa_site import ops

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


@pytest.fixture
def operator(client):
    operator = User.objects.create_user("operator", is_staff=True)
    client.force_login(operator)
    return operator


def keep_run(user, stages, **fields):
    conversation = Conversation.objects.create(user=user)
    fields = {"status": Run.Status.DONE, "finish": "complete", "route": "hybrid", "total_ms": 40.0} | fields
    return Run.objects.create(
        user=user, conversation=conversation, question="secret?", stages=stages, **fields
    )


def stage(name, start, ms, outcome="ok"):
    return {"stage": name, "start_ms": start, "ms": ms, "outcome": outcome}


def row_of(name, page):
    row = next(row for row in page.split("<tr")[1:] if f'<th scope="row">{name}</th>' in row)
    return re.findall(r'<td class="number">([^<]*)</td>', row)


def test_stages_stand_in_their_order_with_counts_and_budgets(client, operator, settings):
    keep_run(operator, [stage("store", 0, 2), stage("vector", 4, 9), stage("generate", 20, 1000)])
    keep_run(
        operator,
        [stage("vector", 0, 500, "timeout"), stage("store", 0, 4), stage("generate", 0, 1, "cancelled")],
    )
    page = client.get("/ops/").content.decode()
    assert page.index(">store<") < page.index(">vector<") < page.index(">generate<")
    assert row_of("vector", page) == ["2", "1", "254.5", "475.5", "495.1", str(settings.BUDGETS_MS["vector"])]
    assert row_of("generate", page)[0] == "1"
    assert row_of("generate", page)[-1] == str(settings.BUDGETS_MS["answer"])


def test_a_waterfall_has_each_stage_where_it_was(client, operator):
    keep_run(operator, [stage("generate", 20, 20), stage("lexical", 0, 10)])
    page = client.get("/ops/").content.decode()
    waterfall = page[page.index('class="run-trace"') :]
    assert waterfall.index("lexical") < waterfall.index("generate")
    bars = re.findall(r'class="waterfall-bar ok" x="(\d+)" y="1" width="(\d+)"', waterfall)
    assert bars == [("0", "250"), ("500", "500")]


def test_runs_without_stages_ends_or_times_are_no_matter(client, operator):
    keep_run(operator, [], total_ms=None, finish="", route="", status=Run.Status.ERROR, error="at_capacity")
    keep_run(operator, [], status=Run.Status.RUNNING, finish="", total_ms=None)
    page = client.get("/ops/").content.decode()
    assert "2 questions, 1 under way" in page
    assert "at_capacity" in page


def test_a_span_leaves_out_what_was_before_it(client, operator):
    old = keep_run(operator, [stage("lexical", 0, 10)])
    Run.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=2))
    assert "0 questions" in client.get("/ops/?span=1h").content.decode()
    assert "1 question." in client.get("/ops/?span=24h").content.decode()
    assert "0 questions" in client.get("/ops/?span=nonsense").content.decode()


def test_no_questions_text_is_shown(client, operator):
    keep_run(operator, [stage("lexical", 0, 10)], degraded=["embed_timeout"])
    assert "secret" not in client.get("/ops/").content.decode()


def keep_many(user, count, age):
    conversation = Conversation.objects.create(user=user)
    Run.objects.bulk_create(
        Run(
            user=user,
            conversation=conversation,
            question="secret?",
            status=Run.Status.DONE,
            finish="complete",
            route="hybrid",
            total_ms=50.0,
            stages=[stage("store", 0, 2)],
        )
        for _ in range(count)
    )
    Run.objects.filter(conversation=conversation).update(created_at=timezone.now() - age)


def test_of_very_many_questions_the_newest_are_looked_at(client, operator):
    """And the page says so."""
    keep_many(operator, 5, timedelta(days=3))
    keep_many(operator, ops.NEWEST, timedelta(hours=2))
    page = client.get("/ops/?span=7d").content.decode()
    assert f"The newest {ops.NEWEST} questions of this span, since " in page
    assert row_of("store", page)[0] == str(ops.NEWEST)
    page = client.get("/ops/?span=15m").content.decode()
    assert "The newest" not in page


def test_what_runs_said_is_not_read(client, operator):
    keep_run(operator, [stage("store", 0, 2)], degraded=["embed_timeout"])
    with CaptureQueriesContext(connection) as captured:
        client.get("/ops/")
    columns = ("question", "answer", "html", "events", "citations")
    said = [f'"answering_run"."{column}"' for column in columns]
    assert not [each["sql"] for each in captured if any(column in each["sql"] for column in said)]


def said_now(client) -> str:
    page = client.get("/ops/").content.decode()
    card = page[page.index('id="now-title"') : page.index('id="figures-title"')]
    return " ".join(re.sub(r"<[^>]+>", "", card.partition(">")[2]).split())


def test_a_quiet_time_is_said_to_be_well(client, operator):
    assert "Nothing is wrong No question ended in the last 5 minutes." in said_now(client)


def test_good_answers_are_said_to_be_well(client, operator):
    keep_run(operator, [])
    keep_run(operator, [], finish="refused")
    keep_run(operator, [], degraded=["llm_hedged", "provisional_extract"])
    assert "Nothing is wrong 3 questions ended in the last 5 minutes: 3 as they should." in said_now(client)


def test_an_outage_is_told_first_with_what_askers_get(client, operator, settings, monkeypatch):
    settings.HAS_MODEL = True
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    keep_run(operator, [])
    for _ in range(2):
        keep_run(operator, [], finish="extractive", degraded=["provisional_extract", "generate_timeout"])
    keep_run(operator, [], status=Run.Status.ERROR, finish="", error="unavailable")
    keep_run(operator, [], finish="cached", degraded=["generate_open", "similar_answer"])
    metrics.breaker_state.labels("main").set(2)
    try:
        said = said_now(client)
    finally:
        metrics.breaker_state.labels("main").set(0)
    assert said.startswith("Just now Something is wrong main is paused after failures: another model answers")
    time = r"\d\d:\d\d:\d\d"
    assert re.search(rf"The model is too slow: 2 questions, the last at {time} \(generate_timeout\)\.", said)
    assert re.search(rf"Postgres could not be reached: 1 question, at {time} \(unavailable\)\.", said)
    assert (
        "5 questions ended in the last 5 minutes: 1 as it should, 2 quoted from the passages alone,"
        " 1 answered with the answer to a similar question, 1 ended in an error." in said
    )


def test_quotes_are_no_trouble_where_there_is_no_model(client, operator, settings):
    settings.HAS_MODEL = settings.HAS_FALLBACK = False
    keep_run(operator, [], finish="extractive")
    assert "Nothing is wrong" in said_now(client)

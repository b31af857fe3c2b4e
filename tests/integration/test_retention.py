"""Questions that are older than they may be: what goes, what stays, and what nobody waits for."""

import uuid
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from answering import retention, tasks
from answering.models import CachedAnswer, Conversation, Run
from answering.retention import Forgotten, forget
from retrieval import maintenance

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 30


@pytest.fixture
def connection(database_url, transactional_db):
    with psycopg.connect(database_url, autocommit=True) as made:
        yield made


@pytest.fixture
def owner(transactional_db):
    return User.objects.create_user("owner")


def ago(days):
    return timezone.now() - timedelta(days=days)


def conversation(owner, *asked, title=None, status="done"):
    """A conversation with a question asked each of so many days ago, named after its first one."""
    questions = [f"What was  asked {days} days ago?" for days in asked]
    made = Conversation.objects.create(user=owner, title=title or " ".join(questions[0].split()))
    for days, question in zip(asked, questions, strict=True):
        run = Run.objects.create(
            user=owner, conversation=made, question=question, answer="It was.", status=status
        )
        Run.objects.filter(pk=run.pk).update(created_at=ago(days))
    return made


def questions_left():
    return sorted(Run.objects.values_list("question", flat=True))


def keep_answer(days):
    digest = uuid.uuid4().hex
    return CachedAnswer.objects.create(
        key=digest, exact=digest, family=digest, words=[1], text="It was.", numbers=[1], chunks=[1],
        hashes=[digest], cited=[1], documents=[uuid.uuid4()], asked_at=ago(days),
    )  # fmt: skip


def test_what_is_older_goes_and_what_is_not_stays(connection, owner):
    conversation(owner, DAYS + 1, DAYS - 1)
    assert forget(connection, DAYS) == Forgotten(runs=1, conversations=0, answers=0)
    assert questions_left() == ["What was  asked 29 days ago?"]


def test_nothing_is_deleted_unless_a_time_is_set(connection, owner):
    conversation(owner, 4000)
    assert forget(connection, 0) == Forgotten(0, 0, 0)
    assert Conversation.objects.count() == Run.objects.count() == 1


def test_a_conversation_goes_with_its_last_question(connection, owner):
    conversation(owner, 90, 60)
    kept = conversation(owner, 90, 1)
    assert forget(connection, DAYS).conversations == 1
    assert Conversation.objects.get() == kept


def test_a_conversation_is_no_longer_named_after_a_question_that_has_gone(connection, owner):
    made = conversation(owner, 90, 60, 2)
    forget(connection, DAYS, batch=1)
    made.refresh_from_db()
    assert made.title == "What was asked 2 days ago?"


def test_a_name_that_its_owner_gave_stays(connection, owner):
    made = conversation(owner, 90, 2, title="Journeys")
    forget(connection, DAYS)
    made.refresh_from_db()
    assert made.title == "Journeys"


def test_a_question_under_way_is_never_touched(connection, owner):
    conversation(owner, 90, status="running")
    assert forget(connection, DAYS).runs == 0
    assert Conversation.objects.count() == Run.objects.count() == 1


def test_a_question_that_somebody_works_on_is_not_waited_for(connection, owner, database_url):
    """It is deleted the next time."""
    conversation(owner, 90)
    conversation(owner, 80)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT id FROM answering_run ORDER BY created_at LIMIT 1 FOR UPDATE")
        assert forget(connection, DAYS).runs == 1
    assert forget(connection, DAYS).runs == 1


def test_kept_answers_go_with_the_questions_that_they_were_given_to(connection):
    keep_answer(days=2)
    younger = keep_answer(days=0)
    assert forget(connection, 1).answers == 1
    assert CachedAnswer.objects.get() == younger


def test_kept_answers_that_serve_no_more_go_in_any_case(connection):
    keep_answer(days=8)
    younger = keep_answer(days=6)
    assert forget(connection, 0).answers == 1
    assert CachedAnswer.objects.get() == younger


def test_it_goes_in_short_transactions(connection, owner):
    """Each deletes a batch at most, so that nobody waits for a year of questions."""
    for _ in range(5):
        conversation(owner, 90, 89)
    connection.execute("CREATE TABLE deletions (transaction xid8)")
    connection.execute(
        "CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO deletions VALUES (pg_current_xact_id()); RETURN OLD; END';"
        "CREATE TRIGGER note AFTER DELETE ON answering_run FOR EACH ROW EXECUTE FUNCTION note_deletion()"
    )
    try:
        assert forget(connection, DAYS, batch=4) == Forgotten(10, 5, 0)
        found = connection.execute("SELECT count(*) FROM deletions GROUP BY transaction").fetchall()
        assert sorted(count for (count,) in found) == [2, 4, 4]
    finally:
        connection.execute("DROP FUNCTION note_deletion CASCADE; DROP TABLE deletions")


def test_old_questions_are_found_by_an_index(connection, owner):
    """However many there are that stay."""
    with connection.transaction():
        connection.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
        )
        lines = connection.execute(f"EXPLAIN {retention._RUNS}", [ago(DAYS), 500]).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "Index Cond: (created_at <" in plan
    assert "Sort" not in plan


def test_it_stops_when_its_time_is_over_and_says_that_there_is_more(connection, owner):
    conversation(owner, 90)
    assert forget(connection, DAYS, seconds=0) == Forgotten(0, 0, 0, complete=False)


def test_two_at_once_do_not_get_in_each_others_way(connection, owner, database_url, settings):
    settings.KEEP_QUESTIONS_DAYS = DAYS
    conversation(owner, 90)
    with (
        psycopg.connect(database_url, autocommit=True) as other,
        maintenance.alone(other, retention.LOCK),
    ):
        tasks.forget_questions()
        assert Run.objects.count() == 1
    tasks.forget_questions()
    assert Run.objects.count() == 0


def test_maintain_does_it_and_says_so(owner, settings, capsys):
    settings.KEEP_QUESTIONS_DAYS = DAYS
    conversation(owner, 90, 80)
    call_command("maintain")
    assert "2 questions, 1 conversations" in capsys.readouterr().out
    assert Run.objects.count() == 0


def test_maintain_goes_on_while_the_scheduler_deletes_them(owner, connection, capsys):
    with maintenance.alone(connection, retention.LOCK):
        call_command("maintain")
    said = capsys.readouterr().out
    assert "being deleted by the scheduler" in said
    assert "Expired sessions deleted" in said


@pytest.mark.parametrize(("span", "is_cut"), [("24h", False), ("7d", True)])
def test_operators_are_told_what_a_span_does_not_cover(client, owner, settings, span, is_cut):
    settings.KEEP_QUESTIONS_DAYS = 3
    client.force_login(User.objects.create_user("operator", is_staff=True))
    assert ("deleted after 3 days" in client.get(f"/ops/?span={span}").content.decode()) is is_cut


@pytest.mark.parametrize("days", [0, 1])
def test_who_asks_is_told_how_long_it_is_kept(client, owner, settings, days):
    settings.KEEP_QUESTIONS_DAYS = days
    client.force_login(owner)
    assert ("Questions are deleted after 1 day." in client.get("/").content.decode()) is bool(days)

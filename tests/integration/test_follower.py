"""The follower against a real Postgres: what is committed is found, whatever happens in between."""

import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from retrieval.access import AccessScope
from retrieval.lexical.follower import Follower
from retrieval.lexical.home import Home
from retrieval.lexical.source import Source
from retrieval.models import Chunk, Collection, Document

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 20.0


@pytest.fixture
def collection() -> Collection:
    return Collection.objects.create(slug="people", name="People")


@pytest.fixture
def other() -> Collection:
    return Collection.objects.create(slug="board", name="Board")


@pytest.fixture
def follow(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    started: list[Follower] = []

    def start(**options: object) -> Follower:
        follower = Follower(database_url, folder=tmp_path / "lexical", poll=0.05, **options)
        follower.start()
        started.append(follower)
        return follower

    yield start
    for follower in started:
        follower.stop()


def publish(cursor: psycopg.Cursor, collection: Collection, text: str, document: str | None = None) -> str:
    """A document of one chunk, as indexing writes it: rows and the change in one transaction."""
    document = document or str(uuid4())
    cursor.execute(
        "INSERT INTO retrieval_document (id, collection_id, name, title, content_hash, published_hash, size,"
        " media_type, status, progress, reason, attempts, chunk_count, page_count, created_at, changed_at)"
        " VALUES (%s, %s, 'a.txt', '', '', '', 1, '', 'ready', 100, '', 1, 1, 0, now(), now())"
        " ON CONFLICT (id) DO UPDATE SET collection_id = excluded.collection_id",
        (document, collection.id),
    )
    cursor.execute("DELETE FROM retrieval_chunk WHERE document_id = %s", (document,))
    cursor.execute(
        "INSERT INTO retrieval_chunk"
        " (id, document_id, collection_id, ordinal, heading, page, text, content_hash) VALUES"
        " (%s, %s, %s, 0, '', NULL, %s, '')",
        (uuid4().int >> 65, document, collection.id, text),
    )
    changed(cursor, document)
    return document


def changed(cursor: psycopg.Cursor, document: str) -> None:
    cursor.execute("INSERT INTO retrieval_change (document_id) VALUES (%s)", (document,))


def delete(cursor: psycopg.Cursor, document: str) -> None:
    cursor.execute("DELETE FROM retrieval_chunk WHERE document_id = %s", (document,))
    cursor.execute("DELETE FROM retrieval_document WHERE id = %s", (document,))
    changed(cursor, document)


def found(follower: Follower, question: str, *collections: Collection) -> int:
    if follower.index.index is None:
        return 0
    return len(follower.index.search(question, AccessScope(frozenset(c.id for c in collections)), 10))


def finds(follower: Follower, question: str, number: int, *collections: Collection) -> bool:
    return follower.wait_for(lambda: found(follower, question, *collections) == number, WAIT)


def settled(follower: Follower) -> bool:
    return follower.wait_for(lambda: not follower.rebuilding, WAIT)


@pytest.fixture
def database(database_url: str, transactional_db: None) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_what_was_there_before_is_found_and_so_is_what_comes(database, follow, collection):
    publish(database.cursor(), collection, "sabbatical leave")
    follower = follow()
    assert finds(follower, "sabbatical", 1, collection)
    publish(database.cursor(), collection, "parental leave")
    assert finds(follower, "leave", 2, collection)


def test_documents_are_read_anew_in_the_languages_that_their_collection_changes_to(
    database, follow, collection, other
):
    publish(database.cursor(), collection, "Freundlichkeiten zählen hier viel.")
    publish(database.cursor(), other, "Freundlichkeiten zählen dort nicht.")
    follower = follow()
    assert finds(follower, "Freundlichkeiten", 2, collection, other)
    assert found(follower, "freundlich", collection, other) == 0
    collection.languages = ["de"]
    collection.save()
    assert finds(follower, "freundlich", 1, collection)
    assert found(follower, "freundlich", other) == 0


def test_a_change_beside_an_open_transaction_is_another_revision(database, database_url, follow, collection):
    with psycopg.connect(database_url) as slow:
        publish(slow.cursor(), collection, "takes its time")
        follower = follow()
        assert settled(follower)
        publish(database.cursor(), collection, "sabbatical leave")
        assert finds(follower, "sabbatical", 1, collection)
        before = follower.revision
        publish(database.cursor(), collection, "parental leave")
        assert follower.wait_for(lambda: follower.revision != before, WAIT)
        assert found(follower, "parental", collection) == 1
        slow.rollback()


@pytest.mark.parametrize("engine", ["tantivy", "rank_bm25"])
def test_a_change_is_another_revision_to_who_reads_it_alone(database, follow, collection, other, engine):
    follower, cursor = follow(engine=engine), database.cursor()
    ours, theirs, both = (
        AccessScope(frozenset(each.id for each in these))
        for these in ([collection], [other], [collection, other])
    )

    def seen() -> list[object]:
        return [follower.revision_of(scope) for scope in (ours, theirs, both)]

    def changes() -> list[bool]:
        nonlocal before
        assert follower.wait_for(lambda: seen()[2] != before[2], WAIT)
        before, now = seen(), before
        return [one != other for one, other in zip(before, now, strict=True)]

    assert settled(follower)  # or the first change would come in twice, with the rebuild and after it
    before = seen()
    document = publish(cursor, collection, "sabbatical leave")
    assert changes() == [True, False, True]
    hidden = publish(cursor, other, "merger")
    assert changes() == [False, True, True]
    publish(cursor, other, "another merger", hidden)  # as many chunks as before
    assert changes() == [False, True, True]
    publish(cursor, collection, "parental leave", document)
    assert changes() == [True, False, True]
    publish(cursor, other, "parental leave", document)
    assert changes() == [True, True, True]
    delete(cursor, hidden)
    assert changes() == [False, True, True]


def test_a_revision_outlives_its_process(database, follow, collection, other):
    first, cursor = follow(), database.cursor()
    assert settled(first)
    publish(cursor, collection, "sabbatical leave")
    assert finds(first, "sabbatical", 1, collection)
    scope = AccessScope(frozenset([collection.id]))
    reader = follow()
    assert finds(reader, "sabbatical", 1, collection)
    assert reader.wait_for(lambda: reader.revision_of(scope) == first.revision_of(scope), WAIT)
    publish(cursor, collection, "parental leave")
    known = reader.revision_of(scope)
    assert finds(reader, "parental", 1, collection)
    assert reader.wait_for(lambda: reader.revision_of(scope) != known, WAIT)


@pytest.mark.parametrize("engine", ["tantivy", "rank_bm25"])
def test_a_document_that_is_replaced_moved_or_deleted_is_so_here(database, follow, collection, other, engine):
    follower = follow(engine=engine)
    cursor = database.cursor()
    document = publish(cursor, collection, "sabbatical leave")
    publish(cursor, collection, "parking")
    assert finds(follower, "sabbatical", 1, collection)
    publish(cursor, collection, "parental leave", document)
    assert finds(follower, "sabbatical", 0, collection)
    assert finds(follower, "parental", 1, collection)
    publish(cursor, other, "parental leave", document)
    assert finds(follower, "parental", 1, other)
    assert found(follower, "parental", collection) == 0
    delete(cursor, document)
    assert finds(follower, "parental", 0, other)


def test_a_transaction_that_commits_after_a_later_one_is_not_missed(
    database, database_url, follow, collection, tmp_path
):
    follower = follow()
    assert settled(follower)
    with psycopg.connect(database_url) as slow:
        publish(slow.cursor(), collection, "slow transaction")
        publish(database.cursor(), collection, "quick transaction")
        assert finds(follower, "transaction", 1, collection)
        follower.stop()  # what it knows now must not hide the slow one from the next process
        slow.commit()
    assert finds(follow(), "transaction", 2, collection)


def test_a_long_transaction_elsewhere_holds_nobody_up(database, database_url, follow, collection):
    follower = follow()
    with psycopg.connect(database_url) as slow:
        publish(slow.cursor(), collection, "slow")
        publish(database.cursor(), collection, "quick")
        assert finds(follower, "quick", 1, collection)


def test_a_change_that_is_rolled_back_is_never_found(database, database_url, follow, collection):
    follower = follow()
    with psycopg.connect(database_url) as connection:
        publish(connection.cursor(), collection, "withdrawn offer")
        connection.rollback()
    publish(database.cursor(), collection, "standing offer")
    assert finds(follower, "offer", 1, collection)


class Heard(logging.Handler):
    """Whether an error was logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.error = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.error.set()


@pytest.mark.expects_errors
def test_what_nobody_expected_does_not_end_the_following(database, follow, collection):
    heard = Heard()
    logging.getLogger("retrieval").addHandler(heard)
    try:
        follower = follow()
        assert settled(follower)
        database.execute("UPDATE retrieval_collection SET languages = 'null'")
        publish(database.cursor(), collection, "parental leave")
        assert heard.error.wait(WAIT)
        database.execute("UPDATE retrieval_collection SET languages = '[]'")
        assert finds(follower, "parental", 1, collection)
    finally:
        logging.getLogger("retrieval").removeHandler(heard)


def test_a_second_process_reads_what_the_first_writes(database, follow, collection):
    writer = follow()
    assert settled(writer)
    reader = follow()
    publish(database.cursor(), collection, "sabbatical leave")
    assert finds(reader, "sabbatical", 1, collection)
    assert not reader.index.index.partial


def test_a_reader_takes_over_when_the_writer_stops(database, follow, collection):
    writer = follow()
    assert settled(writer)
    reader = follow()
    assert settled(reader)
    writer.stop()
    publish(database.cursor(), collection, "sabbatical leave")
    assert finds(reader, "sabbatical", 1, collection)


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    program = "import sys; from pathlib import Path; from retrieval.lexical.home import Home\n"
    program += "print(Home(Path(sys.argv[1])).take(), flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "True\n"
    home = Home(tmp_path)
    assert not home.take()
    child.kill()
    child.communicate()
    assert home.take()
    home.release()


def test_a_folder_that_is_deleted_is_made_anew_while_questions_go_on(database, follow, collection, tmp_path):
    follower = follow()
    publish(database.cursor(), collection, "sabbatical leave")
    assert finds(follower, "sabbatical", 1, collection)
    # Set aside in one step: the follower writes there, and a walk through a folder in use stumbles over it.
    (tmp_path / "lexical").rename(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    assert found(follower, "sabbatical", collection) == 1
    assert follower.wait_for(lambda: (tmp_path / "lexical" / "state.json").exists(), WAIT)
    publish(database.cursor(), collection, "sabbatical pay")
    assert finds(follower, "sabbatical", 2, collection)


@pytest.mark.parametrize(
    "damage", ["truncated", "missing", "other version", "other database", "ahead of its database"]
)
def test_an_index_that_cannot_be_used_is_made_anew(database, follow, collection, tmp_path, damage):
    publish(database.cursor(), collection, "sabbatical leave")
    first = follow()
    assert finds(first, "sabbatical", 1, collection)
    assert settled(first)
    first.stop()
    home = Home(tmp_path / "lexical")
    state_file = home.folder / "state.json"
    state = json.loads(state_file.read_text())
    changes = {
        "other version": ("schema", 0),
        "other database": ("database", "x/1"),
        "ahead of its database": ("horizon", 2**60),
    }
    if damage == "truncated":
        for path in home.path(state["name"]).rglob("*.*"):
            path.write_bytes(b"")
    elif damage == "missing":
        shutil.rmtree(home.path(state["name"]))
    else:
        key, value = changes[damage]
        state_file.write_text(json.dumps({**state, key: value}))
    second = follow()
    assert finds(second, "sabbatical", 1, collection)
    assert settled(second)
    assert json.loads(state_file.read_text())["name"] != state["name"]
    assert not home.path(state["name"]).exists()


def test_a_whole_index_is_not_made_anew_at_the_next_start(database, follow, collection, tmp_path):
    publish(database.cursor(), collection, "sabbatical leave")
    first = follow()
    assert settled(first)
    first.stop()
    before = Home(tmp_path / "lexical").state()
    second = follow()
    assert finds(second, "sabbatical", 1, collection)
    assert settled(second)
    after = Home(tmp_path / "lexical").state()
    assert before is not None
    assert after is not None
    assert after.name == before.name


def test_the_age_of_a_change_is_told_and_then_none(database, follow, collection):
    ages: list[float] = []
    told = threading.Event()

    def hear(seconds: float) -> None:
        ages.append(seconds)
        if seconds > 0:
            told.set()

    follower = follow(on_lag=hear)
    assert settled(follower)
    publish(database.cursor(), collection, "sabbatical leave")
    assert finds(follower, "sabbatical", 1, collection)
    assert told.wait(WAIT)
    assert follower.wait_for(lambda: ages[-1] == 0, WAIT)


def test_what_a_backup_brings_from_a_server_that_was_further_on_is_not_read_again_and_again(
    database, database_url
):
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO retrieval_change (document_id, transaction) SELECT %s,"
            " (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8",
            (ahead := str(uuid4()),),
        )
        changed(cursor, own := str(uuid4()))
    with Source(database_url) as source:
        source.prune()
        changes, _ = source.changes(0)
    documents = {change.document for change in changes}
    assert own in documents
    assert ahead not in documents


def test_an_ordinary_user_of_postgres_may_ask_what_the_source_asks(database):
    asked = "SELECT has_function_privilege('public', %s, 'execute')"
    snapshots = "pg_snapshot_xmin(pg_snapshot)", "pg_snapshot_xmax(pg_snapshot)", "pg_current_snapshot()"
    for function in ("pg_control_system()", *snapshots):
        assert database.execute(asked, (function,)).fetchone() == (True,)


def test_the_models_table_names_are_those_the_source_reads():
    assert Chunk._meta.db_table == "retrieval_chunk"
    assert Document._meta.db_table == "retrieval_document"

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from qa_site import places
from qa_site.embedded import LOG_LIMIT, Servers, last_error, shorten_logs
from qa_site.errors import EmbeddedError


@pytest.fixture
def data():
    """Not under pytest's own folder: each run of pytest closes that to the account that runs Postgres."""
    place = Path(tempfile.mkdtemp(prefix="citefirst tests "))
    yield place / "a data folder"
    shutil.rmtree(places.socket_dir(place / "a data folder"), ignore_errors=True)
    shutil.rmtree(place)


@pytest.fixture
def owner(data):
    servers = Servers(data, redis=False, durable=False)
    servers.start()
    yield servers
    servers.stop()


def remember(data, text):
    with psycopg.connect(places.bundled_database_url(data), autocommit=True) as link:
        link.execute("SET synchronous_commit = on")
        link.execute("CREATE TABLE note (text text)")
        link.execute("INSERT INTO note VALUES (%s)", [text])


def recall(data):
    with psycopg.connect(places.bundled_database_url(data)) as link:
        return link.execute("SELECT text FROM note").fetchone()[0]


def test_a_second_user_attaches_to_running_servers(data, owner):
    second = Servers(data, redis=False)
    assert second.start() is False
    assert second.children == []
    second.stop()
    remember(data, "still there")


def test_the_owner_waits_for_the_others(data, owner):
    second = Servers(data, redis=False)
    second.start()
    stopping = threading.Thread(target=owner.stop, kwargs={"wait_for_others": True})
    stopping.start()
    remember(data, "while the owner waits")
    assert stopping.is_alive()
    second.stop()
    stopping.join(20)
    assert not stopping.is_alive()
    assert owner.children == []


def test_a_killed_postgres_keeps_what_was_committed(data):
    servers = Servers(data, redis=False, durable=False)
    servers.start()
    remember(data, "before the crash")
    for _, child in servers.children:
        child.kill()
        child.wait()
    servers.stop()
    again = Servers(data, redis=False, durable=False)
    again.start()
    try:
        assert recall(data) == "before the crash"
    finally:
        again.stop()


def test_a_pid_file_that_names_a_stranger_is_dealt_with(data, owner):
    owner.stop()
    (data / "postgres-18" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data / 'postgres-18'}\n0\n5432\n\n\n"
    )
    assert owner.start() is True


def test_a_server_that_died_is_started_again(data, owner):
    _, child = owner.children[0]
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert owner.revive() == ["Postgres"]
    assert owner.revive() == []


def test_a_socket_folder_of_someone_else_is_refused(data):
    sockets = places.socket_dir(data)
    sockets.parent.mkdir(exist_ok=True)
    sockets.symlink_to("/tmp")
    try:
        with pytest.raises(EmbeddedError, match="belongs to someone else"):
            Servers(data, redis=False).start()
    finally:
        sockets.unlink()


def test_two_folders_have_two_databases(data, owner, tmp_path):
    assert places.socket_dir(data) != places.socket_dir(tmp_path / "another")


def test_a_slow_statement_is_logged_without_the_question_in_it(data, owner):
    with psycopg.connect(places.bundled_database_url(data)) as link:
        link.execute("SET log_min_duration_statement = 0")
        link.execute("SELECT 'statement', %s::text", ["a question"])
    log = (data / "logs" / "postgres.log").read_text()
    assert "SELECT 'statement', $1" in log
    assert "a question" not in log


def test_a_log_that_grows_large_begins_anew_under_who_writes_it(tmp_path):
    log = tmp_path / "web-1.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * (LOG_LIMIT + 1))
        shorten_logs(tmp_path)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "web-1.log.1").stat().st_size == LOG_LIMIT + 1


def test_what_postgres_died_of_is_told_and_not_what_it_told_who_asked(tmp_path):
    log = tmp_path / "postgres.log"
    log.write_text(
        "of an earlier start\n"
        '[7] FATAL:  could not write to file "pg_wal/xlogtemp.7": No space left on device\n'
        "[9] FATAL:  the database system is not yet accepting connections\n"
        "[9] DETAIL:  Consistent recovery state has not been yet reached.\n"
        "[1] LOG:  database system is shut down\n"
    )
    assert last_error(log, 20).endswith("No space left on device")

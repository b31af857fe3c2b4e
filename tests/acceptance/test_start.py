"""`manage.py up`, from nothing, as a newcomer meets it."""

import json
import os
import signal
import socket
import subprocess
from urllib.request import Request, urlopen

import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from qa_site import places
from qa_site.embedded import Servers
from tests.acceptance.stack import Stack, data_folder, manage
from tests.conftest import DATA
from tests.unit.test_deploy import EXPRESSIONS, series_in

QUESTION = "How many days of annual leave do I get?"


def url_of(database):
    return f"postgresql://postgres@/{database}?host={places.socket_dir(DATA)}"


@pytest.fixture(scope="module")
def first_start():
    """A first start in a folder with a space in its path: what it printed, an answer, and what a stop left."""
    with data_folder() as data:
        stack = Stack(data)
        printed = list(stack.lines)
        answer = manage("ask", QUESTION, "--json", "--data", str(data))
        left = stack.end()
        yield data, printed, answer, left


@pytest.fixture(scope="module")
def data(first_start):
    return first_start[0]


@pytest.fixture(scope="module")
def second_start(data):
    stack = Stack(data)
    yield stack
    stack.end()


@pytest.fixture(scope="module")
def neighbour():
    """Another, on data of its own."""
    with data_folder() as data:
        stack = Stack(data, "--no-sample")
        yield stack
        stack.end()


def test_the_first_start_ends_in_ready(first_start):
    _, printed, _, _ = first_start
    assert any("User: admin" in line for line in printed)
    assert printed[-1].startswith("Ready: http://127.0.0.1:")
    assert len(printed) <= 6


def test_the_sample_handbook_answers_with_its_source(first_start):
    _, _, answer, _ = first_start
    assert answer.returncode == 0, answer.stderr
    frames = {frame["type"]: frame for frame in map(json.loads, answer.stdout.splitlines())}
    cited = {passage["n"]: passage for passage in frames["citations"]["passages"]}
    assert "25 days" in frames["done"]["html"]
    assert "Annual leave" in {cited[n]["title"] for n in frames["done"]["cited"]}


def test_a_stop_leaves_no_process(first_start):
    _, _, _, left = first_start
    assert left == []


def test_a_command_brings_the_servers_along_when_nothing_runs(data):
    done = manage("ask", QUESTION, "--data", str(data))
    assert "25 days" in done.stdout, done.stderr
    assert not [
        process for process in psutil.process_iter(["cmdline"]) if str(data) in str(process.info["cmdline"])
    ]


@pytest.mark.parametrize(
    ("line", "child"), [("Citefirst, with its data", "/initdb"), ("The library is empty", "manage.py sample")]
)
def test_ctrl_c_in_the_middle_of_a_first_start_just_stops_it(line, child):
    """It goes to all that the terminal has started: to what makes the database, and to what adds the sample."""
    with data_folder() as data:
        stack = Stack(data, until=line, start_new_session=True)
        while not stack.running(child):
            with pytest.raises(subprocess.TimeoutExpired):  # it goes on
                stack.process.wait(0.05)
        family = stack.family()
        os.killpg(stack.process.pid, signal.SIGINT)
        rest = stack.process.communicate(timeout=60)[0].splitlines()
        _, left = psutil.wait_procs(family, timeout=20)
    assert (stack.process.returncode, left) == (0, [])
    assert rest[-1] == "Stopping ..."
    assert not any(line.startswith("Ready") or "could not" in line or "cannot" in line for line in rest)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_it_waits_for_another_command(number):
    with data_folder() as data:
        other = Servers(data, redis=False, durable=False)
        other.start()
        stack = Stack(data, until="waiting until it is done")
        stack.process.send_signal(number)
        rest = stack.process.communicate(timeout=20)[0].splitlines()
        other.stop()
    assert stack.process.returncode == 0
    assert rest == ["Stopping ..."]


def test_a_second_start_finds_what_the_first_left(second_start):
    assert not any("User: admin" in line or "sample" in line for line in second_start.lines)
    assert "25 days" in manage("ask", QUESTION, "--data", str(second_start.data)).stdout


def test_a_scrape_has_each_series_that_alerts_and_dashboard_ask_for(second_start):
    """By the names and labels that they use. Without a model there are no calls to limit."""
    token = manage("createtoken", "admin", "--data", str(second_start.data)).stdout.split()[-1]
    manage("ask", QUESTION, "--data", str(second_start.data))
    asked = Request(f"{second_start.url}/api/v1/ask", json.dumps({"question": QUESTION}).encode())
    scraped = Request(f"{second_start.url}/metrics")
    for request in (asked, scraped):
        request.add_header("Authorization", f"Bearer {token}")
    asked.add_header("Content-Type", "application/json")
    urlopen(asked, timeout=30).close()
    with urlopen(scraped, timeout=30) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    labels = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    missing = {
        (metric, label)
        for expression in EXPRESSIONS
        for metric, wanted in series_in(expression)
        for label in [None, *wanted]
        if metric not in labels or (label and label not in labels[metric])
    }
    assert {metric for metric, _ in missing} <= {"qa_concurrency_limit"}


def test_a_killed_web_process_is_started_again(second_start):
    (web,) = second_start.running("qa_site.serve")
    web.kill()
    assert "SIGKILL" in second_start.wait_for("web-1 ended")
    assert second_start.status("/accounts/login/") == 200  # the socket is the parent's: the request waits


def test_a_web_process_that_is_told_to_stop_leaves_its_answers_to_the_others_at_once(second_start):
    """They go by a sign of life in Redis, which would last for seconds more."""
    manage("ask", QUESTION, "--data", str(second_start.data))
    urlopen(f"{second_start.url}/readyz", timeout=30).close()
    (web,) = second_start.running("qa_site.serve")
    signs = f"citefirst:alive:*:{web.pid}:*"
    with Redis.from_url(places.bundled_redis_url(second_start.data)) as redis:
        assert redis.keys(signs)
        web.terminate()
        second_start.wait_for("web-1 ended")
        assert redis.keys(signs) == []


def test_what_a_killed_web_process_was_at_is_finished_though_nobody_asks(second_start):
    manage("ask", QUESTION, "--data", str(second_start.data))
    (web,) = second_start.running("qa_site.serve")
    web.kill()
    second_start.wait_for("web-1 ended")
    left = "UPDATE answering_run SET status = 'running', owner = 'gone', events = '[]'"
    with psycopg.connect(places.bundled_database_url(second_start.data), autocommit=True) as link:
        link.execute(f"{left} WHERE id = (SELECT id FROM answering_run ORDER BY created_at DESC LIMIT 1)")
        finished = (
            link.execute("SELECT pg_sleep(0.1), bool_and(status = 'done') FROM answering_run").fetchone()[1]
            for _ in range(300)
        )
        assert any(finished)


def test_two_run_side_by_side(second_start, neighbour):
    assert second_start.url != neighbour.url
    assert second_start.status("/healthz") == neighbour.status("/healthz") == 200


def test_a_second_one_on_the_same_data_is_refused(neighbour):
    refused = manage("up", "--port", "0", "--data", str(neighbour.data))
    assert refused.returncode == 2
    assert f"already runs with the data in {neighbour.data}" in refused.stderr


def test_a_killed_up_leaves_no_process_and_the_next_start_works(neighbour):
    assert neighbour.end(signal.SIGKILL) == []
    neighbour.start()
    assert not any("User: admin" in line for line in neighbour.lines)
    assert neighbour.end(signal.SIGINT) == []


def test_it_starts_on_servers_of_the_operators_own(tmp_path, servers):
    """Both from settings, and a data folder that is not there yet."""
    with psycopg.connect(url_of("postgres"), autocommit=True) as link:
        link.execute("CREATE DATABASE own_servers")
    urls = {"DATABASE_URL": url_of("own_servers"), "REDIS_URL": places.bundled_redis_url(DATA)}
    asked_early = manage("ask", QUESTION, "--data", str(tmp_path / "data"), **urls)
    stack = Stack(tmp_path / "data", "--no-sample", **urls)
    assert stack.status("/readyz") == 200
    assert stack.end() == []
    assert asked_early.returncode == 2
    assert asked_early.stderr.startswith("The database of DATABASE_URL is empty.")


def test_a_port_in_use_is_named_with_the_option_to_change_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = manage("up", "--port", str(port), "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr


def test_a_command_that_is_interrupted_says_so_in_a_word(second_start):
    # Whoever runs the tests in the background has them started with Ctrl-C switched off.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import os, signal; {heard}; os.kill(os.getpid(), signal.SIGINT)"
    done = manage("shell", "-v0", "-c", code, "--data", str(second_start.data))
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_a_bad_setting_stops_the_start_with_one_line():
    done = manage("up", QUOTA_PER_MINUTE="many")
    assert done.returncode == 2
    assert (
        done.stderr
        == "QUOTA_PER_MINUTE='many' cannot be used: it must be a whole number from 0 to 1000000.\n"
    )
    assert done.stdout == ""

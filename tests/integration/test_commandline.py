"""What commands say when something outside of them fails, or what they are told is a slip."""

import os
import re
import socket
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from answering.upstream import SimulatedUpstream
from retrieval.embeddings.factory import configured
from tests.acceptance.stack import ROOT
from tests.integration.asking import QUESTION, make_cast
from tests.servers import beside

MANAGE = [sys.executable, str(ROOT / "manage.py")]
ENDED = """
from django.db import connection
connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
"""


def test_a_reader_who_has_enough_is_no_error():
    """As behind `| head`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        done = subprocess.run([*MANAGE, "help"], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")


SHOWN = (
    "from django.core.management.base import OutputWrapper; import sys; OutputWrapper(sys.stdout).write('{}')"
)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_cannot_show_a_word_shows_the_others(transactional_db, encoding):
    """A file's name can be what no encoding has."""
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    shell = [*MANAGE, "shell", "-v", "0", "-c", SHOWN.format("vier \\u6f22 \\udcff da")]
    done = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).split()[::3] == ["vier", "da"]


@pytest.mark.parametrize("spelling", ["version", "--version", "ask --version", "up --port 1 --version"])
def test_the_version_is_our_own(spelling):
    done = subprocess.run([*MANAGE, *spelling.split()], cwd=ROOT, capture_output=True, text=True)
    assert re.fullmatch(r"Citefirst \d+\.\d+\.\d+ \(Django \S+\)\n", done.stdout)


def test_a_command_that_loses_postgres_says_so_in_a_line(transactional_db):
    done = subprocess.run(
        [*MANAGE, "shell", "-v", "0", "-c", ENDED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Postgres went away (terminating connection")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("ANSWER_MODEL", "OPENAI_API_KEY or OPENAI_BASE_URL"),
        ("FAST_MODEL", "OPENAI_API_KEY or OPENAI_BASE_URL"),
        ("FALLBACK_MODEL", "FALLBACK_BASE_URL or FALLBACK_API_KEY"),
        ("EMBEDDING_MODEL", "EMBEDDING_API_KEY or EMBEDDING_BASE_URL"),
    ],
)
def test_a_model_without_its_server_stops_the_start(name, needed):
    done = subprocess.run(
        [*MANAGE, "check"], cwd=ROOT, env={**os.environ, name: "some"}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"{name}='some' cannot be used: it must be used together with {needed}.\n"


@pytest.mark.parametrize("name", ["", "nobody"])
def test_who_is_nobody_does_not_ask_as_a_superuser(transactional_db, django_user_model, name):
    make_cast()
    django_user_model.objects.create_superuser("admin")
    with pytest.raises(CommandError, match=f"no active user '{name}'"):
        call_command("ask", "What is Project Nightjar?", user=name)


def test_a_question_leaves_no_connection_to_an_embedding_server_open(
    transactional_db, django_user_model, settings, tmp_path
):
    settings.LEXICAL_DIR = tmp_path
    with beside(SimulatedUpstream()) as upstream:
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = upstream.base_url, "simulated"
        settings.HAS_REMOTE_EMBEDDER = True
        make_cast()
        django_user_model.objects.create_superuser("admin")
        embedder = configured()
        told = StringIO()
        call_command("ask", *QUESTION.split(), stdout=told)  # as words
    assert "annual leave" in told.getvalue()
    assert embedder.client.is_closed()


def test_an_upstream_whose_port_is_taken_says_so():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(CommandError, match="already in use"):
        call_command("upstream", port=other.getsockname()[1])


def test_an_upstream_whose_port_is_none_says_so():
    with pytest.raises(CommandError, match="0 to 65535"):
        call_command("upstream", port=70000)

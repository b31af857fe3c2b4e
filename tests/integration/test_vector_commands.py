from pathlib import Path

import numpy as np
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from retrieval import partitions, tasks
from retrieval.embeddings.factory import configured
from tests.library import Library

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def library(database_url, transactional_db):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Library(connection)


def active(library):
    with library.connection.cursor() as cursor:
        return [model.name for model in partitions.models(cursor) if model.state == "active"]


def test_reindex_embeddings_switches_to_the_model_of_the_settings(library, capsys):
    library.add(library.collection("handbook"), 3)
    call_command("reindex", "--embeddings", verbosity=0)
    assert active(library) == [configured().name]
    assert "3 vectors made" in capsys.readouterr().out


def test_the_task_does_the_same_in_the_background(library):
    library.add(library.collection("handbook"), 3)
    tasks.complete_vectors()
    assert active(library) == [configured().name]


def test_reindex_drops_the_lexical_folder(capsys):
    folder = Path(settings.LEXICAL_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    call_command("reindex")
    assert not folder.exists()


def test_maintain_says_what_it_did(library, capsys):
    library.add(library.collection("handbook"), 3)
    call_command("maintain", "--rebuild")
    assert "0 made, 0 dropped" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "documents"
    path.mkdir()
    (path / "a.md").write_text("A sentence about annual leave and its days. " * 40)
    return path


def test_generate_fills_an_empty_library_and_refuses_another(folder, tmp_path, library, capsys):
    vectors = tmp_path / "vectors.npy"
    call_command("generate", "--chunks", "200", "--from", str(folder), "--vectors", str(vectors), verbosity=0)
    assert "200 chunks in 20 collections" in capsys.readouterr().out
    assert np.load(vectors).shape[1] == 384
    assert library.count("retrieval_chunk") == library.count("retrieval_embedding") == 200
    with pytest.raises(CommandError, match="empty data folder"):
        call_command(
            "generate", "--chunks", "9", "--from", str(folder), "--vectors", str(vectors), verbosity=0
        )


def test_generate_embeds_nothing_for_a_library_that_has_documents(folder, tmp_path, library):
    call_command("generate", "--chunks", "9", "--from", str(folder), verbosity=0)
    vectors = tmp_path / "vectors.npy"
    with pytest.raises(CommandError, match="empty data folder"):
        call_command(
            "generate", "--chunks", "9", "--from", str(folder), "--vectors", str(vectors), verbosity=0
        )
    assert not vectors.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--chunks", "0"], "must be 1 or more"),
        (["--chunks", "9", "--collections", "0"], "must be 1 or more"),
        (["--chunks", "99", "--passages", "0"], "must be 1 or more"),
        (["--chunks", "99", "--vectors", __file__], "no file of vectors"),
        (["--chunks", "99", "--vectors", "nowhere/a.npy"], "no such folder"),
    ],
)
def test_generate_says_what_it_cannot_do(folder, arguments, says):
    (folder / "gone.md").symlink_to(folder / "nowhere")
    with pytest.raises(CommandError, match=says):
        call_command("generate", "--from", str(folder), *arguments, verbosity=0)


def test_generate_divides_a_few_chunks_equally(folder, library):
    call_command("generate", "--chunks", "9", "--from", str(folder), verbosity=0)
    assert library.count("retrieval_chunk") == 9


def test_generate_needs_documents_to_draw_from(tmp_path):
    with pytest.raises(CommandError, match=r"no \.md or \.txt"):
        call_command("generate", "--chunks", "10", "--from", str(tmp_path))

"""`manage.py evaluate` with the real Postgres, index and embedding model, on a set of four documents."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from retrieval import scratch
from retrieval.access import scope_for
from retrieval.embeddings.factory import configured
from retrieval.evaluation import read_set
from retrieval.models import Chunk, Collection, Document

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = {
    "leave": "Every employee gets 25 days of annual leave a year.",
    "parking": "Cars may be parked behind the building for free.",
    "laptops": "A new laptop is ordered from the service desk.",
    "canteen": "Lunch is served in the canteen from noon.",
}
QUESTIONS = {"leave": "How many days of annual leave do I get?", "parking": "Where can I leave my vehicle?"}


@pytest.fixture
def folder(tmp_path):
    corpus = [{"_id": key, "title": "Handbook", "text": text} for key, text in TEXTS.items()]
    queries = [{"_id": f"q-{key}", "text": text} for key, text in QUESTIONS.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    lines = [f"q-{key}\t{key}\t1" for key in QUESTIONS]
    (tmp_path / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return tmp_path


def left_behind() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM retrieval_embedding")
        vectors = cursor.fetchone()[0]
    return Collection.objects.count() + Document.objects.count() + Chunk.objects.count() + vectors


def test_three_rankings_are_measured_and_nothing_is_left(folder):
    out = StringIO()
    call_command("evaluate", str(folder), "--json", stdout=out)
    result = json.loads(out.getvalue())
    assert set(result) == {"lexical", "vector", "fused"}
    assert set(result["fused"]) == {"ndcg", "recall", "mrr", "p50_ms", "p99_ms"}
    assert result["fused"]["recall"] == 1.0
    assert left_behind() == 0


def test_the_table_names_the_legs(folder):
    out = StringIO()
    call_command("evaluate", str(folder), "--k", "3", stdout=out)
    assert "nDCG@3" in out.getvalue()
    assert "fused" in out.getvalue()


def test_a_folder_that_is_no_set_is_named(tmp_path):
    with pytest.raises(CommandError, match="not a retrieval set"):
        call_command("evaluate", str(tmp_path))


def test_an_interrupted_evaluation_leaves_nothing(folder):
    held: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(folder, held)
    assert held[0] > 0
    assert left_behind() == 0


def interrupted(folder, held: list[int]) -> None:
    with scratch.loaded(read_set(folder), configured(), lambda done, of: None):
        held.append(left_behind())
        raise KeyboardInterrupt


def test_what_a_killed_evaluation_left_goes_at_the_next_start(folder):
    Collection.objects.create(slug="scratch-old", scratch=True)
    kept = Collection.objects.create(slug="people")
    scratch.clear_abandoned()
    assert list(Collection.objects.all()) == [kept]


def test_nobody_reads_a_scratch_collection():
    Collection.objects.create(slug="scratch-new", scratch=True)
    assert not scope_for(User.objects.create_superuser("root"))

"""`manage.py evaluate` with the real Postgres, index and embedding model, on a set of four documents."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from answering.upstream import SimulatedUpstream
from retrieval import scratch
from retrieval.access import scope_for
from retrieval.embeddings.factory import configured
from retrieval.evaluation import Figures, read_set
from retrieval.management.commands.evaluate import verdict
from retrieval.models import Chunk, Collection, Document
from tests.servers import beside

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


def test_words_are_stemmed_in_the_language_that_is_named(folder):
    (folder / "corpus.jsonl").write_text('{"_id": "leave", "text": "Freundlichkeiten zählen hier viel."}')
    (folder / "queries.jsonl").write_text('{"_id": "q-leave", "text": "Ist man freundlich?"}')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq-leave\tleave\t1")

    def recall(*options: str) -> float:
        out = StringIO()
        call_command("evaluate", str(folder), "--json", *options, stdout=out)
        return json.loads(out.getvalue())["lexical"]["recall"]

    assert [recall(), recall("--language", "de")] == [0.0, 1.0]
    with pytest.raises(CommandError, match="xx"):
        recall("--language", "xx")


def test_a_folder_that_is_no_set_is_named(tmp_path):
    with pytest.raises(CommandError, match="not a retrieval set"):
        call_command("evaluate", str(tmp_path))


@pytest.mark.parametrize("row", ["[1]", "7", '"text"', "{}", "{"])
def test_a_row_that_is_no_document_makes_no_set(folder, row):
    (folder / "corpus.jsonl").write_text(row)
    with pytest.raises(CommandError, match="not a retrieval set"):
        call_command("evaluate", str(folder))


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


@pytest.fixture
def upstream():
    with beside(SimulatedUpstream(rerank="fixed:1")) as started:
        yield started


@pytest.fixture
def reranker(upstream, settings):
    settings.RERANK_BASE_URL = upstream.base_url
    return upstream


def test_a_reranker_is_measured_beside_the_fusion(folder, reranker):
    out = StringIO()
    call_command("evaluate", str(folder), "--rerank", stdout=out)
    rows = [line.split()[0] for line in out.getvalue().splitlines()[2:]]
    assert rows == ["lexical", "vector", "fused", "reranked", "The"]
    assert "RERANK_BASE_URL" in out.getvalue().splitlines()[-1]
    assert len(reranker.recent) == len(QUESTIONS)
    assert left_behind() == 0


def test_no_connection_to_an_embedding_server_is_left_open(folder, upstream, settings):
    settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = upstream.base_url, "simulated"
    settings.HAS_REMOTE_EMBEDDER = True
    embedder = configured()
    call_command("evaluate", str(folder), "--json", stdout=StringIO())
    assert upstream.tally.calls["embedding"]
    assert embedder.client.is_closed()


def test_without_a_reranker_there_is_none_to_measure(folder):
    with pytest.raises(CommandError, match="RERANK_BASE_URL"):
        call_command("evaluate", str(folder), "--rerank")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.80, 0.82, "gains 2.0 points of nDCG@10 here, for 60 ms a question: set RERANK_BASE_URL"),
        (
            0.82,
            0.80,
            "loses 2.0 points of nDCG@10 here and takes 60 ms a question: leave RERANK_BASE_URL unset",
        ),
        (0.82, 0.82, "changes nothing here and takes 60 ms a question: leave RERANK_BASE_URL unset"),
    ],
)
def test_the_verdict_says_what_to_do(before, after, said):
    fused, reranked = (Figures(ndcg, 1.0, 1.0, ms, ms) for ndcg, ms in ((before, 10.0), (after, 70.0)))
    assert said in verdict(fused, reranked, 10)

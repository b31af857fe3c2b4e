import math
from pathlib import Path

import pytest

from retrieval.evaluation import (
    BadSet,
    Query,
    Source,
    by_best_chunk,
    figures,
    ndcg,
    read_set,
    recall,
    reciprocal_rank,
)
from retrieval.passages import Hit, Ranking

WANTED = frozenset({"a", "b"})


def test_ndcg_is_one_for_the_best_order_and_less_for_others():
    assert ndcg(["a", "b", "x"], WANTED, 10) == pytest.approx(1.0)
    expected = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ndcg(["a", "x", "b"], WANTED, 10) == pytest.approx(expected)
    assert ndcg(["x"], WANTED, 10) == 0.0


def test_only_the_first_k_count():
    assert recall(["x", "a", "b"], WANTED, 2) == 0.5
    assert reciprocal_rank(["x", "a"], WANTED, 1) == 0.0
    assert reciprocal_rank(["x", "a"], WANTED, 2) == 0.5


def test_a_document_stands_where_its_best_chunk_stands():
    ranking = Ranking("fused", tuple(Hit(chunk, 1.0) for chunk in (3, 1, 4, 2)))
    assert by_best_chunk(ranking, {1: "a", 2: "b", 3: "b", 4: "a"}) == ["b", "a"]


def test_figures_are_means_with_percentiles():
    queries = [Query("one", frozenset({"a"})), Query("two", frozenset({"b"}))]
    row = figures([["a"], ["x"]], queries, [1.0, 3.0], 10)
    assert (row.ndcg, row.recall, row.mrr, row.p99_ms) == (0.5, 0.5, 0.5, 3.0)


def write(folder, corpus: str, queries: str, qrels: str) -> None:
    (folder / "corpus.jsonl").write_text(corpus)
    (folder / "queries.jsonl").write_text(queries)
    (folder / "qrels.tsv").write_text(qrels)


def test_a_set_is_read_without_questions_that_nothing_answers(tmp_path):
    queries = '{"_id": "q", "text": "Leave?"}\n{"_id": "r", "text": "Other?"}'
    write(
        tmp_path,
        '{"_id": "d", "title": "T", "text": "Leave"}',
        queries,
        "query-id\tcorpus-id\tscore\nq\td\t1\nr\td\t0\n",
    )
    labelled = read_set(tmp_path)
    assert labelled.queries == (Query("Leave?", frozenset({"d"})),)
    assert [piece.text for piece in labelled.sources[0].chunks()] == ["Leave"]


@pytest.mark.parametrize("title", ["handbook.md", ""])
def test_the_first_heading_of_a_document_stays_beside_another_title(title):
    pieces = Source("d", title, "# Parental leave\n\nSixteen weeks.").chunks()
    assert [(piece.heading, piece.text) for piece in pieces] == [("Parental leave", "Sixteen weeks.")]


@pytest.mark.parametrize("title", ["Parental leave", r"Parental\-Leave"])
def test_the_first_heading_of_a_document_is_not_said_twice(title):
    pieces = Source("d", title, "# Parental leave\n\nSixteen weeks.").chunks()
    assert [(piece.heading, piece.text) for piece in pieces] == [("", "Sixteen weeks.")]


@pytest.mark.parametrize("corpus", ["", "not json", '{"title": "no id"}'])
def test_a_folder_that_is_no_set_is_refused(tmp_path, corpus):
    write(tmp_path, corpus, "", "h\n")
    with pytest.raises(BadSet):
        read_set(tmp_path)
    with pytest.raises(BadSet):
        read_set(tmp_path / "missing")


def test_a_folder_that_is_no_set_is_told_what_it_lacks(tmp_path):
    with pytest.raises(BadSet, match=r"is not a retrieval set: no corpus\.jsonl in it"):
        read_set(tmp_path)
    with pytest.raises(BadSet, match=r"is not a retrieval set: it is not a folder"):
        read_set(Path(__file__))

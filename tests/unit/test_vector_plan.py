"""How a vector search is planned for a library of a million chunks."""

from dataclasses import replace

import numpy as np

from retrieval.access import AccessScope
from retrieval.partitions import Model
from retrieval.vector_plan import Layout, lanes, plan, scannable, statement

MODEL = Model(1, "model", 4, "active")


def layout(rows, copies=()):
    return Layout(MODEL, dict(enumerate(rows)), {pk: 100 + pk for pk in copies}, 0.0)


def scope(*collections):
    return AccessScope(frozenset(collections))


SKEWED = layout([500_000, 200_000, 200_000, 50_000, 40_000, 9_500, 500], copies=range(1, 6))


def test_who_may_read_everything_is_served_by_the_index_over_everything():
    (search,) = plan(SKEWED, scope(*range(7)))
    assert search.table == MODEL.table
    assert search.ef


def test_who_may_read_one_collection_is_served_by_its_copy():
    (search,) = plan(SKEWED, scope(3))
    assert (search.table, search.collections) == ("retrieval_embeddingcopy_103", (3,))
    assert search.ef


def test_a_small_collection_is_scanned_exactly():
    (search,) = plan(SKEWED, scope(6))
    assert (search.table, search.ef) == (MODEL.table, None)


def test_a_scan_in_place_of_a_graph_keeps_to_the_scope():
    assert {pk for search in scannable(SKEWED, scope(4, 6)) for pk in search.collections} == {4, 6}
    assert scannable(SKEWED, scope(0, 6)) == []  # it would take too long


def test_a_longer_exact_scan_is_divided():
    searches = plan(layout([900] * 10 + [1_000_000]), scope(*range(10)))
    assert [len(search.collections) for search in searches] == [5, 5]
    assert [search.ef for search in searches] == [None, None]


def test_small_collections_are_scanned_beside_the_copies_of_larger_ones():
    searches = plan(SKEWED, scope(5, 6))
    assert {(search.collections, bool(search.ef)) for search in searches} == {((5,), True), ((6,), False)}


def test_every_allowed_collection_is_searched_and_no_other_whatever_the_scope():
    random = np.random.default_rng(1)
    many = layout(random.integers(1, 5000, 300).tolist(), copies=range(0, 300, 3))
    for _ in range(200):
        chosen = random.choice(320, random.integers(1, 320), replace=False).tolist()
        searches = plan(many, scope(*chosen))
        covered = [pk for search in searches for pk in search.collections]
        assert sorted(covered) == sorted(chosen)


def test_a_little_of_a_large_library_is_never_filtered_out_of_the_index_over_everything():
    many = layout([2000] * 500, copies=range(500))
    assert all(search.table != MODEL.table for search in plan(many, scope(*range(45))))
    assert [search.table for search in plan(many, scope(*range(400)))] == [MODEL.table]


def test_the_more_is_dropped_the_more_candidates_are_asked_for():
    (half,) = plan(layout([500_000, 500_000]), scope(0))
    (everything,) = plan(layout([500_000, 500_000]), scope(0, 1))
    assert half.ef > everything.ef


def test_a_graph_in_halves_is_searched_in_two_lanes():
    halved = replace(SKEWED, halved=frozenset({MODEL.table, "retrieval_embeddingcopy_101"}))
    for chosen in (scope(*range(7)), scope(1)):
        (one, other) = searches = plan(halved, chosen)
        (whole,) = plan(SKEWED, chosen)
        assert {one.table, other.table} == {whole.table}
        assert {one.half, other.half} == {0, 1}
        assert one.ef == other.ef < whole.ef / 2
        assert [len(lane) for lane in lanes(searches)] == [1, 1]
        assert f"(chunk_id & 1) = {one.half}" in statement([one], 4, np.ones(4, np.float32) / 2, 10)


def test_a_graph_goes_on_looking_where_candidates_may_not_be_allowed_or_are_few():
    question = np.ones(4, np.float32) / 2
    scans = {
        (chosen, k): "iterative_scan = relaxed_order" in statement(plan(SKEWED, chosen), 4, question, k)
        for chosen in (scope(*range(7)), scope(0, 1, 2, 3, 4), scope(1))
        for k in (10, 300)
    }
    assert scans == {
        (scope(*range(7)), 10): False,
        (scope(*range(7)), 300): False,
        (scope(0, 1, 2, 3, 4), 10): True,
        (scope(0, 1, 2, 3, 4), 300): True,
        (scope(1), 10): False,
        (scope(1), 300): True,
    }


def test_an_empty_scope_is_not_searched():
    assert plan(SKEWED, scope()) == []


def test_searches_are_dealt_out_evenly():
    searches = plan(layout([2000] * 500, copies=range(500)), scope(*range(10)))
    assert sorted(len(lane) for lane in lanes(searches, 2)) == [5, 5]
    assert lanes(searches[:1], 2) == [searches[:1]]


def test_a_statement_names_the_scope_in_each_of_its_branches():
    searches = plan(SKEWED, scope(5, 6))
    sql = statement(searches, 4, np.ones(4, np.float32) / 2, 10)
    assert sql.count("collection_id = ANY") == 2
    reading = statement(searches, 4, np.ones(4, np.float32) / 2, 10, read=3)
    assert reading.count("collection_id = ANY") == 3
    assert "'{5}'" in sql
    assert "'{6}'" in sql

import threading

import numpy as np
import psycopg
import pytest

from retrieval import database, graphs, maintenance, partitions, synthetic
from retrieval.access import AccessScope
from retrieval.vectors import VectorIndex
from tests.library import Library

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def library(database_url, transactional_db):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Library(connection)


@pytest.fixture
def generated(database_url, transactional_db):
    """Three collections: a small one, one that is worth a copy, and one that is most of the library."""
    base = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    with psycopg.connect(database_url, autocommit=True) as connection:
        made = synthetic.Generator(
            connection, "test-model", base, ["One sentence.", "Two."], 0.6, np.random.default_rng(2)
        )
        list(made.load([100, 1000, 1800]))
        yield connection


def copies(connection):
    return connection.execute(
        "SELECT count(*) FROM retrieval_embeddingcopy c JOIN retrieval_collection l ON l.id = c.collection_id"
    ).fetchone()[0]


def test_collections_of_middling_size_have_a_copy(generated):
    (name,) = generated.execute(
        "SELECT l.name FROM retrieval_embeddingcopy c JOIN retrieval_collection l ON l.id = c.collection_id"
    ).fetchone()
    assert name == "Synthetic 1"


def test_tidying_twice_changes_nothing(generated):
    assert maintenance.tidy(generated) == maintenance.Tidied(0, 0, 0)


def test_a_collection_that_shrank_loses_its_copy(generated):
    generated.execute(
        "DELETE FROM retrieval_chunk WHERE collection_id IN (SELECT collection_id FROM retrieval_embeddingcopy)"
    )
    assert maintenance.tidy(generated).dropped == 1
    assert copies(generated) == 0


def test_tables_of_a_killed_maintainer_are_dropped(generated):
    with generated.cursor() as cursor:
        partitions.create_table(cursor, "retrieval_embeddingcopy_99999")
    maintenance.tidy(generated)
    assert "retrieval_embeddingcopy_99999" not in maintenance.tables(generated)


def test_a_model_is_dropped_a_day_after_it_retired(generated):
    generated.execute(
        "UPDATE retrieval_embeddingmodel SET state = 'retired', retired_at = now() - '1 hour'::interval"
    )
    assert maintenance.tidy(generated).models == 0
    generated.execute("UPDATE retrieval_embeddingmodel SET retired_at = now() - '25 hours'::interval")
    assert maintenance.tidy(generated).models == 1
    assert maintenance.tables(generated) == []


def test_indexes_are_rebuilt_and_tables_vacuumed_in_use(generated):
    for table in maintenance.tables(generated):
        graphs.rebuild(generated, table)
        maintenance.vacuum(generated, table)
    valid = generated.execute(
        "SELECT bool_and(i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relname LIKE 'retrieval_embedding%hnsw'"
    ).fetchone()
    assert valid == (True,)


def test_a_graph_that_has_grown_is_divided_in_use(generated):
    (table, *_) = [name for name in maintenance.tables(generated) if "copy" not in name]
    assert not maintenance.divide(generated, table, 8, least=2901, patience=0)
    assert maintenance.divide(generated, table, 8, least=2900, patience=0)
    assert sorted(graphs.names(generated, table)) == [f"{table}_hnsw0", f"{table}_hnsw1"]
    assert not maintenance.divide(generated, table, 8, least=2900, patience=0)


def test_graphs_are_rebuilt_as_dense_as_new_ones(generated):
    def options():
        return generated.execute(
            "SELECT relname, reloptions FROM pg_class WHERE relname ~ '_hnsw[01]?$' ORDER BY 1"
        ).fetchall()

    (table, *_) = [name for name in maintenance.tables(generated) if "copy" not in name]
    maintenance.divide(generated, table, 8, least=2900, patience=0)
    new = options()
    for name in (name for each in maintenance.tables(generated) for name in graphs.names(generated, each)):
        generated.execute(f"ALTER INDEX {name} SET (ef_construction = 32)")
    assert options() != new
    for each in maintenance.tables(generated):
        graphs.rebuild(generated, each)
    assert options() == new


def test_a_graph_is_built_without_workers_where_they_have_too_little_shared_memory(generated):
    (table, *_) = [name for name in maintenance.tables(generated) if "copy" not in name]
    workers = []

    def build():
        workers.append(generated.execute("SHOW max_parallel_maintenance_workers").fetchone())
        # More than any machine has: what workers would share is taken at once, what one process needs as it goes.
        generated.execute("SET maintenance_work_mem = '2000GB'; SET min_parallel_table_scan_size = 0")
        with generated.cursor() as cursor:
            graphs.drop(cursor, *graphs.named(table, halved=True))
            graphs.create(cursor, table, 8, halved=True, concurrently=True)

    usual = generated.execute("SHOW max_parallel_maintenance_workers").fetchone()
    graphs.with_room(generated, table, build)
    assert workers == [usual, ("0",)]
    assert {f"{table}_hnsw0", f"{table}_hnsw1"} < set(graphs.names(generated, table))
    assert generated.execute("SHOW max_parallel_maintenance_workers").fetchone() == usual


async def test_a_divided_graph_finds_what_a_whole_one_does(generated, database_url):
    (table, *_) = [name for name in maintenance.tables(generated) if "copy" not in name]
    rows = generated.execute("SELECT id FROM retrieval_collection").fetchall()
    everything = AccessScope(frozenset(pk for (pk,) in rows))
    question = np.random.default_rng(5).normal(size=8).astype(np.float32)
    question /= np.linalg.norm(question)
    async with database.make_pool(database_url, min_size=2, max_size=4) as pool:
        index = VectorIndex(pool, model="test-model", dimensions=8)
        whole = await index.search(question, everything, 40, timeout=5)
        maintenance.divide(generated, table, 8, least=2900, patience=0)
        halved = await index.read(5)
        divided = await index.search(question, everything, 40, timeout=5)
    assert halved.halved == {table}
    assert len(divided) == 40
    assert len(set(whole.chunks[:10]) & set(divided.chunks[:10])) >= 9


def test_uploads_go_on_while_a_copy_is_made_and_none_is_missing_in_it(library, database_url):
    handbook = library.collection("handbook")
    library.add(handbook, 400)
    stop, begun = threading.Event(), threading.Event()

    def upload():
        with psycopg.connect(database_url, autocommit=True) as connection:
            other = Library(connection)
            other.random = np.random.default_rng(77)
            while not stop.is_set():
                added = other.add(handbook, 5)
                connection.execute("DELETE FROM retrieval_chunk WHERE id = ANY(%s)", [added[:2]])
                begun.set()

    thread = threading.Thread(target=upload)
    thread.start()
    begun.wait(10)
    try:
        library.copy(handbook)
    finally:
        stop.set()
        thread.join()
    (copy_id,) = library.connection.execute("SELECT id FROM retrieval_embeddingcopy").fetchone()
    assert library.count(partitions.copy_table(copy_id)) == library.count("retrieval_embedding")
    assert library.count("retrieval_embedding") == library.count("retrieval_chunk")


def test_a_synthetic_library_is_whole(generated):
    counts = generated.execute(
        "SELECT (SELECT count(*) FROM retrieval_chunk), (SELECT count(*) FROM retrieval_embedding),"
        " (SELECT sum(chunk_count) FROM retrieval_document),"
        " (SELECT count(*) FROM retrieval_chunk c JOIN retrieval_document d ON d.id = c.document_id"
        "  WHERE d.collection_id <> c.collection_id)"
    ).fetchone()
    assert counts == (2900, 2900, 2900, 0)


def test_a_library_that_holds_documents_is_not_filled(generated):
    base = np.eye(8, dtype=np.float32)
    again = synthetic.Generator(
        generated, "test-model", base, ["One sentence."], 0.6, np.random.default_rng(2)
    )
    with pytest.raises(synthetic.NotEmpty):
        list(again.load([10]))

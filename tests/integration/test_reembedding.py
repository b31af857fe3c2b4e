import psycopg
import pytest

from retrieval import database, partitions, reembedding
from retrieval.access import AccessScope
from retrieval.errors import EmbeddingError, VectorError
from retrieval.maintenance import MaintenanceBusy, alone
from retrieval.vectors import VectorIndex
from tests.library import HashEmbedder, Library

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def library(database_url, transactional_db):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Library(connection)


def states(library):
    with library.connection.cursor() as cursor:
        return {model.name: model.state for model in partitions.models(cursor)}


async def search(database_url, embedder, collection, k=50):
    async with database.make_pool(database_url, min_size=1, max_size=2) as pool:
        index = VectorIndex(pool, model=embedder.name, dimensions=embedder.dimensions)
        question = await embedder.embed_query("x", timeout=1)
        return await index.search(question, AccessScope(frozenset({collection.pk})), k, timeout=5)


async def test_the_new_model_takes_over_when_every_chunk_has_its_vector(library, database_url):
    handbook = library.collection("handbook")
    library.add(handbook, 100)
    new = HashEmbedder("new")
    told = []
    assert reembedding.complete(library.connection, new, lambda done, of: told.append((done, of))) == 100
    assert told[0] == (0, 100)
    assert told[-1] == (100, 100)
    assert states(library) == {"test-model": "retired", "new": "active"}
    assert len(await search(database_url, new, handbook)) == 50


async def test_questions_of_the_old_model_are_answered_before_and_after_the_switch(library, database_url):
    handbook = library.collection("handbook")
    library.add(handbook, 70)
    old = HashEmbedder(library.model, library.dimensions)
    with library.connection.cursor() as cursor:
        partitions.ensure_model(cursor, "new", 16)
    assert len(await search(database_url, old, handbook)) == 50
    with pytest.raises(VectorError, match="still being made"):
        await search(database_url, HashEmbedder("new"), handbook)
    reembedding.complete(library.connection, HashEmbedder("new"))
    assert len(await search(database_url, old, handbook)) == 50


def test_work_that_was_stopped_goes_on_where_it_was(library):
    library.add(library.collection("handbook"), 150)
    failing = HashEmbedder("new")

    def fail(texts):
        if failing.embedded:
            raise EmbeddingError("gone")

    failing.before = fail
    with pytest.raises(EmbeddingError):
        reembedding.complete(library.connection, failing)
    assert states(library)["new"] == "building"
    rest = HashEmbedder("new")
    assert reembedding.complete(library.connection, rest) == 150 - len(failing.embedded)
    assert not set(rest.embedded) & set(failing.embedded)


def test_a_turn_ends_in_time_and_the_next_one_goes_on(library):
    library.add(library.collection("handbook"), 10)
    assert reembedding.complete(library.connection, HashEmbedder("new"), seconds=0) == 0
    assert states(library)["new"] == "building"
    assert reembedding.complete(library.connection, HashEmbedder("new"), seconds=60) == 10


async def test_what_is_ingested_with_the_old_model_meanwhile_is_made_good(library, database_url):
    handbook = library.collection("handbook")
    library.add(handbook, 10)
    new = HashEmbedder("new", before=lambda texts: len(library.vectors) < 30 and library.add(handbook, 10))
    assert reembedding.complete(library.connection, new) == 30
    assert len(await search(database_url, new, handbook)) == 30


def test_a_chunk_that_goes_while_it_is_embedded_gets_no_vector(library):
    library.add(library.collection("handbook"), 10)
    new = HashEmbedder("new", before=lambda texts: library.execute("DELETE FROM retrieval_chunk"))
    assert reembedding.complete(library.connection, new) == 0
    assert library.count("retrieval_embedding") == 0


def test_what_is_embedded_has_its_title_and_heading_in_front(library):
    library.add(library.collection("handbook"), 1)
    library.execute("UPDATE retrieval_document SET title = 'Leave'")
    library.execute("UPDATE retrieval_chunk SET heading = 'Carry over'")
    new = HashEmbedder("new")
    reembedding.complete(library.connection, new)
    assert new.embedded[0].startswith("Leave › Carry over\n")


def test_only_one_process_makes_vectors(library, database_url):
    library.add(library.collection("handbook"), 1)
    lock = reembedding.REEMBEDDING_LOCK
    with (
        psycopg.connect(database_url, autocommit=True) as other,
        alone(other, lock),
        pytest.raises(MaintenanceBusy),
    ):
        reembedding.complete(library.connection, HashEmbedder("new"))


def test_a_model_without_vectors_gives_way_at_once(library):
    with library.connection.cursor() as cursor:
        partitions.ensure_model(cursor, "unused", 8)
        partitions.ensure_model(cursor, "new", 16)
    assert states(library) == {"new": "active"}

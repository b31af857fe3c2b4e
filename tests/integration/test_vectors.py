import asyncio

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answering.evidence import Chooser
from qa_site import places
from retrieval import database, partitions, passages
from retrieval.access import AccessScope
from retrieval.errors import VectorError
from retrieval.vectors import VectorIndex, publish, retire
from tests.conftest import DATA
from tests.library import HangingServer, Library

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def library(database_url, transactional_db):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Library(connection)


@pytest.fixture
async def pool(database_url, transactional_db):
    async with database.make_pool(database_url, min_size=2, max_size=4) as pool:
        yield pool


@pytest.fixture
def standing_library(library):
    """Collections of many sizes; those of some hundred chunks have a copy."""
    for place, count in enumerate([1, 5, 20, 50, 100, 200, 300]):
        library.add(library.collection(f"c{place}"), count)
        library.estimate(library.collections[-1], 20 * count)
    for collection in library.collections[4:6]:
        library.copy(collection)
    return library


@pytest.fixture
def hung_server(servers):
    server = HangingServer(str(places.socket_dir(DATA) / ".s.PGSQL.5432"))
    yield server
    server.cut()


@pytest.fixture
def index(pool, library):
    return VectorIndex(pool, model=library.model, dimensions=library.dimensions)


def scope(*collections):
    return AccessScope(frozenset(collection.pk for collection in collections))


async def test_the_nearest_chunks_come_first_with_their_cosine(library, index):
    handbook = library.collection("handbook")
    chunks = library.add(handbook, 200)
    question = library.vector()
    found = await index.search(question, scope(handbook), 10, timeout=5)
    assert found.leg == "vector"
    assert found.chunks == library.nearest(question, [handbook], 10)
    assert found.hits[0].score == pytest.approx(library.cosine(question, found.hits[0].chunk), abs=1e-3)
    assert len(chunks) == 200


async def test_a_chunk_outside_the_scope_is_never_found(library, index):
    mine, theirs = library.collection("mine"), library.collection("theirs")
    library.add(mine, 30)
    (secret,) = library.add(theirs, 1)
    found = await index.search(library.vectors[secret], scope(mine), 50, timeout=5)
    assert len(found) == 30
    assert secret not in found.chunks


async def test_an_empty_scope_finds_nothing(library, index):
    library.add(library.collection("handbook"), 3)
    assert len(await index.search(library.vector(), AccessScope(frozenset()), 10, timeout=5)) == 0


async def test_an_empty_library_finds_nothing(library, index):
    assert len(await index.search(library.vector(), AccessScope(frozenset({1})), 10, timeout=5)) == 0


async def test_what_is_published_is_found_at_once_and_what_is_retired_is_not(library, index):
    handbook = library.collection("handbook")
    library.add(handbook, 5)
    await index.search(library.vector(), scope(handbook), 10, timeout=5)
    new = library.add(handbook, 5)
    found = await index.search(library.vector(), scope(handbook), 10, timeout=5)
    assert set(new) <= set(found.chunks)
    with library.connection.transaction(), library.connection.cursor() as cursor:
        retire(cursor, chunks=new)
    found = await index.search(library.vector(), scope(handbook), 10, timeout=5)
    assert len(found) == 5
    assert not set(new) & set(found.chunks)


async def test_publishing_belongs_to_the_callers_transaction(library, index):
    handbook = library.collection("handbook")
    library.add(handbook, 5)
    with library.connection.transaction(force_rollback=True):
        library.add(handbook, 5)
        assert len(await index.search(library.vector(), scope(handbook), 50, timeout=5)) == 5
    assert len(await index.search(library.vector(), scope(handbook), 50, timeout=5)) == 5


async def test_vectors_go_with_their_chunks_whoever_deletes_them(library, index):
    handbook, other = library.collection("handbook"), library.collection("other")
    library.add(handbook, 20)
    library.add(other, 5)
    library.copy(handbook)
    library.execute("DELETE FROM retrieval_chunk WHERE collection_id = %s", handbook.pk)
    found = await index.search(library.vector(), scope(handbook, other), 50, timeout=5)
    assert len(found) == 5
    assert library.count("retrieval_embedding") == 5


@pytest.mark.parametrize("copied", ["none", "from", "to", "both"])
async def test_vectors_move_with_their_chunks(library, index, copied):
    before, after = library.collection("before"), library.collection("after")
    moved = library.add(before, 20)
    library.add(after, 5)
    for collection, when in ((before, {"from", "both"}), (after, {"to", "both"})):
        if copied in when:
            library.copy(collection)
    library.execute(
        "UPDATE retrieval_chunk SET collection_id = %s WHERE collection_id = %s", after.pk, before.pk
    )
    assert len(await index.search(library.vector(), scope(before), 50, timeout=5)) == 0
    found = await index.search(library.vector(), scope(after), 50, timeout=5)
    assert len(found) == 25
    assert set(moved) <= set(found.chunks)


async def test_a_copy_that_is_dropped_between_two_questions_costs_no_answer(library, index):
    handbook = library.collection("handbook")
    library.add(handbook, 200)
    library.add(library.collection("other"), 200)
    library.copy(handbook)
    library.estimate(handbook, 10_000)
    library.estimate(library.collections[1], 90_000)
    question = library.vector()
    before = await index.search(question, scope(handbook), 10, timeout=5)
    assert index.known.copies
    library.drop_copies()
    after = await index.search(question, scope(handbook), 10, timeout=5)
    assert before.chunks == after.chunks == library.nearest(question, [handbook], 10)


async def test_results_are_never_short_where_the_graph_gives_up(library, index):
    """Whoever may read one chunk in ten of a large library still gets as many as asked for."""
    small, large = library.collection("small"), library.collection("large")
    library.add(large, 600)
    library.add(small, 60)
    library.estimate(small, 5000)
    found = await index.search(library.vector(), scope(small), 50, timeout=5)
    assert len(found) == 50


async def test_results_are_never_short_where_most_candidates_were_deleted(library, index):
    handbook = library.collection("handbook")
    chunks = library.add(handbook, 900)
    library.estimate(handbook, 100_000)
    question = library.vector()
    nearest = library.nearest(question, [handbook], 840)
    library.execute("DELETE FROM retrieval_chunk WHERE id = ANY (%s)", list(nearest))
    found = await index.search(question, scope(handbook), 50, timeout=5)
    assert len(found) == 50
    assert set(found.chunks) <= set(chunks) - set(nearest)


async def test_vectors_that_are_still_being_made_are_an_error_not_an_empty_answer(library, pool):
    library.add(library.collection("handbook"), 3)
    missing = VectorIndex(pool, model="another", dimensions=library.dimensions)
    with pytest.raises(VectorError, match="no vectors of another"):
        await missing.search(library.vector(), AccessScope(frozenset({1})), 10, timeout=5)
    with library.connection.cursor() as cursor:
        partitions.ensure_model(cursor, "another", library.dimensions)
    with pytest.raises(VectorError, match="still being made"):
        await missing.search(library.vector(), AccessScope(frozenset({1})), 10, timeout=5)


async def test_a_question_of_other_dimensions_is_refused(index):
    with pytest.raises(VectorError, match="dimensions"):
        await index.search(np.ones(7, np.float32), AccessScope(frozenset({1})), 10, timeout=5)


def test_vectors_of_other_dimensions_are_refused(library):
    handbook = library.collection("handbook")
    with library.connection.cursor() as cursor, pytest.raises(ValueError, match="dimensions"):
        publish(
            cursor,
            model=library.model,
            dimensions=library.dimensions,
            collection_id=handbook.pk,
            chunks=[1],
            vectors=np.ones((1, 5), np.float32),
        )


async def test_postgres_is_told_the_time_that_is_left(pool):
    with pytest.raises(VectorError, match="did not answer within"):
        await database.fetch(pool, "SELECT pg_sleep(60)", timeout=0.05)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
    while (await database.fetch(pool, busy, timeout=5))[0][0] > 1:  # the question itself is one
        pass


async def test_a_server_that_hangs_costs_no_more_than_the_timeout(hung_server):
    """A connection that was fine and then hears nothing: also the order to cancel is not answered."""
    async with hung_server.pool() as pool:
        await database.fetch(pool, "SELECT 1", timeout=5)
        hung_server.hang()
        assert not database.abandoned
        with pytest.raises(VectorError):
            await database.fetch(pool, "SELECT 1", timeout=0.1)
        assert database.abandoned  # given up before psycopg, which waits 5 s for that, has cancelled it
        hung_server.cut()
        await asyncio.gather(*database.abandoned, return_exceptions=True)


async def test_passages_are_loaded_within_the_scope_alone(library, pool):
    mine, theirs = library.collection("mine"), library.collection("theirs")
    (readable,), (secret,) = library.add(mine, 1), library.add(theirs, 1)
    found = await passages.load(pool, [readable, secret, 12345], scope(mine), timeout=5)
    assert set(found) == {readable}
    passage = found[readable]
    assert (passage.collection, passage.collection_id, passage.ordinal) == ("mine", mine.pk, 0)
    assert passage.text == f"text of {readable}"
    assert passage.url.endswith(f"?chunk={readable}")


async def test_chunks_are_counted_within_the_scope_alone(library, pool):
    mine, theirs = library.collection("mine"), library.collection("theirs")
    (readable,), (secret,) = library.add(mine, 1), library.add(theirs, 1)
    assert await passages.present(pool, [readable, secret, 12345], scope(mine), 5) == 1


async def test_sources_are_chosen_within_the_scope_alone(library, pool):
    """Whatever the searches say; and those of a run that is taken over by what its asker may read by then."""
    mine, theirs = library.collection("mine"), library.collection("theirs")
    (readable,), (secret,) = library.add(mine, 1), library.add(theirs, 1)
    words = passages.Ranking("lexical", (passages.Hit(secret, 2.0), passages.Hit(readable, 1.0)))
    chooser = Chooser(pool)
    found = await chooser.choose("text", scope(mine), words, None, timeout=5)
    again = await chooser.again([secret, readable], scope(mine), timeout=5)
    assert [[one.chunk for one in some] for some in (found.passages, again)] == [[readable], [readable]]


async def test_a_passage_read_along_goes_by_where_its_chunk_is(library, pool):
    """Though its vector is still where it was."""
    mine, theirs = library.collection("mine"), library.collection("theirs")
    (readable,), (moved,) = library.add(mine, 1), library.add(mine, 1)
    library.execute("SET session_replication_role = replica")  # no trigger takes its vector along
    library.execute("UPDATE retrieval_chunk SET collection_id = %s WHERE id = %s", theirs.pk, moved)
    index = VectorIndex(pool, model=library.model, dimensions=library.dimensions, read=5)
    found = await index.search(library.vectors[moved], scope(mine), 5, timeout=5)
    assert [passage.chunk for passage in found.passages] == [readable]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_search_equals_the_exact_one_whatever_the_scope_and_the_copies(
    data, database_url, standing_library
):
    """Random scopes over collections of many sizes, some with copies: nothing leaks and nothing is missing."""
    library = standing_library
    chosen = data.draw(st.lists(st.sampled_from(library.collections), unique=True, min_size=1))
    k = data.draw(st.integers(1, 40))
    question = library.vector(data.draw(st.integers(0, 10_000)))

    async def search():
        async with database.make_pool(database_url, min_size=1, max_size=2) as pool:
            index = VectorIndex(pool, model=library.model, dimensions=library.dimensions)
            return await index.search(question, scope(*chosen), k, timeout=10)

    found = asyncio.run(search())
    allowed = library.members(chosen)
    assert set(found.chunks) <= allowed
    assert len(found) == min(k, len(allowed))
    exact = library.nearest(question, chosen, k)
    assert len(set(found.chunks) & set(exact)) >= 0.95 * len(exact)


@pytest.fixture
def crowded(library):
    """A collection, and those of its chunks that its graph does not lead to."""
    crowded = library.collection("crowded")
    library.add(crowded, 200)
    with library.overlooked():
        return crowded, library.add(crowded, 20)


async def test_what_words_find_is_not_overlooked_where_a_graph_loses_its_way(library, index, crowded):
    collection, lost = crowded
    library.estimate(collection, 1_000_000)
    question = library.vectors[lost[0]]
    alone = await index.search(question, scope(collection), 10, timeout=5)
    found = await index.search(question, scope(collection), 10, timeout=5, near=lost)
    assert set(alone.chunks).isdisjoint(lost)
    assert found.chunks == library.nearest(question, [collection], 10)


async def test_a_graph_that_has_lost_its_way_gives_way_to_a_scan(library, index, crowded):
    collection, lost = crowded
    library.estimate(collection, 50_000)
    question = sum(library.vectors[chunk] for chunk in lost)
    nearest = library.nearest(question, [collection], 10)
    known = [chunk for chunk in nearest if chunk in lost][:3]
    found = await index.search(question, scope(collection), 10, timeout=5, near=known)
    assert found.chunks == nearest
    assert not set(lost).intersection(nearest) <= set(known)


async def test_what_words_find_elsewhere_is_not_shown(library, index):
    mine, secret = library.collection("mine"), library.collection("secret")
    library.add(mine, 20)
    hidden = library.add(secret, 5)
    library.estimate(mine, 1_000_000)
    found = await index.search(library.vectors[hidden[0]], scope(mine), 10, timeout=5, near=hidden)
    assert len(found) == 10  # so its graph was searched, and not each of its rows
    assert set(found.chunks) <= library.members([mine])

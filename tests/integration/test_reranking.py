"""The adapter of `/rerank` against a simulated server and the real Postgres."""

from contextlib import aclosing

import pytest
from asgiref.sync import sync_to_async

from answering.upstream import SimulatedUpstream
from retrieval.access import AccessScope
from retrieval.database import make_pool
from retrieval.errors import RerankError
from retrieval.models import Chunk
from retrieval.passages import Hit, Ranking
from retrieval.reranking import MOST, Reranker
from tests.integration.asking import QUESTION, an_ask, frames_of, make_cast, of, process

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = {
    "canteen.md": "# Canteen\n\nLunch is served from noon, and there is a dish without meat.\n",
    "travel.md": "# Travel\n\nWho travels by train gets a seat in the second class.\n",
    "leave.md": "# Leave\n\nHow many days of annual leave do I get? You get 25 days.\n",
}


@pytest.fixture
def cast(transactional_db):
    made = make_cast()
    made.documents = {name: made.add(made.handbook, name, text) for name, text in TEXTS.items()}
    return made


@pytest.fixture
def chunks(cast) -> list[int]:
    """Of the canteen, of travel and of leave: what answers comes last."""
    return [Chunk.objects.get(document=document).pk for document in cast.documents.values()]


@pytest.fixture
async def pool(database_url):
    pool = make_pool(database_url, min_size=1, max_size=2)
    async with pool:
        yield pool


def ranking(chunks: list[int]) -> Ranking:
    return Ranking("fused", tuple(Hit(chunk, 1.0 / place) for place, chunk in enumerate(chunks, 1)))


def scope_of(*collections) -> AccessScope:
    return AccessScope(frozenset(collection.pk for collection in collections))


async def test_what_the_model_finds_best_comes_first(cast, chunks, pool):
    async with SimulatedUpstream(rerank="fixed:1") as upstream:
        reranker = Reranker(pool, base_url=upstream.base_url, api_key="key", model="small")
        async with aclosing(reranker):
            best = await reranker.rerank(QUESTION, ranking(chunks), scope_of(cast.handbook), timeout=5)
    assert best.chunks[0] == chunks[-1]
    assert set(best.chunks) == set(chunks)
    (_, headers, sent) = upstream.recent[-1]
    assert headers["authorization"] == "Bearer key"
    assert (sent["model"], sent["query"], sent["top_n"]) == ("small", QUESTION, 3)
    assert sent["documents"][2].startswith("Leave")


async def test_nothing_outside_the_scope_is_sent_or_given(cast, chunks, pool):
    secret = await sync_to_async(Chunk.objects.get)(collection=cast.papers)
    async with SimulatedUpstream(rerank="fixed:1") as upstream:
        reranker = Reranker(pool, base_url=upstream.base_url)
        fused = ranking([secret.pk, *chunks])
        async with aclosing(reranker):
            best = await reranker.rerank(QUESTION, fused, scope_of(cast.handbook), timeout=5)
    assert set(best.chunks) == set(chunks)
    assert "Nightjar" not in str(upstream.recent)


async def test_at_most_so_many_are_read_as_an_answer_chooses_from(cast, chunks, pool):
    async with SimulatedUpstream(rerank="fixed:1") as upstream:
        reranker = Reranker(pool, base_url=upstream.base_url)
        fused = ranking([*range(1, MOST - 1), *chunks])
        async with aclosing(reranker):
            best = await reranker.rerank(QUESTION, fused, scope_of(cast.handbook), timeout=5)
    assert set(best.chunks) == set(chunks[:2])


@pytest.mark.parametrize("fault", ["errors", "malformed", "throttled", "hang"])
async def test_every_fault_is_one_of_ours(cast, chunks, pool, fault):
    async with SimulatedUpstream(rerank="fixed:1", **{fault: 1.0}) as upstream:
        reranker = Reranker(pool, base_url=upstream.base_url)
        async with aclosing(reranker):
            with pytest.raises(RerankError):
                await reranker.rerank(QUESTION, ranking(chunks), scope_of(cast.handbook), timeout=0.3)


async def test_nobody_at_the_address_is_a_fault_too(cast, chunks, pool):
    async with SimulatedUpstream() as upstream:
        address = upstream.base_url
    reranker = Reranker(pool, base_url=address)
    async with aclosing(reranker):
        with pytest.raises(RerankError, match="cannot be reached"):
            await reranker.rerank(QUESTION, ranking(chunks), scope_of(cast.handbook), timeout=5)


async def test_a_whole_process_asks_it_before_it_shows_the_sources(cast, settings, tmp_path):
    async with SimulatedUpstream(rerank="fixed:1", first_token="fixed:1", token_gap="fixed:0") as upstream:
        settings.RERANK_BASE_URL = upstream.base_url
        async with process(settings, tmp_path, upstream) as built:
            frames = await frames_of(built, an_ask(cast.member))
            assert "reranker" not in built.breaker_states()
    asked = [body for path, _, body in upstream.recent if path == "/rerank"]
    assert len(asked) == 1
    assert {"stage": "rerank", "outcome": "ok"}.items() <= next(
        stage.items() for stage in frames[-1]["stages"] if stage["stage"] == "rerank"
    )
    first = of(frames, "citations")[-1]["passages"][0]
    assert first["title"] == "Leave"

"""{embedder, two models, Postgres, Redis, lexical index} x {ok, slow, error, hang}: each fault alone and every
pair, on a real Postgres and Redis behind proxies and real HTTP servers in place of the models."""

from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async

from benchmarks import library, matrix
from benchmarks.cells import every_pair, name_of, untrue
from benchmarks.seeding import seed
from qa_site import places
from tests.conftest import DATA

STACKS = 8


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
async def test_every_pair_of_faults_ends_in_time_with_a_true_answer(database_url, redis_url, tmp_path):
    user = await sync_to_async(seed)(
        f"{matrix.MODEL}@{matrix.DIMENSIONS}", matrix.DIMENSIONS, topics=matrix.TOPICS
    )
    async with AsyncExitStack() as opened:
        stacks = [
            await opened.enter_async_context(
                matrix.stack(user, places.socket_dir(DATA), places.DATABASE_NAME, tmp_path / "lexical")
            )
            for _ in range(STACKS)
        ]
        questions = library.questions(matrix.TOPICS)
        seen = await matrix.see_all(stacks, list(every_pair()), questions)
        # What ends wrongly only while eight stacks and a busy machine make it late is no fault of the answer.
        suspects = [each.cell for each in seen if untrue(each)]
        again = await matrix.see_all(stacks[:1], suspects, questions)

    assert len(seen) == 154
    assert {name_of(each.cell): problems for each in again if (problems := untrue(each))} == {}
    assert len(suspects) < 5

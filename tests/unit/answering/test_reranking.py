"""The reranker's stage under a controlled clock: its order where it answers in time, else that of the searches."""

import pytest

from retrieval.passages import chunk_of
from tests.clock import autojump
from tests.fake_parts import HANG, REFUSED, Played, Script, play

FUSED, RERANKED = [1, 2, 3], [3, 2, 1]


def script(rerank: float | Exception | None) -> Script:
    """Both searches are quick, so that the sources are sent once."""
    return Script(words=(1, 2), meaning=(1, 2, 3), embed=0.01, rerank=rerank)


def order(played: Played) -> list[int]:
    return [chunk_of(p["url"]) for p in played.of("citations")[-1]["passages"]]


@autojump
async def test_the_sources_stand_in_its_order() -> None:
    played = await play(script(0.05))
    assert order(played) == RERANKED
    assert played.last["degraded"] == []
    assert "rerank" in [stage["stage"] for stage in played.last["stages"]]


@autojump
async def test_without_one_no_stage_is_run() -> None:
    played = await play(script(None))
    assert order(played) == FUSED
    assert "rerank" not in [stage["stage"] for stage in played.last["stages"]]


@pytest.mark.parametrize(("how", "code"), [(HANG, "rerank_timeout"), (REFUSED["rerank"], "rerank_error")])
def test_where_it_fails_the_order_of_the_searches_stays(how: float | Exception, code: str) -> None:
    @autojump
    async def run() -> None:
        played = await play(script(how))
        assert order(played) == FUSED
        assert played.last["degraded"] == [code]
        assert played.last["finish"] == "complete"

    run()


@pytest.mark.expects_errors
@autojump
async def test_a_bug_gives_way_like_any_failure_and_is_logged_with_its_stack(caplog) -> None:
    played = await play(script(ZeroDivisionError("a bug")))
    assert order(played) == FUSED
    assert played.last["degraded"] == ["rerank_error"]
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert record.getMessage() == "unexpected"
    assert record.exc_info is not None


@autojump
async def test_it_costs_its_budget_at_most() -> None:
    without, hanging = await play(script(None)), await play(script(HANG))
    assert hanging.record["first_token_ms"] - without.record["first_token_ms"] <= 300 + 1


@autojump
async def test_it_is_not_asked_where_the_documents_do_not_say() -> None:
    asked = script(0.05)
    asked.answerable = False
    played = await play(asked)
    assert played.last["finish"] == "refused"
    assert "rerank" not in asked.started

"""The pipeline under a controlled clock: what runs beside what, and what each failure gives way to."""

import asyncio
import itertools
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from answering.budgets import Budgets
from answering.caches.answer import CachedAnswer
from answering.engine import Engine
from answering.errors import AllUpstreamsFailed, FirstTokenTimeout, Shed
from answering.runlog import RunLog
from answering.runs import LiveRun
from retrieval.access import AccessScope
from tests.clock import autojump
from tests.fake_parts import HANG, REFUSED, RUN, Played, Script, make_parts, passage, play, question

TERMINAL = {"done", "error"}


def assert_well_formed(played: Played) -> None:
    kinds = [frame["type"] for frame in played.frames]
    assert [frame["seq"] for frame in played.frames] == list(range(1, len(kinds) + 1))
    assert sum(kind in TERMINAL for kind in kinds) == 1
    assert kinds[-1] in TERMINAL
    texts = [place for place, kind in enumerate(kinds) if kind in {"delta", "replace"}]
    if texts:
        assert "citations" in kinds[: texts[0]]
    finals = [frame["final"] for frame in played.of("citations")]
    assert finals in ([], [True], [False], [False, True])
    if played.last["type"] == "done":
        known = {p["n"] for frame in played.of("citations") for p in frame["passages"]}
        assert set(played.last["cited"]) <= known


@autojump
async def test_sources_come_before_words_and_the_run_is_whole() -> None:
    played = await play(Script())
    assert_well_formed(played)
    assert played.last["finish"] == "complete"
    assert played.last["route"] == "hybrid"
    assert played.last["degraded"] == []
    assert played.text == "You get 21 days of annual leave [1]."
    assert played.last["cited"] == [1]


@autojump
async def test_searches_intent_and_conversation_start_together() -> None:
    script = Script()
    await play(script)
    began = [script.started[name] for name in ("lexical", "embed", "intent", "history")]
    assert max(began) - min(began) < 0.005


@autojump
async def test_whatever_is_searched_or_read_is_of_the_askers_scope() -> None:
    parts, scripted = make_parts(Script(rerank=0.01))
    scopes = {}

    def noted(name, work):
        async def call(*arguments, **named):
            scopes[name] = next(one for one in arguments if isinstance(one, AccessScope))
            return await work(*arguments, **named)

        return call

    parts = replace(
        parts,
        lexical=SimpleNamespace(search=noted("lexical", scripted.lexical)),
        vectors=SimpleNamespace(search=noted("vector", scripted.vector)),
        chooser=SimpleNamespace(choose=noted("passages", scripted.choose)),
        reranker=SimpleNamespace(rerank=noted("rerank", scripted.rerank)),
    )
    await play(Script(), engine=Engine(parts))
    assert scopes == dict.fromkeys(("lexical", "vector", "passages", "rerank"), question().scope)


@autojump
async def test_without_a_model_the_answer_to_a_similar_question_is_shown_under_the_numbers_sent() -> None:
    similar = CachedAnswer("They get 22 days [7].", ((7, passage(2)), (8, passage(9))), (7,), "similar")
    played = await play(Script(first_token=AllUpstreamsFailed(), similar=similar))
    assert_well_formed(played)
    assert (played.text, played.last["cited"]) == ("They get 22 days [2].", [2])
    assert played.last["finish"] == "cached"
    assert played.last["degraded"] == ["generate_error", "similar_answer"]


@autojump
async def test_an_answer_to_a_similar_question_that_rests_on_other_sources_is_not_shown() -> None:
    similar = CachedAnswer("They get 22 days [7][8].", ((7, passage(2)), (8, passage(9))), (7, 8), "similar")
    played = await play(Script(first_token=AllUpstreamsFailed(), similar=similar))
    assert played.last["finish"] == "extractive"
    assert "similar_answer" not in played.last["degraded"]
    assert "22 days [7]" not in played.text


@autojump
async def test_first_token_takes_the_critical_path_and_not_the_sum() -> None:
    played = await play(Script(embed=0.4, lexical=0.3, vector=0.15, history=0.1, first_token=1.2))
    critical = 0.4 + 0.15 + 1.2
    assert critical <= played.record["first_token_ms"] / 1000 <= critical * 1.03


@autojump
async def test_sources_found_by_words_are_shown_while_the_meaning_is_awaited() -> None:
    played = await play(Script(embed=0.4))
    first, last = played.of("citations")
    assert (first["final"], first["route"]) == (False, "lexical")
    assert (last["final"], last["route"]) == (True, "hybrid")
    assert played.record["first_citation_ms"] < 400


@autojump
async def test_a_cache_that_never_answers_in_time_is_left_alone() -> None:
    parts, scripted = make_parts(Script(cache=0.3))
    engine = Engine(parts)
    slow = [asyncio.create_task(play(scripted.script, engine=engine)) for _ in range(5)]
    await asyncio.sleep(0.2)
    later = await play(scripted.script, engine=engine)
    for played, outcome in [*[(await task, "timeout") for task in slow], (later, "open")]:
        stages = played.record["stages"]
        assert [stage["outcome"] for stage in stages if stage["stage"] == "cache"] == [outcome]
        assert (played.last["finish"], played.last["degraded"]) == ("complete", [])


@autojump
async def test_a_passage_keeps_its_number_from_provisional_to_final() -> None:
    played = await play(Script(words=(1, 2), meaning=(3, 2)))
    first, last = ({p["url"]: p["n"] for p in frame["passages"]} for frame in played.of("citations"))
    assert all(last[url] == n for url, n in first.items() if url in last)
    assert len(set(last.values())) == len(last)


@pytest.mark.parametrize("how", [HANG, REFUSED["embed"]])
def test_without_an_embedder_words_answer_alone(how: float | Exception) -> None:
    @autojump
    async def run() -> None:
        played = await play(Script(embed=how))
        assert_well_formed(played)
        assert (played.last["finish"], played.last["route"]) == ("complete", "lexical")
        assert [code for code in played.last["degraded"] if code.startswith("embed_")]
        assert played.record["first_token_ms"] <= 1600

    run()


@pytest.mark.parametrize("how", [HANG, REFUSED["lexical"]])
def test_without_a_lexical_index_meaning_answers_alone(how: float | Exception) -> None:
    @autojump
    async def run() -> None:
        played = await play(Script(lexical=how))
        assert_well_formed(played)
        assert (played.last["finish"], played.last["route"]) == ("complete", "vector")

    run()


@autojump
async def test_without_either_search_the_reader_is_told_to_try_again() -> None:
    played = await play(Script(lexical=REFUSED["lexical"], embed=REFUSED["embed"]))
    assert_well_formed(played)
    assert played.last["code"] == "search_unavailable"
    assert played.last["retry_after"]


@autojump
async def test_a_slow_model_is_preceded_by_an_extract_that_it_replaces() -> None:
    counted = partial(
        REGISTRY.get_sample_value,
        "qa_degradations_total",
        {"stage": "generate", "reason": "provisional_extract"},
    )
    before = counted() or 0
    played = await play(Script(first_token=2.9), Budgets(usable=1.0))
    assert_well_formed(played)
    assert "provisional_extract" in played.last["degraded"]
    assert counted() == before + 1
    assert played.record["usable_ms"] == pytest.approx(1000, rel=0.05)
    assert played.of("replace")
    assert played.text == "You get 21 days of annual leave [1]."
    assert played.last["finish"] == "complete"


@pytest.mark.parametrize("how", [HANG, AllUpstreamsFailed(), Shed(1)])
def test_without_a_model_the_sources_are_quoted(how: float | Exception) -> None:
    @autojump
    async def run() -> None:
        played = await play(Script(first_token=how))
        assert_well_formed(played)
        assert played.last["finish"] == "extractive"
        assert "days of annual leave" in played.text
        assert played.last["cited"]

    run()


@autojump
async def test_no_model_configured_is_no_degradation() -> None:
    played = await play(Script(model=False))
    assert_well_formed(played)
    assert (played.last["finish"], played.last["degraded"]) == ("extractive", [])


@autojump
async def test_what_the_documents_do_not_say_is_refused() -> None:
    played = await play(Script(answerable=False))
    assert_well_formed(played)
    assert played.last["finish"] == "refused"
    assert not played.parts.prompts_seen


@autojump
async def test_a_model_that_finds_no_answer_in_the_passages_refuses_in_its_own_words() -> None:
    played = await play(Script(answer="[0] The documents do not say how long."))
    assert_well_formed(played)
    assert (played.last["finish"], played.last["cited"]) == ("refused", [])
    assert played.text == "The documents do not say how long."
    assert not played.parts.remembered


@autojump
async def test_a_model_that_answers_a_part_has_answered() -> None:
    played = await play(Script(answer="You get 21 days [1]. The documents do not say when [0]."))
    assert (played.last["finish"], played.last["cited"]) == ("complete", [1])


@autojump
async def test_an_extract_stands_until_there_are_words_in_its_place() -> None:
    played = await play(Script(first_token=2.9, answer="[0] The documents do not say."), Budgets(usable=1.0))
    assert [frame["text"] for frame in played.of("replace")] == ["The"]
    assert played.text == "The documents do not say."


@autojump
async def test_a_model_that_says_no_more_than_that_it_finds_no_answer_is_given_words() -> None:
    for budget in (5.0, 0.2):  # without and with an extract that stands meanwhile
        played = await play(Script(answer="[0]"), Budgets(usable=budget))
        assert (played.last["finish"], played.last["cited"]) == ("refused", [])
        assert played.text == "The documents you can read do not say."


@autojump
async def test_a_refusal_quotes_what_comes_nearest_where_that_is_not_far_off() -> None:
    played = await play(Script(answerable=False, near=True))
    assert_well_formed(played)
    assert (played.last["finish"], len(played.last["cited"])) == ("refused", 1)
    assert played.text.startswith("The documents you can read do not say.")
    assert "days of annual leave" in played.text


@pytest.mark.parametrize("nothing", ["\n \n", "[97]"])
def test_an_answer_without_a_word_gives_way_to_an_extract(nothing: str) -> None:
    @autojump
    async def run() -> None:
        for first_token in (0.5, 2.6):  # before the extract that is shown meanwhile, and after it
            played = await play(Script(answer=nothing, first_token=first_token))
            assert_well_formed(played)
            assert (played.last["finish"], "generate_error" in played.last["degraded"]) == (
                "extractive",
                True,
            )
            assert "[1]" in played.text
            assert not played.parts.remembered

    run()


@autojump
async def test_an_answer_is_usable_when_there_is_a_word_to_read() -> None:
    played = await play(Script(answer="\n Yes. [1]", embed=0.0, first_token=0.5, gap=1.0))
    assert 500 <= played.record["first_token_ms"] < 600
    assert 1500 <= played.record["usable_ms"] < 1600


@autojump
async def test_a_stage_that_breaks_its_budget_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="answering"):
        played = await play(Script(embed=HANG, first_token=FirstTokenTimeout()))
    assert played.last["degraded"] == ["embed_timeout", "generate_timeout"]
    assert [vars(record)["stage"] for record in caplog.records] == ["embed", "generate"]


@autojump
async def test_nothing_readable_is_refused_as_if_nothing_were_there() -> None:
    played = await play(Script(words=(), meaning=()))
    assert_well_formed(played)
    assert played.last["finish"] == "refused"


@pytest.mark.parametrize(
    "said", ["You get twenty", "It is computed so:\n\n```\ndays = 21 [1] \n", "Say `days = 21 "]
)
def test_a_part_that_names_no_source_is_followed_by_what_they_say(said: str) -> None:
    @autojump
    async def run() -> None:
        played = await play(Script(answer=said + "x" * 10 + " y" * 5000))
        assert_well_formed(played)
        assert (played.last["finish"], played.record["answer"]) == ("partial", played.text)
        assert played.text.startswith(said.rstrip())
        assert played.last["cited"]
        assert "<blockquote>" in played.last["html"]

    run()


@autojump
async def test_a_part_that_names_its_source_stays_as_it_is() -> None:
    said = "You get 21 days [1]. More"
    played = await play(Script(answer=said + " y" * 5000))
    assert (played.last["finish"], played.last["cited"]) == ("partial", [1])
    assert "The sources say" not in played.text


@autojump
async def test_a_stop_keeps_what_was_said() -> None:
    live = LiveRun(question(), RunLog(RUN))
    script = Script(answer=" ".join(["word"] * 200), gap=0.05)

    async def stop_after_three_words() -> None:
        async for frame in live.log.read():
            if frame["type"] == "delta" and frame["seq"] > 5:
                live.stop.set()
                return

    stopper = asyncio.create_task(stop_after_three_words())
    played = await play(script, live=live)
    await stopper
    assert_well_formed(played)
    assert played.last["finish"] == "stopped"
    assert 0 < len(played.text.split()) < 20
    assert ("generate", "cancelled") in [
        (stage["stage"], stage["outcome"]) for stage in played.last["stages"]
    ]
    assert played.last["stages"] == played.record["stages"]


@autojump
async def test_only_whole_undegraded_answers_are_remembered() -> None:
    whole = await play(Script())
    degraded = await play(Script(embed=REFUSED["embed"]))
    assert whole.parts.remembered == [whole.text]
    assert degraded.parts.remembered == []


@autojump
async def test_the_first_passages_have_twice_as_long_as_a_usable_answer() -> None:
    by_meaning = await play(Script(words=(), passages=0.8))
    assert (by_meaning.last["finish"], by_meaning.last["degraded"]) == ("complete", [])
    by_words = await play(Script(vector=HANG, passages=0.8))
    assert by_words.last["finish"] == "complete"
    assert [frame["final"] for frame in by_words.of("citations")] == [False, True]
    late = await play(Script(passages=1.5 * Budgets().usable))
    assert late.last["finish"] == "complete"
    late = await play(Script(words=(), passages=1.5 * Budgets().usable))
    assert (late.last["finish"], late.last["degraded"]) == ("complete", ["provisional_extract"])
    never = await play(Script(passages=HANG))
    assert never.last["code"] == "search_unavailable"
    assert 2 * Budgets().usable <= never.seconds < 2 * Budgets().usable + Budgets().vector + 0.1


@autojump
async def test_what_follows_the_first_passages_gives_way_to_them() -> None:
    script = Script(embed=0.4, passages=0.3)
    playing = asyncio.ensure_future(play(script))
    await asyncio.sleep(0.45)  # the first ones are shown, and the second choice is under way
    script.passages = HANG
    played = await playing
    assert [frame["final"] for frame in played.of("citations")] == [False, True]
    assert played.last["finish"] == "complete"


FAULTS = ("lexical", "embed", "vector", "passages", "history", "first_token")
HOW = ("ok", "slow", "error", "hang")
SLOW = {"lexical": 0.3, "embed": 0.8, "vector": 0.4, "passages": 0.4, "history": 0.1, "first_token": 2.4}


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(FAULTS, 2)))
def test_every_pair_of_faults_ends_in_one_terminal_frame_in_time(first: str, second: str) -> None:
    @autojump
    async def run() -> None:
        for how_first, how_second in itertools.product(HOW, HOW):
            script = Script()
            for name, how in ((first, how_first), (second, how_second)):
                value = {"slow": SLOW[name], "hang": HANG, "error": REFUSED.get(name, OSError("gone"))}.get(
                    how
                )
                if value is not None:
                    setattr(script, name, value)
            played = await play(script)
            assert_well_formed(played)
            assert played.seconds < 8
            legs = {"lexical": script.lexical, "vector": script.vector, "embed": script.embed}
            broken = {name for name, value in legs.items() if isinstance(value, Exception) or value == HANG}
            if played.last["type"] == "done" and played.last["finish"] != "refused":
                assert ("lexical" in broken) == (played.last["route"] == "vector")
                assert bool(broken & {"vector", "embed"}) == (played.last["route"] == "lexical")

    run()


@autojump
async def test_sources_are_shown_once_where_both_searches_are_quick() -> None:
    played = await play(Script(embed=0.03))
    assert [frame["final"] for frame in played.of("citations")] == [True]

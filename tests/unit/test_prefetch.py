"""Extra sources help where they can, cost nothing where they cannot, and stay within the scope."""

import asyncio
import time

import pytest

from answering.caches.answer import CachedAnswer
from answering.intent import IntentClassifier
from answering.prefetch import AT_ONCE, CANDIDATES, Extras, Prefetch, seated, sides
from answering.prompt import Turn
from answering.resilience.deadline import Deadline
from answering.stages import Question, Run
from answering.store import History
from retrieval.access import AccessScope
from retrieval.errors import LexicalError
from retrieval.passages import Hit, Ranking
from tests.clock import autojump
from tests.fake_parts import CONVERSATION, RUN, passage

SCOPE = AccessScope(frozenset({1}))
CLASSIFIER = IntentClassifier()


class Searches:
    """Gives chunk 30 first to queries with a contact's cue, and else 1, 2, 3 … in order."""

    def __init__(self, seconds=0.001, failure=None):
        self.seconds, self.failure = seconds, failure
        self.asked_for = []

    async def search(self, query, scope, k, *, asked=True):
        self.asked_for.append((query, scope, asked))
        await asyncio.sleep(self.seconds)
        if self.failure:
            raise self.failure
        chunks = list(range(1, k + 1))
        if "contact email" in query:
            chunks = [30, *chunks]
        if query in {"bronze", "silver plan"}:
            chunks = [100 if query == "bronze" else 200, *chunks]
        return Ranking("lexical", tuple(Hit(chunk, 1 / (i + 1)) for i, chunk in enumerate(chunks)))


def run_of(text):
    loop = asyncio.get_running_loop()
    question = Question(RUN, 1, text, CONVERSATION, SCOPE)
    return Run(question, Deadline.after(20, loop.time), lambda event: None, loop.time)


async def gathered(text, searches=None, history=None):
    told = []
    prefetch = Prefetch(searches or Searches(), None, CLASSIFIER, on_result=lambda *row: told.append(row))

    async def past():
        return history or History()

    run = run_of(text)
    extra = Extras()
    await prefetch.gather(run, asyncio.create_task(past()), extra)
    return extra, told, prefetch, run


@autojump
async def test_a_question_for_a_person_lifts_the_passage_that_reads_like_a_contact():
    extra, *_ = await gathered("Who is responsible for travel?")
    assert extra.kinds["people"][0] == 30


@autojump
async def test_nothing_is_lifted_that_the_search_itself_did_not_find():
    extra, *_ = await gathered("Who is responsible for travel?")
    assert max(extra.kinds["people"]) <= CANDIDATES


@autojump
async def test_both_sides_of_a_comparison_are_looked_up():
    extra, *_ = await gathered("What is the difference between bronze and silver plan")
    assert extra.kinds["comparison"][:2] == (100, 200)


@autojump
async def test_a_follow_up_brings_the_passages_of_the_last_answer():
    history = History(turns=(Turn("How many days?", "28 [1]."),), chunks=(71, 72))
    extra, *_ = await gathered("And what about interns?", history=history)
    assert extra.kinds["previous"] == (71, 72)


@autojump
async def test_a_first_question_brings_no_earlier_passages():
    extra, *_ = await gathered("And what about interns?")
    assert "previous" not in extra.kinds


@autojump
async def test_a_similar_question_lends_what_its_answer_cites():
    async def similar(question):
        numbered = ((1, passage(81)), (2, passage(82)))
        return CachedAnswer("You get 28 days [2].", numbered, cited=(2,), match="similar")

    async def past():
        return History()

    prefetch = Prefetch(Searches(), None, CLASSIFIER, on_result=lambda *row: None, similar=similar)
    extra = Extras()
    await prefetch.gather(run_of("How many days?"), asyncio.create_task(past()), extra)
    assert extra.kinds["similar"] == (82,)


@autojump
async def test_every_search_stays_within_the_scope_and_counts_as_nobodys_question():
    searches = Searches()
    await gathered("Who is responsible for travel?", searches)
    assert {scope for _, scope, _ in searches.asked_for} == {SCOPE}
    assert not any(asked for _, _, asked in searches.asked_for)


@autojump
async def test_slow_sources_are_left_behind_in_time():
    extra, told, prefetch, run = await gathered("Who is responsible for travel?", Searches(seconds=5))
    assert len(extra) == 0
    assert run.elapsed() < 0.2
    prefetch.settle(extra, [])
    assert ("people", "late") in told


@autojump
async def test_what_is_there_is_taken_while_the_rest_is_under_way():
    async def slow_past():
        await asyncio.sleep(0.1)
        return History(turns=(Turn("How many days?", "28 [1]."),), chunks=(71,), profile="Nurse")

    prefetch = Prefetch(Searches(), None, CLASSIFIER, on_result=lambda *row: None)
    extra = Extras()
    history = asyncio.create_task(slow_past())
    gathering = asyncio.create_task(prefetch.gather(run_of("Who is responsible for travel?"), history, extra))
    await asyncio.sleep(0.01)
    assert (30 in extra, extra.awaited) == (True, {"profile"})
    gathering.cancel()
    await asyncio.wait({gathering, history})


@autojump
async def test_a_source_that_fails_is_counted_and_raises_nothing():
    extra, told, *_ = await gathered("Who is responsible for travel?", Searches(failure=LexicalError("down")))
    assert len(extra) == 0
    assert ("people", "error") in told


@autojump
async def test_a_busy_process_goes_without():
    told = []
    prefetch = Prefetch(Searches(seconds=0.1), None, CLASSIFIER, on_result=lambda *row: told.append(row))

    async def past():
        return History()

    gathers = [
        prefetch.gather(run_of("Who?"), asyncio.create_task(past()), Extras()) for _ in range(AT_ONCE + 1)
    ]
    await asyncio.gather(*gathers)
    assert told.count(("all", "shed")) == 1


@autojump
async def test_nothing_is_fetched_ahead_while_postgres_is_to_be_left_alone():
    told, searches = [], Searches()
    prefetch = Prefetch(
        searches, None, CLASSIFIER, on_result=lambda *row: told.append(row), resting=lambda: True
    )

    async def past():
        return History()

    await prefetch.gather(run_of("Who?"), asyncio.create_task(past()), Extras())
    assert told == [("all", "shed")]
    assert not searches.asked_for


@autojump
async def test_what_helped_and_what_did_not_is_counted():
    _, told, prefetch, _ = await gathered("hello")
    told.clear()
    extras = Extras({"people": (30,), "recent": (40, 41)})
    extras.awaited = {"similar"}
    prefetch.settle(extras, [1, 30])
    assert told == [("people", "used"), ("recent", "unused"), ("similar", "late")]


def test_extras_take_turns_and_none_comes_twice():
    assert list(Extras({"a": (1, 2, 3), "b": (2, 4)})) == [1, 2, 4, 3]


@pytest.mark.parametrize(
    ("extra", "chunks"),
    [
        ((), [0, 1, 2, 3, 4, 5, 6, 7]),
        ((11,), [0, 1, 2, 3, 4, 5, 6, 11]),
        ((11, 9, 10), [0, 1, 2, 3, 4, 5, 11, 9]),
        ((3, 9), [0, 1, 2, 3, 4, 5, 6, 9]),
        ((99,), [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_extras_get_at_most_the_last_two_seats(extra, chunks):
    ranked = [passage(chunk) for chunk in range(12)]
    assert [p.chunk for p in seated(ranked, extra, 8)] == chunks


def test_with_few_passages_nobody_loses_a_seat():
    ranked = [passage(chunk) for chunk in range(3)]
    assert seated(ranked, (2,), 8) == tuple(ranked)


@pytest.mark.parametrize(
    ("asked", "compared"),
    [
        ("What differs between plan A and plan B?", ("plan A", "plan B?")),
        ("Compare gold with silver", ("gold", "silver")),
        ("Hello.\nIs it gold or silver?\nThanks", ("Is it gold", "silver?")),
        ("gold vs. silver", ("gold", "silver")),
        ("vs silver", ()),
        ("How many days?", ()),
    ],
)
def test_the_sides_of_a_comparison_are_told_apart(asked, compared):
    assert sides(asked) == compared


def test_the_sides_of_a_text_take_four_times_as_long_where_it_is_four_times_as_long():
    def took(words: int) -> float:
        began = time.process_time()
        for _ in range(10):
            assert sides("weigh up " * words) == ()
        return time.process_time() - began

    assert took(1_600) < 10 * took(400)

"""Typing warms the caches, without a trace and without being in anybody's way."""

import asyncio
import logging

import numpy as np

from answering.anticipation import MOST, PAUSE, Anticipation, Typist
from retrieval.access import AccessScope
from retrieval.errors import EmbeddingError
from retrieval.passages import Hit, Ranking
from tests.clock import autojump

SCOPE = AccessScope(frozenset({1, 2}))
QUESTION = "How many days of annual leave"


class World:
    """Searches and an embedder that note what they are asked. The top changes with the number of words."""

    def __init__(self, busy=False, failure=None):
        self.words, self.embedded, self.vectors, self.told, self.scopes = [], [], [], [], 0
        self.busy, self.failure = busy, failure
        self.anticipation = Anticipation(
            self, self, _Vectors(self), candidates=40, busy=lambda: self.busy, on_result=self.tell
        )
        self.typist = Typist(self.anticipation, self.scope, self.before)
        self.looked_up = []

    def tell(self, kind, result):
        self.told.append(result)

    async def scope(self):
        self.scopes += 1
        return SCOPE

    async def before(self, conversation):
        self.looked_up.append(conversation)
        return (QUESTION,)

    async def search(self, query, scope, k, *, asked=True):
        assert scope == SCOPE
        assert not asked
        self.words.append(query)
        return Ranking("lexical", tuple(Hit(i + min(len(query.split()), 6), 1.0) for i in range(20)))

    async def embed_query(self, text, *, timeout, asked=True):
        assert not asked
        if self.failure:
            raise self.failure
        self.embedded.append(text)
        return np.ones(4, np.float32)


class _Vectors:
    def __init__(self, world):
        self.world = world

    async def search(self, vector, scope, k, *, timeout, near=(), asked=True):
        assert scope == SCOPE
        self.world.vectors.append(k)
        return Ranking("vector")


async def type_on(typist, *texts, gap):
    for text in texts:
        typist.typed(text)
        await asyncio.sleep(gap)


@autojump
async def test_nothing_is_searched_while_keys_follow_each_other():
    world = World()
    await type_on(world.typist, *(QUESTION[:i] for i in range(10, len(QUESTION))), gap=PAUSE / 3)
    assert world.words == []


@autojump
async def test_every_pause_searches_by_words():
    world = World()
    await type_on(world.typist, "how many days", "how many days of annual", gap=PAUSE * 1.5)
    assert world.words == ["how many days", "how many days of annual"]
    assert world.embedded == []


@autojump
async def test_two_pauses_with_the_same_top_embed_the_text():
    world = World()
    texts = ["how many days of annual leave", "how many days of annual leave there"]
    await type_on(world.typist, *texts, gap=PAUSE * 1.5)
    assert world.embedded == [texts[1]]
    assert world.vectors == [40]


@autojump
async def test_a_long_pause_embeds_too():
    world = World()
    await type_on(world.typist, QUESTION, gap=PAUSE * 4)
    assert world.embedded == [QUESTION.lower()]


@autojump
async def test_a_question_that_goes_on_is_searched_with_what_it_follows():
    world = World()
    for text in ("and in porto", "and in porto now"):
        world.typist.typed(text, "a conversation")
        await asyncio.sleep(PAUSE * 1.5)
    world.typist.typed("which laptops may be taken to countries on the red list", "a conversation")
    await asyncio.sleep(PAUSE * 1.5)
    assert world.words == [
        f"{QUESTION} and in porto",
        f"{QUESTION} and in porto now",
        "which laptops may be taken to countries on the red list",
    ]
    assert world.looked_up == ["a conversation"]


@autojump
async def test_what_was_asked_before_is_looked_up_anew_after_a_question():
    world = World()
    for _ in range(2):
        world.typist.typed("and in porto", "a conversation")
        await asyncio.sleep(PAUSE * 1.5)
        world.typist.asked("and in porto")
    assert world.looked_up == ["a conversation"] * 2


@autojump
async def test_a_question_asked_as_typed_was_helped():
    world = World()
    await type_on(world.typist, QUESTION, gap=1)
    world.typist.asked(QUESTION + "?")
    assert world.told == ["used"]


@autojump
async def test_a_question_asked_otherwise_was_not_helped():
    world = World()
    await type_on(world.typist, QUESTION, gap=1)
    world.typist.asked("Something else entirely")
    assert world.told == ["unused"]


@autojump
async def test_enter_before_the_first_pause_is_counted_as_late():
    world = World()
    await type_on(world.typist, QUESTION, gap=0.01)
    world.typist.asked(QUESTION)
    assert world.told == ["late"]


@autojump
async def test_under_load_typing_is_dropped_first():
    world = World(busy=True)
    await type_on(world.typist, QUESTION, gap=PAUSE * 1.5)
    assert world.words == []
    assert world.told == ["shed"]


@autojump
async def test_a_failing_embedder_is_nobodys_error_but_the_counters():
    world = World(failure=EmbeddingError("down"))
    await type_on(world.typist, QUESTION, gap=1)
    assert world.told == ["error"]


@autojump
async def test_one_question_is_worked_on_a_bounded_number_of_times():
    world = World()
    await type_on(world.typist, *(f"question number {i}" for i in range(MOST * 2)), gap=PAUSE * 1.1)
    assert len(world.words) <= MOST
    world.typist.asked("question")
    await type_on(world.typist, "another question", gap=PAUSE * 1.5)
    assert world.words[-1] == "another question"


@autojump
async def test_short_and_very_long_texts_are_left_alone():
    world = World()
    await type_on(world.typist, "how", "x " * 2_000, gap=1)
    assert world.words == []


@autojump
async def test_a_closed_connection_leaves_nothing_running():
    world = World()
    world.typist.typed(QUESTION)
    await world.typist.aclose()
    assert len(asyncio.all_tasks()) == 1


@autojump
async def test_the_scope_is_read_once_for_many_pauses():
    world = World()
    await type_on(world.typist, "how many days", "how many days of annual", gap=PAUSE * 1.5)
    assert world.scopes == 1


def test_what_is_typed_is_never_logged(caplog):
    @autojump
    async def typing():
        world = World(failure=EmbeddingError("down"))
        await type_on(world.typist, QUESTION, gap=1)

    with caplog.at_level(logging.DEBUG):
        typing()
    assert "annual" not in caplog.text

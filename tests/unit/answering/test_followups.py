"""Whether a question goes on from the one before it, and how it is searched then."""

import json
from pathlib import Path

import pytest

from answering.followups import Link, link_of, read
from answering.prompt import Turn
from answering.runlog import RunLog
from answering.runs import LiveRun
from tests.clock import autojump
from tests.fake_parts import RUN, Script, play, question

DATA = Path(__file__).parents[3] / "benchmarks" / "data" / "conversations.jsonl"
SAMPLE = Path(__file__).parents[3] / "qa_site" / "sample"

LEAVE = "How many days of annual leave do I get?"


@pytest.mark.parametrize(
    "text",
    [
        "And in Germany?",
        "What about part-time staff?",
        "Can I carry them over?",
        "How long does that take?",
        "Why?",
        "How often?",
        "Up to what amount?",
        "Is there an exception?",
        "Does that also apply to interns?",
        "Und für Praktikanten?",
        "Wie lange dauert das?",
        "Was ist mit Werkstudenten?",
        "¿Y en Alemania?",
        "¿Cuánto tiempo tarda eso?",
        "Et pour les stagiaires ?",
        "E per gli stagisti?",
        "En voor stagiairs?",
        "А для стажёров?",
        "Peki stajyerler için?",
    ],
)
def test_a_question_that_says_little_by_itself_goes_on(text):
    assert link_of(text) is Link.CLEAR


@pytest.mark.parametrize(
    "text",
    [
        "How many vacation days may be carried over into the next year?",
        "What is our policy on gifts from new suppliers?",
        "Is it allowed to bring dogs to the office in the summer?",
        "What must I do with a company laptop that was stolen abroad?",
        "How many holidays are there this year in Porto and Leeds?",
        "Was steht im Vertrag über das Jobrad und die Versicherung?",
        "expense policy",
    ],
)
def test_a_question_of_its_own_does_not(text):
    assert link_of(text) is Link.NONE


@pytest.mark.parametrize(
    "text", ["Who has to agree?", "What is Keywarden?", "What does IT do?", "E-mail retention?"]
)
def test_a_short_question_may(text):
    assert link_of(text) is Link.MAYBE


def test_what_all_of_them_are_about_is_searched_with_the_last():
    before = [LEAVE, "And in Germany?"]
    assert read("And in France?", before).text == f"{LEAVE} And in Germany? And in France?"
    assert read("And in France?", before[:1]).text == f"{LEAVE} And in France?"
    assert read("And in France?", []).link is Link.NONE


def test_the_conversations_that_are_measured_are_about_the_sample():
    sample = " ".join(" ".join(path.read_text().split()) for path in SAMPLE.glob("*.md"))
    told = [json.loads(line) for line in DATA.read_text().splitlines()]
    assert [one["says"] for one in told if " ".join(one["says"].split()) not in sample] == []


def after_leave(text):
    return LiveRun(question(text), RunLog(RUN))


@autojump
async def test_a_question_that_goes_on_is_searched_with_what_it_follows():
    played = await play(Script(turns=(Turn(LEAVE, "21 days."),)), live=after_leave("And in Germany?"))
    assert played.parts.searched == ["And in Germany?", f"{LEAVE} And in Germany?"]
    assert played.last["finish"] == "complete"
    assert "And in Germany?" in played.parts.prompts_seen[0][-1].content


@autojump
async def test_a_question_that_may_go_on_is_answered_by_itself_where_it_can_be():
    played = await play(
        Script(turns=(Turn(LEAVE, "21 days."),)), live=after_leave("When does the year start?")
    )
    assert played.parts.searched == ["When does the year start?"]
    assert played.last["finish"] == "complete"


@autojump
@pytest.mark.parametrize(
    ("asked", "finish"), [("When does the year start?", "complete"), ("When is the comet back?", "refused")]
)
async def test_one_that_is_not_is_searched_with_what_it_follows_and_answered_by_what_says_its_words(
    asked, finish
):
    script = Script(turns=(Turn(LEAVE, "21 days."),), unanswered=(asked,))
    played = await play(script, live=after_leave(asked))
    assert played.parts.searched == [asked, f"{LEAVE} {asked}"]
    assert played.last["finish"] == finish
    assert [frame["final"] for frame in played.of("citations")][-1:] == [True]
    assert sum(frame["final"] for frame in played.of("citations")) == 1


@autojump
async def test_a_question_of_its_own_is_refused_without_a_second_search():
    asked = "What is our policy on gifts from new suppliers?"
    played = await play(
        Script(turns=(Turn(LEAVE, "21 days."),), unanswered=(asked,)), live=after_leave(asked)
    )
    assert played.parts.searched == [asked]
    assert played.last["finish"] == "refused"


@autojump
async def test_the_first_question_of_a_conversation_follows_nothing():
    played = await play(Script(), live=after_leave("And in Germany?"))
    assert played.parts.searched == ["And in Germany?"]

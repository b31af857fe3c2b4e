"""What a newcomer asks the sample handbook, in plain words: none of these questions had a part in fitting anything."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from answering.extractive import extract
from benchmarks.answerability import SAMPLE, labelled
from benchmarks.legs import Library, model, shelved
from retrieval.embeddings import Vector
from retrieval.evidence import FAR, THRESHOLD, answerability
from retrieval.passages import Passage

QUESTIONS = Path(__file__).parents[1] / "data" / "everyday_questions.jsonl"


@dataclass(frozen=True)
class Asked:
    kind: str
    text: str
    documents: list[str]
    passages: list[Passage]
    evidence: float
    by_words: float

    @property
    def answer(self) -> str:
        """Without a model."""
        return extract(self.text, list(enumerate(self.passages, 1)))

    @property
    def quoted(self) -> list[str]:
        """The documents of its quotes."""
        return [self.passages[int(n) - 1].document for n in re.findall(r"\[(\d+)\]", self.answer)]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, str]], Asked]:
    embedder = model(tmp_path_factory.mktemp("model"))
    shelf: Library = shelved(labelled(SAMPLE), embedder)

    def asked(row: dict[str, str]) -> Asked:
        embedded: Vector = embedder.embed([row["text"]])[0]
        words, meaning = shelf.lexical(row["text"]), shelf.vector(embedded)
        both, alone = (shelf.best(row["text"], words, other, 8) for other in (meaning, None))
        evidence = answerability(row["text"], both, words, meaning)
        by_words = answerability(row["text"], alone, words, None)
        return Asked(row["kind"], row["text"], row["documents"], both, evidence, by_words)  # type: ignore[arg-type]

    return asked


@pytest.fixture(scope="module")
def everyday(ask: Callable[[dict[str, str]], Asked]) -> dict[str, list[Asked]]:
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    kinds: dict[str, list[Asked]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(ask(row))
    return kinds


def share(some: list[bool]) -> float:
    return sum(some) / len(some)


def test_most_everyday_questions_are_answered(everyday):
    assert len(everyday["answerable"]) >= 60
    assert share([one.evidence >= THRESHOLD for one in everyday["answerable"]]) >= 0.78


def test_hardly_any_is_refused_without_the_passage_that_comes_nearest(everyday):
    assert share([one.evidence >= FAR for one in everyday["answerable"]]) >= 0.95


def test_what_no_handbook_answers_is_refused(everyday):
    assert share([one.evidence < THRESHOLD for one in everyday["off-topic"]]) >= 0.95


def test_most_of_what_this_handbook_leaves_out_is_refused(everyday):
    assert share([one.evidence < THRESHOLD for one in everyday["unanswerable"]]) >= 0.75


def test_with_words_alone_nothing_off_topic_is_answered_and_half_of_the_rest_is(everyday):
    assert share([one.by_words < THRESHOLD for one in everyday["off-topic"]]) >= 0.95
    assert share([one.by_words >= THRESHOLD for one in everyday["answerable"]]) >= 0.5


def test_an_answer_without_a_model_quotes_the_right_part_first(everyday):
    answered = [one for one in everyday["answerable"] if one.evidence >= THRESHOLD]
    assert share([bool(one.quoted) and one.quoted[0] in one.documents for one in answered]) >= 0.8


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("lose my laptop", "it@fernhill.example"),
        ("What do I do when I lose my laptop?", "it@fernhill.example"),
        ("What should I do when I am ill?", "you confirm your illness yourself"),
        ("flu jab", "Flu vaccination in the office each October"),
        ("What does “Annual leave” say about special leave?", "Occasion: Your own wedding"),
        ("What does “Remote and hybrid work” say about confidential talks?", "where others cannot listen"),
    ],
)
def test_what_is_asked_in_other_words_is_quoted(ask, question, said):
    assert said in ask({"kind": "answerable", "text": question, "documents": []}).answer


def test_the_first_question_of_the_readme_is_answered_from_one_source(ask):
    row = {"kind": "answerable", "text": "How many days of annual leave do I get?", "documents": []}
    answered = ask(row)
    assert answered.quoted == ["02-annual-leave"]
    assert "25 days" in answered.answer

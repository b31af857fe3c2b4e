"""Are questions understood from what came before them? `python -m benchmarks.conversations [--beside SET] [--show]`

Puts the last question of short conversations about the sample handbook (`benchmarks/data/conversations.jsonl`) to it
and to another set's documents: each by itself, each together with the question before it, and as the product reads it
(answering/followups.py). Counts those that are answered with the passage that says it among the first three; of
off-topic questions, asked second, those that are refused."""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from answering.followups import Link, read
from benchmarks.answerability import SAMPLE, Remembering, labelled, rows
from benchmarks.legs import Library, data_folder, model, shelved
from retrieval.evaluation import LabelledSet, read_set
from retrieval.evidence import THRESHOLD, answerability, says
from retrieval.passages import Passage

FIRST = 3
OFF_TOPIC = "off-topic"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`says`: what the passage has that answers the last of the `turns`."""

    kind: str
    turns: tuple[str, ...]
    says: str = ""

    def held_by(self, passage: Passage) -> bool:
        return bool(self.says) and " ".join(self.says.split()) in " ".join(passage.text.split())


@dataclass(frozen=True, slots=True)
class Found:
    passages: tuple[Passage, ...]
    answered: bool


class Asking:
    def __init__(self, shelf: Library, embedder: Remembering) -> None:
        self.shelf, self.embedder = shelf, embedder

    def alone(self, turns: tuple[str, ...]) -> Found:
        return self._found(turns[-1])

    def together(self, turns: tuple[str, ...]) -> Found:
        return self._found(" ".join(turns[-2:]))

    def as_read(self, turns: tuple[str, ...]) -> Found:
        reading = read(turns[-1], turns[:-1])
        if reading.link is Link.CLEAR:
            return self._found(reading.text)
        alone = self.alone(turns)
        if alone.answered or reading.link is Link.NONE:
            return alone
        joined = self._found(reading.text)
        return joined if joined.answered and says(turns[-1], joined.passages) else alone

    def _found(self, text: str) -> Found:
        words, meaning = self.shelf.lexical(text), self.shelf.vector(self.embedder.embed([text])[0])
        passages = tuple(self.shelf.best(text, words, meaning, 8))
        return Found(passages, answerability(text, passages, words, meaning) >= THRESHOLD)


def conversations() -> Iterator[Conversation]:
    told = rows(Path(__file__).parent / "data" / "conversations.jsonl")
    known = [Conversation(row["kind"], tuple(row["turns"]), row["says"]) for row in told]
    yield from known
    off = [row["text"] for row in rows(data_folder() / "offtopic" / "clinc_oos.jsonl")]
    for one, text in zip(cycle(known), off, strict=False):
        yield Conversation(OFF_TOPIC, (one.turns[0], text))


def is_right(one: Conversation, found: Found) -> bool:
    if one.kind == OFF_TOPIC:
        return not found.answered
    return found.answered and any(map(one.held_by, found.passages[:FIRST]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--beside", help="A set of CITEFIRST_DATA whose documents are in the library, too.")
    parser.add_argument(
        "--show", action="store_true", help="Print what is not found as the product reads it."
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        embedder = Remembering(model(Path(cache)), Path(cache))
        sources = labelled(SAMPLE).sources
        if options.beside:
            sources += read_set(data_folder() / "retrieval" / options.beside).sources
        asking = Asking(shelved(LabelledSet(SAMPLE, sources, ()), embedder), embedder)
        asked = list(conversations())
        ways: dict[str, Callable[[tuple[str, ...]], Found]] = {
            "by itself": asking.alone,
            "with the one before": asking.together,
            "as it is read": asking.as_read,
        }
        for way, find in ways.items():
            right = {one: is_right(one, find(one.turns)) for one in asked}
            for kind in dict.fromkeys(one.kind for one in asked):
                of = [well for one, well in right.items() if one.kind == kind]
                print(f"{way:20} {kind:12} {100 * sum(of) / len(of):5.1f} % of {len(of)}", flush=True)
        if options.show:
            for one in (one for one, well in right.items() if not well):
                print(json.dumps([one.kind, *one.turns], ensure_ascii=False))


if __name__ == "__main__":
    main()

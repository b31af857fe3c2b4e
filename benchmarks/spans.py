"""Does trimming keep what matters? Over the questions of labelled sets whose gold passage is among the eight
found by words: whether the trimmed prompt and the marked sentences still hold the gold span. (`trimming` measures
the same by both legs and over the product's own chunks, which takes minutes.)"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from answering.prompt import estimate_tokens
from answering.prompting import SHARE
from benchmarks.figures import Check, at_least, at_most
from retrieval import sentences
from retrieval.access import AccessScope
from retrieval.lexical import IndexedChunk
from retrieval.lexical.tantivy import TantivyIndex

SETS = ("chunkeval", "xquad")
TOP = 8
EVERYTHING = AccessScope(frozenset({1}))

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Case:
    """A question and, by passage, where its gold text lies. Each group of spans needs one that is kept: the
    places where an answer occurs, or the one place of a quoted sentence."""

    question: str
    gold: Mapping[str, Sequence[Sequence[Span]]]


@dataclass(slots=True)
class Kept:
    """Counts over the questions of a set; `before` and `after` are tokens of the passages."""

    questions: int = 0
    any_in_prompt: int = 0
    any_in_marks: int = 0
    before: int = 0
    after: int = 0


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def cases(folder: Path, texts: Mapping[str, str]) -> Iterator[Case]:
    """The questions of a set with their gold spans."""
    questions = {line["_id"]: line["text"] for line in lines(folder / "queries.jsonl")}
    relevant: dict[str, list[str]] = {}
    for row in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, passage, _ = row.split("\t")
        relevant.setdefault(query, []).append(passage)
    quoted = (folder / "spans.jsonl").exists()
    for line in lines(folder / ("spans.jsonl" if quoted else "answers.jsonl")):
        query = line["_id"]
        gold = {
            passage: _quoted(passage, line["references"])
            if quoted
            else _found(texts[passage], line["answers"])
            for passage in relevant.get(query, ())
        }
        if any(gold.values()):
            yield Case(questions[query], gold)


def _quoted(passage: str, references: Sequence[Mapping[str, Any]]) -> list[list[Span]]:
    """The parts of the references that lie in a passage, which is named `text:start-end`."""
    first, last = map(int, passage.rpartition(":")[2].split("-"))
    parts = [(max(r["start_index"], first) - first, min(r["end_index"], last) - first) for r in references]
    return [[(start, end)] for start, end in parts if end - start >= 40]


def _found(text: str, answers: Sequence[str]) -> list[list[Span]]:
    """Every place where an answer occurs: any of them will do."""
    places = [match.span() for answer in answers for match in re.finditer(re.escape(answer), text)]
    return [places] if places else []


def measure(folder: Path) -> Kept:
    texts = {line["_id"]: line["text"] for line in lines(folder / "corpus.jsonl")}
    names = list(texts)
    index = TantivyIndex()
    index.replace((), (IndexedChunk(at, name, 1, "", "", texts[name]) for at, name in enumerate(names, 1)))
    kept = Kept()
    for case in cases(folder, texts):
        hits = index.search(case.question, EVERYTHING, TOP)
        context = sentences.Context(("",) * len(hits), tuple(hit.score / hits.hits[0].score for hit in hits))
        _count(kept, case, [names[hit.chunk - 1] for hit in hits], texts, context)
    return kept


def _count(
    kept: Kept, case: Case, found: Sequence[str], texts: Mapping[str, str], context: sentences.Context
) -> None:
    passages = [texts[name] for name in found]
    gold = {at: case.gold[name] for at, name in enumerate(found) if case.gold.get(name)}
    if not gold:
        return
    trimmed = sentences.trim(case.question, passages, context, share=SHARE)
    marked = sentences.marks(case.question, passages, context)
    kept.questions += 1
    kept.before += sum(map(estimate_tokens, passages))
    kept.after += sum(map(estimate_tokens, trimmed))
    held = [
        any(_squeezed(passages[at][start:end]) in _squeezed(trimmed[at]) for start, end in group)
        for at, groups in gold.items()
        for group in groups
    ]
    kept.any_in_prompt += any(held)
    kept.any_in_marks += any(
        _covers(marked[at], span) for at, groups in gold.items() for group in groups for span in group
    )


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _covers(marks: Sequence[Span], span: Span) -> bool:
    """Whether most of a span lies in marked sentences; a gold span may begin in the middle of one."""
    overlap = sum(max(0, min(end, span[1]) - max(start, span[0])) for start, end in marks)
    return overlap * 2 > span[1] - span[0]


def check(data: Path) -> list[Check]:
    checks = []
    for name in SETS:
        kept = measure(data / "retrieval" / name)
        profile = f"trimming {name}"
        checks += [
            at_least(
                profile, "prompts that hold a gold span", kept.any_in_prompt / kept.questions, 0.97, "%"
            ),
            at_most(profile, "tokens, of the untrimmed", kept.after / kept.before, 0.60, "%"),
            at_least(profile, "marked sentences hold one", kept.any_in_marks / kept.questions, 0.70, "%"),
        ]
    return checks

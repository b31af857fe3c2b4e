"""How good is an answer without a model? `python -m benchmarks.extracts [--every N] [--vectors FOLDER]`

Of the questions whose gold text is among the eight passages: how many extracts hold one (an answer, or a gold span of
chunkeval). Where the set's answers were written by a person or a model and stand in no passage: the share of an
answer's words that the extract has. For the sample handbook: how many quote the right part first."""

import argparse
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from answering.extractive import extract
from benchmarks.answerability import SAMPLE, Remembering, labelled
from benchmarks.legs import data_folder, model, shelved
from benchmarks.trimming import flat, golds_of_chunkeval, golds_of_xquad
from retrieval.evaluation import Query
from retrieval.lexical.analysis import terms
from retrieval.passages import Passage

PASSAGES = 8
Judge = Callable[[Query, list[Passage], str], float | None]
"""What an extract is worth, from 0 to 1; None where the passages do not hold the gold text."""


def plain(text: str) -> str:
    """Without marks of layout and citations, which an extract leaves out or adds."""
    return flat(re.sub(r"[*_`#|>\[\]()-]", " ", re.sub(r"\[\d+\]", "", text))).lower()


def holds(golds: list[str], passages: list[Passage], answer: str) -> float | None:
    texts = [flat(passage.text) for passage in passages]
    there = [gold for gold in golds if any(flat(gold) in text for text in texts)]
    return float(any(plain(gold) in plain(answer) for gold in there)) if there else None


def judge(name: str) -> Judge:
    folder = data_folder() / "retrieval" / name
    if name == SAMPLE:
        return lambda query, passages, answer: float(_first(passages, answer) in query.relevant)
    if name in ("chunkeval", "xquad"):
        golds = (golds_of_chunkeval if name == "chunkeval" else golds_of_xquad)(folder)
        of = dict(zip(_texts(folder), golds, strict=True))
        return lambda query, passages, answer: holds(
            [gold for one in passages if one.document in query.relevant for gold in of[query.text](one)],
            passages,
            answer,
        )
    rows = map(json.loads, (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines())
    answers = {str(row["_id"]): row["answers"] for row in rows}
    told = dict(zip(_texts(folder), answers.values(), strict=True))
    if name == "policyqa":
        return lambda query, passages, answer: holds(
            [one["text"] for one in told[query.text]], passages, answer
        )
    return lambda query, passages, answer: _shared(" ".join(told[query.text]), answer)


def _texts(folder: Path) -> list[str]:
    """The questions, in the order of the set's other files."""
    return [json.loads(line)["text"] for line in (folder / "queries.jsonl").read_text("utf-8").splitlines()]


def _shared(wanted: str, answer: str) -> float:
    words = set(terms(wanted))
    return len(words & set(terms(answer))) / max(1, len(words))


def _first(passages: list[Passage], answer: str) -> str:
    quoted = re.search(r"\[(\d+)\]", answer)
    return passages[int(quoted[1]) - 1].document if quoted else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--every", type=int, default=1, help="Take each Nth question.")
    parser.add_argument("--vectors", type=Path, help="A folder that keeps embeddings.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        embedder = Remembering(model(Path(cache)), options.vectors or Path(cache))
        for name in (
            "chunkeval",
            "xquad",
            "policyqa",
            "northwind_pages",
            "anthropic_docs",
            "aws_docs",
            SAMPLE,
        ):
            shelf, worth = shelved(labelled(name), embedder), judge(name)
            values, lengths = [], []
            for query in shelf.labelled.queries[:: options.every]:
                vector = embedder.embed([query.text])[0]
                found = shelf.best(query.text, shelf.lexical(query.text), shelf.vector(vector), PASSAGES)
                answer = extract(query.text, list(enumerate(found, 1)))
                if (value := worth(query, found, answer)) is not None:
                    values.append(value)
                    lengths.append(len(answer))
            size = f"{np.mean(lengths):4.0f} characters"
            print(f"{name:16} {len(values):5} questions {100 * np.mean(values):6.1f} %  {size}")
            if options.vectors:
                embedder.save()


if __name__ == "__main__":
    main()

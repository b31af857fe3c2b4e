"""Who is refused, and who should be: `python -m benchmarks.answerability [SET ...] [--every N] [--fit]`

Puts each set's own questions, off-topic ones and questions of other sets to that set's documents, with both legs
and with each alone; the sample handbook is a set too. Each set is asked as a large, a small and a tiny library,
for what is a near match among thousands of chunks is not one among ten. `--fit` fits the coefficients of
retrieval/evidence.py anew and prints them; titles of documents are asked then as very short questions too.
`--vectors FOLDER` keeps embeddings there for the next time."""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.legs import Library, data_folder, model, shelved
from retrieval.embeddings import Vectors
from retrieval.embeddings.minilm import Model
from retrieval.evaluation import LabelledSet, Query, Source, read_set
from retrieval.evidence import THRESHOLD, answerability, features
from retrieval.ingestion.parsing.markdown import parse_markdown
from retrieval.lexical.analysis import query_terms
from retrieval.passages import Ranking

SAMPLE = "sample"
SETS = (
    *("northwind_pages", "handbook_faq", "anthropic_docs", "aws_docs", "chunkeval", "xquad", "policyqa"),
    SAMPLE,
)
ALIKE = (
    {"northwind_pages", "handbook_faq", SAMPLE},
    {"policyqa", "handbook_faq"},
)  # may answer each other's questions
SIZES = {"": 600, "/small": 25, "/tiny": 5}  # documents
LEGS = ("both", "lexical", "vector")
ANSWERABLE, OFF_TOPIC, FOREIGN, TITLE = "answerable", "off-topic", "foreign", "title"
UNANSWERABLE = "unanswerable"  # near the documents' subjects; measured, not fitted to
WEIGHTS = {ANSWERABLE: 200, OFF_TOPIC: 200, FOREIGN: 60, TITLE: 60}  # of a large library's questions
SMALLER = 0.4  # times as much for a smaller one's
MOST, FEW = 200, 40  # questions of a set's own; of another set, and titles
RIDGE = 0.2

Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Case:
    """`values`: leg -> the features with a leading 1. `likely`: leg -> what the product makes of them."""

    name: str
    size: str
    kind: str
    text: str
    values: dict[str, tuple[float, ...]]
    likely: dict[str, float]

    @property
    def wanted(self) -> bool:
        return self.kind in (ANSWERABLE, TITLE)

    def refused(self, leg: str) -> bool:
        return self.likely[leg] < THRESHOLD


class Remembering:
    """Embeds what it has not embedded before."""

    def __init__(self, embedder: Model, folder: Path) -> None:
        self.embedder = embedder
        self.path = folder / "vectors.npz"
        self.known = dict(np.load(self.path)) if self.path.exists() else {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        keys = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.known}
        if new:
            self.known.update(zip(new, self.embedder.embed(list(new.values())), strict=True))
        return np.stack([self.known[key] for key in keys]).astype(np.float32)

    def save(self) -> None:
        np.savez(self.path, **self.known)


def rows(path: Path) -> list[dict[str, str]]:
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def spaced(items: Sequence[Item], most: int) -> list[Item]:
    return list(items[:: max(1, len(items) // most)][:most])


def own_rows() -> list[dict[str, str]]:
    return rows(Path(__file__).parent / "data" / "handbook_questions.jsonl")


def labelled(name: str) -> LabelledSet:
    if name != SAMPLE:
        return read_set(data_folder() / "retrieval" / name)
    sources = []
    for path in sorted((Path(__file__).parents[1] / "qa_site" / "sample").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        sources.append(Source(path.stem, parse_markdown(text).title or path.stem, text))
    asked = [
        Query(row["text"], frozenset(row["documents"])) for row in own_rows() if row["kind"] == ANSWERABLE
    ]
    return LabelledSet(SAMPLE, tuple(sources), tuple(asked))


def part(whole: LabelledSet, documents: int) -> LabelledSet:
    """About that many documents of a set, those first that answer its questions, and the questions they answer."""
    kept: dict[str, None] = {}
    for query in spaced(whole.queries, MOST if documents >= MOST else documents):
        if len(kept) < documents:
            kept.update(dict.fromkeys(sorted(query.relevant)))
    if documents >= MOST:
        kept.update(dict.fromkeys(source.key for source in spaced(whole.sources, documents)))
    queries = [query for query in whole.queries if query.relevant <= kept.keys()]
    sources = tuple(source for source in whole.sources if source.key in kept)
    return LabelledSet(whole.name, sources, tuple(spaced(queries, MOST if documents >= MOST else FEW)))


def questions(
    shelf: LabelledSet, sets: dict[str, LabelledSet], size: str, fit: bool
) -> Iterator[tuple[str, str]]:
    """(kind, question)"""
    few = 1 if not size else 4
    yield from ((ANSWERABLE, query.text) for query in shelf.queries)
    off = [row["text"] for row in rows(data_folder() / "offtopic" / "clinc_oos.jsonl")]
    off += [row["text"] for row in own_rows() if row["kind"] == OFF_TOPIC]
    yield from ((OFF_TOPIC, text) for text in off[::few])
    for other in sets.values():
        if not any({other.name, shelf.name} <= alike for alike in (*ALIKE, {shelf.name})):
            yield from ((FOREIGN, query.text) for query in spaced(other.queries, FEW // few))
    if not size:
        none = rows(data_folder() / "retrieval" / shelf.name / "queries_unanswerable.jsonl")
        none += [row for row in own_rows() if shelf.name == SAMPLE and row["kind"] == UNANSWERABLE]
        yield from ((UNANSWERABLE, row["text"]) for row in none)
    if fit and not size and shelf.name != SAMPLE:
        titles = {source.title.lower().rstrip("?") for source in shelf.sources if len(source.title) < 40}
        short = sorted(title for title in titles if 1 <= len(query_terms(title)) <= 4)
        yield from ((TITLE, title) for title in spaced(short, FEW))


def cases(shelf: Library, asked: list[tuple[str, str]], embedder: Remembering, size: str) -> list[Case]:
    found: list[Case] = []
    for (kind, text), embedded in zip(asked, embedder.embed([text for _, text in asked]), strict=True):
        words, meaning = shelf.lexical(text), shelf.vector(embedded)
        legs: dict[str, tuple[Ranking | None, Ranking | None]] = {
            "both": (words, meaning),
            "lexical": (words, None),
            "vector": (None, meaning),
        }
        values, likely = {}, {}
        for leg, rankings in legs.items():
            best = shelf.best(text, *rankings, 8)
            values[leg] = (1.0, *features(text, best, *rankings))
            likely[leg] = answerability(text, best, *rankings)
        found.append(Case(shelf.labelled.name, size, kind, text, values, likely))
    return found


def logistic(values: Floats, weights: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values @ weights)))


def fitted(known: Sequence[Case], leg: str) -> Floats:
    """Ridge logistic regression by Newton's method. Each set weighs as much as another, and its kinds alike."""
    known = [case for case in known if case.kind != UNANSWERABLE]
    values = np.array([case.values[leg] for case in known])
    wanted = np.array([float(case.wanted) for case in known])
    groups = [(case.name, case.size, case.kind) for case in known]
    counts = {group: groups.count(group) for group in set(groups)}
    each = [
        WEIGHTS[kind] * (SMALLER if size else 1) / counts[name, size, kind] for name, size, kind in groups
    ]
    weigh = np.array(each)
    weights = np.zeros(values.shape[1])
    ridge = RIDGE * np.diag([0.0, *np.ones(values.shape[1] - 1)])
    for _ in range(60):
        guess = logistic(values, weights)
        slope = values.T @ (weigh * (guess - wanted)) + ridge @ weights
        weights -= np.linalg.solve((values.T * (weigh * guess * (1 - guess))) @ values + ridge, slope)
    return weights


def share(some: Sequence[bool]) -> str:
    return f"{100 * np.mean(some):7.1f}" if some else "      -"


def table(known: Sequence[Case]) -> None:
    kinds = (OFF_TOPIC, FOREIGN, ANSWERABLE)
    print(f"{'% refused':22}" + "".join(f"{leg:>27}" for leg in LEGS))
    print(f"{'set':22}" + f"{'off-topic  foreign   answ.':>27}" * len(LEGS) + "   unanswerable (both)")
    for name, size in [
        *dict.fromkeys((case.name, case.size) for case in known),
        *(("all", size) for size in SIZES),
    ]:
        some = [case for case in known if name in (case.name, "all") and case.size == size]
        cells = (
            share([case.refused(leg) for case in some if case.kind == kind]) for leg in LEGS for kind in kinds
        )
        none = [case.refused("both") for case in some if case.kind == UNANSWERABLE]
        print(f"{name + size:22}" + "".join(f"{cell:>9}" for cell in cells) + f"   {share(none)}")


def left_out(known: Sequence[Case]) -> None:
    """The same with each set judged by coefficients that were fitted to the others."""
    for leg in LEGS:
        print(f"each set left out of the fit, {leg}:")
        for name in dict.fromkeys(case.name for case in known):
            others = [case for case in known if case.name != name]
            weights = fitted(others, "lexical" if leg == "lexical" else "both")
            for size in SIZES:
                cells = []
                for kind in (OFF_TOPIC, FOREIGN, ANSWERABLE):
                    some = [
                        case.values[leg]
                        for case in known
                        if (case.name, case.size, case.kind) == (name, size, kind)
                    ]
                    low = list(logistic(np.array(some), weights) < THRESHOLD) if some else []
                    cells.append(f"{kind} {share(low)} %")
                print(f"  {name + size:22} {', '.join(cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--every", type=int, default=1, help="Take each Nth question.")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--vectors", type=Path, help="A folder that keeps embeddings.")
    parser.add_argument("--show", action="store_true", help="Print what is wrongly refused with both legs.")
    options = parser.parse_args()
    known: list[Case] = []
    with tempfile.TemporaryDirectory() as cache:
        embedder = Remembering(model(Path(cache)), options.vectors or Path(cache))
        sets = {name: labelled(name) for name in options.sets}
        for whole in sets.values():
            for size, documents in SIZES.items():
                if whole.name == SAMPLE and size == "/small":
                    continue  # it has 12 documents
                shelf = shelved(part(whole, documents), embedder)
                asked = list(questions(shelf.labelled, sets, size, options.fit))[:: options.every]
                known += cases(shelf, asked, embedder, size)
            if options.vectors:
                embedder.save()
    table(known)
    if options.show:
        for case in known:
            if case.kind == ANSWERABLE and case.refused("both"):
                print(f"refused {case.name + case.size}: {case.text}")
    if options.fit:
        for name, leg in (("MEANING", "both"), ("WORDS", "lexical")):
            print(name, ", ".join(f"{weight:.2f}" for weight in fitted(known, leg)))
        if len(options.sets) > 1:
            left_out(known)


if __name__ == "__main__":
    main()

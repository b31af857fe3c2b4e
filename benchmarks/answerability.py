"""Who is refused, and who should be: `python -m benchmarks.answerability [SET ...] [--every N] [--fit]`

Puts each set's own questions, and the off-topic ones, to that set's documents, with both legs and with each alone.
`--fit` fits the coefficients of retrieval/evidence.py anew and prints them; with `--fit` titles of documents are
asked as very short questions too."""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.legs import Library, data_folder, library, model
from retrieval.embeddings.minilm import Model
from retrieval.evidence import THRESHOLD, coefficients, features
from retrieval.lexical.analysis import query_terms
from retrieval.passages import Ranking

SETS = ("northwind_pages", "handbook_faq", "anthropic_docs", "chunkeval", "xquad", "policyqa")
LEGS = ("both", "lexical", "vector")
MOST, TITLES = 200, 60  # questions of a set, titles of a set
ANSWERABLE, OFF_TOPIC, UNANSWERABLE, TITLE = "answerable", "off-topic", "unanswerable", "title"
RIDGE = 0.2


@dataclass(frozen=True, slots=True)
class Case:
    """`values`: leg -> the features with a leading 1; `score`: leg -> the answerability."""

    name: str
    kind: str
    values: dict[str, tuple[float, ...]]
    score: dict[str, float]


def texts_of(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [str(json.loads(line)["text"]) for line in path.read_text(encoding="utf-8").splitlines()]


def questions(shelf: Library, every: int, with_titles: bool) -> list[tuple[str, str]]:
    own = [query.text for query in shelf.labelled.queries]
    own = own[:: max(1, len(own) // MOST)][::every]
    off = texts_of(data_folder() / "offtopic" / "clinc_oos.jsonl")[::every]
    none = texts_of(data_folder() / "retrieval" / shelf.labelled.name / "queries_unanswerable.jsonl")
    titles: list[str] = []
    if with_titles:
        short = {source.title for source in shelf.labelled.sources if len(source.title) < 40}
        short = {title for title in short if 1 <= len(query_terms(title)) <= 4}
        titles = [title.lower().rstrip("?") for title in sorted(short)[:: max(1, len(short) // TITLES)]]
    kinds = ((ANSWERABLE, own), (OFF_TOPIC, off), (UNANSWERABLE, none), (TITLE, titles))
    return [(kind, text) for kind, texts in kinds for text in texts]


def cases(shelf: Library, embedder: Model, every: int, with_titles: bool) -> list[Case]:
    asked = questions(shelf, every, with_titles)
    found: list[Case] = []
    for (kind, text), embedded in zip(asked, embedder.embed([text for _, text in asked]), strict=True):
        words, meaning = shelf.lexical(text), shelf.vector(embedded)
        values: dict[str, tuple[float, ...]] = {}
        score: dict[str, float] = {}
        legs: dict[str, tuple[Ranking | None, Ranking | None]] = {
            "both": (words, meaning),
            "lexical": (words, None),
            "vector": (None, meaning),
        }
        for leg, (lexical, vector) in legs.items():
            passages = shelf.best(text, lexical, vector, 8)
            read = [f"{one.title}\n{one.heading}\n{one.text}" for one in passages]
            values[leg] = (1.0, *features(text, read, lexical, vector))
            weights = coefficients(lexical, vector)
            score[leg] = logistic(np.array([values[leg]]), np.array(weights))[0] if passages else 0.0
        found.append(Case(shelf.labelled.name, kind, values, score))
    return found


def logistic(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-values @ weights)))


def fitted(known: list[Case], leg: str) -> npt.NDArray[np.float64]:
    """Ridge logistic regression by Newton's method; each set weighs as much as another, and its kinds alike."""
    known = [case for case in known if case.kind != UNANSWERABLE]
    values = np.array([case.values[leg] for case in known])
    wanted = np.array([float(case.kind != OFF_TOPIC) for case in known])
    groups = [(case.name, case.kind) for case in known]
    weigh = np.array(
        [(TITLES if kind == TITLE else MOST) / groups.count((name, kind)) for name, kind in groups]
    )
    weights = np.zeros(values.shape[1])
    ridge = RIDGE * np.diag([0.0, *np.ones(values.shape[1] - 1)])
    for _ in range(60):
        guess = logistic(values, weights)
        slope = values.T @ (weigh * (guess - wanted)) + ridge @ weights
        weights -= np.linalg.solve((values.T * (weigh * guess * (1 - guess))) @ values + ridge, slope)
    return weights


def refused(known: list[Case], leg: str, kind: str) -> str:
    scores = [case.score[leg] for case in known if case.kind == kind]
    return f"{100 * np.mean([score < THRESHOLD for score in scores]):6.1f}" if scores else "     -"


def table(known: list[Case]) -> None:
    print(f"{'% refused':18}" + "".join(f"{leg:>24}" for leg in LEGS))
    print(f"{'set':18}" + f"{'off-topic answerable':>24}" * len(LEGS) + "   unanswerable (both)")
    for name in [*dict.fromkeys(case.name for case in known), "all"]:
        some = [case for case in known if name in (case.name, "all")]
        cells = "".join(
            f"{refused(some, leg, OFF_TOPIC):>13}{refused(some, leg, ANSWERABLE):>11}" for leg in LEGS
        )
        print(f"{name:18}{cells}   {refused(some, 'both', UNANSWERABLE)}")


def left_out(known: list[Case]) -> None:
    """The same with each set judged by coefficients that were fitted to the others."""
    for leg in LEGS:
        scores: dict[str, list[bool]] = {ANSWERABLE: [], OFF_TOPIC: []}
        for name in dict.fromkeys(case.name for case in known):
            weights = fitted([case for case in known if case.name != name], leg)
            for case in known:
                if case.name == name and case.kind in scores:
                    score = logistic(np.array([case.values[leg]]), weights)[0]
                    scores[case.kind].append(bool(score < THRESHOLD))
        shares = ", ".join(f"{kind} {100 * np.mean(hits):.1f} %" for kind, hits in scores.items())
        print(f"sets left out of the fit, {leg}: refused {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--every", type=int, default=1, help="Take each Nth question.")
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        embedder = model(Path(cache))
    known: list[Case] = []
    for name in options.sets:
        known += cases(library(name, embedder), embedder, options.every, options.fit)
    table(known)
    if options.fit:
        for leg in LEGS:
            print(leg, ", ".join(f"{weight:.2f}" for weight in fitted(known, leg)))
        if len(options.sets) > 1:
            left_out(known)


if __name__ == "__main__":
    main()

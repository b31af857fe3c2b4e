"""How often a generation begun on what words alone find would be kept: `python -m benchmarks.speculation [SET ...]`

For each labelled set, the share of its questions whose cited passages are the same with words alone as with both
legs, and how much of them is the same. docs/decisions/no-speculation.md rests on it."""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from answering.evidence import POOLED, TOP
from benchmarks.answerability import SAMPLE, SETS
from benchmarks.legs import Library, library, model
from retrieval.dedupe import fold
from retrieval.fusion import fuse
from retrieval.passages import Ranking, ranked

MOST = 200
"""Questions of a set."""


def cited(shelf: Library, question: str, words: Ranking, meaning: Ranking | None) -> list[int]:
    """The chunks that an answer would cite, best first."""
    fused = fuse(question, words, meaning, k=POOLED)
    found = ranked([shelf.passages[hit.chunk - 1] for hit in fused], fused, words, meaning)
    return [passage.chunk for passage in fold(found)[:TOP]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", default=[name for name in SETS if name != SAMPLE])
    options = parser.parse_args()
    print(f"{'set':18}{'questions':>10}{'all the same':>14}{'best three':>12}{'shared':>9}")
    with tempfile.TemporaryDirectory() as cache:
        embedder = model(Path(cache))
        for name in options.sets:
            shelf = library(name, embedder)
            asked = [query.text for query in shelf.labelled.queries][:MOST]
            rows = []
            for text, vector in zip(asked, embedder.embed(asked), strict=True):
                words = shelf.lexical(text)
                early, final = (
                    cited(shelf, text, words, None),
                    cited(shelf, text, words, shelf.vector(vector)),
                )
                shared = len(set(early) & set(final)) / max(1, len(final))
                rows.append((set(early) == set(final), set(early[:3]) == set(final[:3]), shared))
            same, three, shared = np.mean(np.array(rows, float), axis=0)
            print(f"{name:18}{len(rows):10}{same:14.1%}{three:12.1%}{shared:9.2f}", flush=True)


if __name__ == "__main__":
    main()

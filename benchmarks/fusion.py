"""Is the fused ranking ever worse than the better leg? `python -m benchmarks.fusion [SET ...] [--vectors FOLDER]`

nDCG and Recall at 5, 10 and 20 in per cent, of both legs and of the fused ranking, with the points that this is above
the better leg. The same as `manage.py evaluate`, in memory and with the vectors searched exactly."""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.answerability import Remembering
from benchmarks.legs import data_folder, model, shelved
from retrieval.evaluation import by_best_chunk, ndcg, read_set, recall
from retrieval.fusion import fuse

SETS = ("northwind_pages", "handbook_faq", "anthropic_docs", "aws_docs", "chunkeval", "policyqa", "xquad")
DEPTHS = (5, 10, 20)
MEASURES: dict[str, Callable[[Sequence[str], frozenset[str], int], float]] = {"nDCG": ndcg, "Recall": recall}


def measured(name: str, embedder: Remembering) -> dict[str, dict[str, float]]:
    """Ranking -> measure -> per cent, the mean of all questions."""
    shelf = shelved(read_set(data_folder() / "retrieval" / name), embedder)
    documents = {passage.chunk: passage.document for passage in shelf.passages}
    queries = shelf.labelled.queries
    values: dict[str, dict[str, list[float]]] = {leg: {} for leg in ("lexical", "vector", "fused")}
    for query, vector in zip(queries, embedder.embed([query.text for query in queries]), strict=True):
        words, meaning = shelf.lexical(query.text), shelf.vector(vector)
        for ranking in (words, meaning, fuse(query.text, words, meaning, k=100)):
            found = by_best_chunk(ranking, documents)
            for measure, of in MEASURES.items():
                for k in DEPTHS:
                    value = of(found, query.relevant, k)
                    values[ranking.leg].setdefault(f"{measure}@{k}", []).append(100 * value)
    return {
        leg: {key: float(np.mean(some)) for key, some in by_measure.items()}
        for leg, by_measure in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--vectors", type=Path, help="A folder that keeps embeddings.")
    options = parser.parse_args()
    gains: list[float] = []
    with tempfile.TemporaryDirectory() as cache:
        embedder = Remembering(model(Path(cache)), options.vectors or Path(cache))
        for name in options.sets:
            found = measured(name, embedder)
            if options.vectors:
                embedder.save()
            print(name)
            for key, fused in found["fused"].items():
                gain = fused - max(found["lexical"][key], found["vector"][key])
                gains.append(gain)
                legs = f"lexical {found['lexical'][key]:5.1f}  vector {found['vector'][key]:5.1f}"
                print(f"  {key:10} {legs}  fused {fused:5.1f} ({gain:+.1f})")
    print(f"above the better leg by {np.mean(gains):.1f} on average, {min(gains):+.1f} at worst")


if __name__ == "__main__":
    main()

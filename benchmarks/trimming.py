"""Does trimming keep what matters? `python -m benchmarks.trimming [--every N]`

Of the questions of chunkeval and xquad whose gold passage is among the eight retrieved: how many still have the gold
text whole after trimming, and how many within the sentences marked for the first citations frame. chunkeval has
several gold spans a question, of up to some sentences each: `all` wants every one that was retrieved, `any` one."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.legs import Library, data_folder, library, model
from retrieval.passages import Passage
from retrieval.sentences import Context, marks, trim

PASSAGES = 8
LEAST_OVERLAP = 40  # characters of a span within a passage that make the passage a gold one

Gold = Callable[[Passage], list[str]]


def flat(text: str) -> str:
    return " ".join(text.split())


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def golds_of_xquad(folder: Path) -> list[Gold]:
    answers = {str(row["_id"]): row["answers"] for row in rows(folder / "answers.jsonl")}

    def of(key: str) -> Gold:
        return lambda passage: [str(answer) for answer in answers[key]]  # type: ignore[attr-defined]

    return [of(str(row["_id"])) for row in rows(folder / "queries.jsonl")]


def golds_of_chunkeval(folder: Path) -> list[Gold]:
    spans = {str(row["_id"]): row for row in rows(folder / "spans.jsonl")}
    texts = {path.stem: path.read_bytes().decode() for path in (folder / "original").glob("*.md")}

    def of(row: Mapping[str, object]) -> Gold:
        text = texts[str(row["corpus"])]

        def golds(passage: Passage) -> list[str]:
            first, last = map(int, passage.document.split(":")[1].split("-"))
            cut = [
                (max(first, span["start_index"]), min(last, span["end_index"]))
                for span in row["references"]  # type: ignore[attr-defined]
            ]
            return [text[start:end] for start, end in cut if end - start >= LEAST_OVERLAP]

        return golds

    return [of(spans[str(row["_id"])]) for row in rows(folder / "queries.jsonl")]


def measure(name: str, shelf: Library, golds: Sequence[Gold], vectors: np.ndarray, every: int) -> None:
    kept: list[tuple[bool, bool, bool, bool, float, float, float]] = []
    queries = list(zip(shelf.labelled.queries, golds, vectors, strict=True))[::every]
    for query, gold, vector in queries:
        found = shelf.best(query.text, shelf.lexical(query.text), shelf.vector(vector), PASSAGES)
        texts, context = [passage.text for passage in found], Context.of(found)
        wanted = [
            (place, flat(text))
            for place, passage in enumerate(found)
            if passage.document in query.relevant
            for text in gold(passage)
            if flat(text) in flat(passage.text)
        ]
        if not wanted:
            continue
        started = time.perf_counter()
        trimmed = [flat(text) for text in trim(query.text, texts, context)]
        took = (time.perf_counter() - started) * 1000
        marked = [
            flat(" ".join(text[start:end] for start, end in ranges))
            for text, ranges in zip(texts, marks(query.text, texts, context), strict=True)
        ]
        holds = [text in trimmed[place] for place, text in wanted]
        shows = [any(text in shown for shown in marked) for _, text in wanted]
        size = sum(map(len, trimmed)) / sum(len(flat(text)) for text in texts)
        share = sum(map(len, marked)) / sum(map(len, texts))
        kept.append((all(holds), any(holds), all(shows), any(shows), size, share, took))
    table = np.array(kept, dtype=float)
    means = table.mean(axis=0)
    print(
        f"{name:10} {len(queries):9} {len(kept):9} {means[0]:8.3f} {means[1]:8.3f} {means[4]:8.3f}"
        f" {means[2]:10.3f} {means[3]:10.3f} {means[5]:8.3f} {np.percentile(table[:, 6], 50):8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--every", type=int, default=1, help="Take each Nth question.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        embedder = model(Path(cache))
    heads = ("set", "questions", "retrieved", "kept all", "kept any", "size", "marked all", "marked any")
    print(f"{heads[0]:10} {' '.join(heads[1:5])} {heads[5]:>8} {heads[6]} {heads[7]}    share  trim ms")
    for name, read in (("chunkeval", golds_of_chunkeval), ("xquad", golds_of_xquad)):
        shelf = library(name, embedder)
        vectors = embedder.embed([query.text for query in shelf.labelled.queries])
        measure(name, shelf, read(data_folder() / "retrieval" / name), vectors, options.every)


if __name__ == "__main__":
    main()

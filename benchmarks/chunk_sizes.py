"""Which size should chunks have? `python -m benchmarks.chunk_sizes [--vectors FOLDER]`

Whole documents chunked in each size: northwind's PDFs (a question's page), four of chunkeval's originals (its spans)
and the sample handbook (its parts). Larger chunks hold more of everything, so what is compared is what as many tokens
hold: of the best passages, as many as fit into eight of the usual size. A span is covered as far as its runs of five
words stand in them."""

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.answerability import ANSWERABLE, Remembering, own_rows
from benchmarks.legs import Library, data_folder, model, shelved_passages
from retrieval.embeddings import Vector
from retrieval.evaluation import by_best_chunk, ndcg, read_set, recall
from retrieval.fusion import fuse
from retrieval.ingestion.blocks import ParsedDocument
from retrieval.ingestion.chunking import Sizes, chunk, count_tokens
from retrieval.ingestion.parsing import parse
from retrieval.passages import Passage

SIZES = (Sizes(120, 220, 40), Sizes(160, 300, 50), Sizes(), Sizes(220, 380, 30), Sizes(320, 520, 80))
BUDGET = 8 * Sizes().target
TEXTS = ("chatlogs", "state_of_the_union", "wikitexts", "pubmed")
RUN = 5  # words

Files = Sequence[tuple[str, ParsedDocument]]


def files(folder: Path, pattern: str) -> Files:
    return [(path.name, parse(path.read_bytes(), path.name)) for path in sorted(folder.glob(pattern))]


def shelf(documents: Files, sizes: Sizes, embedder: Remembering) -> Library:
    passages: list[Passage] = []
    for name, document in documents:
        for piece in chunk(document, sizes):
            place = (piece.heading, piece.page, piece.ordinal, piece.text, piece.content_hash)
            title = document.title or name
            passages.append(Passage(len(passages) + 1, name, "", 1, title, *place, 0.0))
    return shelved_passages(passages, embedder)


def found(library: Library, question: str, vector: Vector) -> list[Passage]:
    return library.best(question, library.lexical(question), library.vector(vector), 50)


def pages(library: Library, embedder: Remembering) -> tuple[float, float]:
    """nDCG@10 and Recall@5 of the pages that northwind's questions are about."""
    queries = read_set(data_folder() / "retrieval" / "northwind_pages").queries
    keys = {one.chunk: f"{one.document}#page={one.page}" for one in library.passages}
    values = []
    for query, vector in zip(queries, embedder.embed([query.text for query in queries]), strict=True):
        words, meaning = library.lexical(query.text), library.vector(vector)
        ranked = by_best_chunk(fuse(query.text, words, meaning, k=100), keys)
        values.append((ndcg(ranked, query.relevant, 10), recall(ranked, query.relevant, 5)))
    ndcgs, recalls = np.mean(values, axis=0)
    return float(ndcgs), float(recalls)


def runs_of(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}


def within(passages: Sequence[Passage], tokens: int) -> Iterator[Passage]:
    for place, one in enumerate(passages):
        tokens -= count_tokens(one.text)
        if tokens < 0 and place:
            return
        yield one


def covered(library: Library, embedder: Remembering) -> tuple[float, float]:
    """The share of the gold spans that BUDGET tokens hold, and that the eight best passages hold."""
    folder = data_folder() / "retrieval" / "chunkeval"
    rows = {name: map(json.loads, (folder / name).read_text("utf-8").splitlines()) for name in
            ("queries.jsonl", "spans.jsonl")}  # fmt: skip
    texts = {row["_id"]: row["text"] for row in rows["queries.jsonl"]}
    values = []
    for row in rows["spans.jsonl"]:
        if row["corpus"] in TEXTS:
            question = texts[row["_id"]]
            best = found(library, question, embedder.embed([question])[0])
            spans = [runs_of(span["content"]) for span in row["references"]]
            value = []
            for some in (within(best, BUDGET), best[:8]):
                there = set().union(*(runs_of(one.text) for one in some))
                value.append(np.mean([len(span & there) / len(span) for span in spans]))
            values.append(value)
    budget, eight = np.mean(values, axis=0)
    return float(budget), float(eight)


def parts(library: Library, embedder: Remembering) -> float:
    """nDCG@10 of the parts of the sample handbook that its questions are about."""
    values = []
    for row in own_rows():
        if row["kind"] == ANSWERABLE:
            best = found(library, row["text"], embedder.embed([row["text"]])[0])
            ranked = list(dict.fromkeys(one.document.removesuffix(".md") for one in best))
            values.append(ndcg(ranked, frozenset(row["documents"]), 10))
    return float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vectors", type=Path, help="A folder that keeps embeddings.")
    options = parser.parse_args()
    northwind = files(data_folder() / "docs" / "northwind", "*.pdf")
    folder = data_folder() / "retrieval" / "chunkeval" / "original"
    texts = [one for name in TEXTS for one in files(folder, f"{name}.md")]
    handbook = files(Path(__file__).parents[1] / "qa_site" / "sample", "*.md")
    print("target most small   chunks  tokens   page nDCG@10  page Recall@5   spans  (eight)   part nDCG@10")
    with tempfile.TemporaryDirectory() as cache:
        embedder = Remembering(model(Path(cache)), options.vectors or Path(cache))
        for sizes in SIZES:
            library = shelf(northwind, sizes, embedder)
            tokens = np.mean([count_tokens(one.text) for one in library.passages])
            page, spans = pages(library, embedder), covered(shelf(texts, sizes, embedder), embedder)
            part = parts(shelf(handbook, sizes, embedder), embedder)
            cells = " ".join(f"{100 * value:12.1f}" for value in (*page, *spans, part))
            size = f"{sizes.target:6} {sizes.most:4} {sizes.small:5}"
            print(f"{size} {len(library.passages):8} {tokens:7.0f} {cells}", flush=True)
            if options.vectors:
                embedder.save()


if __name__ == "__main__":
    main()

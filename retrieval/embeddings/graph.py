"""Writes all-MiniLM-L6-v2 as an ONNX graph: `python -m retrieval.embeddings.graph WEIGHTS OUT`.

It runs in a process of its own, once a machine, so that no process that embeds imports onnx, and writes the
weights into a file of their own, so that all of those map the same pages. onnxruntime's fused operators
(com.microsoft) are Attention, LayerNormalization over a sum, and Gelu over a bias.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save_model
from safetensors.numpy import load_file

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12

Array = npt.NDArray[np.generic]


class WrongWeights(Exception):
    """The weights are not those of all-MiniLM-L6-v2."""


class Graph:
    """Nodes and constants in the making. Every method returns the name of what it adds."""

    def __init__(self, weights: dict[str, npt.NDArray[np.float32]]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def matrix(self, name: str) -> str:
        """A dense layer's weights, stored (out, in) and multiplied from the right."""
        return self.constant(name, self.weights[f"{name}.weight"].T)

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def fused(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        return self.node(operator, inputs, output, domain="com.microsoft", **attributes)

    def normalised_sum(self, dense: str, value: str, skip: str, norm: str) -> str:
        inputs = [
            value,
            skip,
            self.weight(f"{norm}.weight"),
            self.weight(f"{norm}.bias"),
            self.weight(f"{dense}.bias"),
        ]
        return self.fused("SkipLayerNormalization", inputs, f"{norm}.out", epsilon=EPSILON)

    def embedded(self) -> str:
        """Word + position + (always the first) token type, normalised: (batch, tokens, WIDTH)."""
        types = self.weights["embeddings.token_type_embeddings.weight"][0]
        self.weight("embeddings.word_embeddings.weight")
        self.constant("positions", self.weights["embeddings.position_embeddings.weight"] + types)
        self.constant("start", np.array([0], np.int64))
        self.node("Gather", ["embeddings.word_embeddings.weight", "input_ids"], "words")
        self.node("Shape", ["input_ids"], "tokens", start=1, end=2)
        self.node("Slice", ["positions", "start", "tokens"], "places")
        self.node("Add", ["words", "places"], "sum")
        norm = "embeddings.LayerNorm"
        inputs = ["sum", self.weight(f"{norm}.weight"), self.weight(f"{norm}.bias")]
        return self.node("LayerNormalization", inputs, "layer.in", axis=-1, epsilon=EPSILON)

    def layer(self, number: int, value: str) -> str:
        at = f"encoder.layer.{number}"
        parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        joined = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        inputs = [value, self.constant(f"{at}.qkv", joined), self.constant(f"{at}.qkv.bias", bias), "mask32"]
        attended = self.fused("Attention", inputs, f"{at}.attended", num_heads=HEADS)
        dense = f"{at}.attention.output.dense"
        mixed = self.node("MatMul", [attended, self.matrix(dense)], f"{dense}.out")
        middle = self.normalised_sum(dense, mixed, value, f"{at}.attention.output.LayerNorm")
        inner = f"{at}.intermediate.dense"
        wide = self.node("MatMul", [middle, self.matrix(inner)], f"{inner}.out")
        active = self.fused("BiasGelu", [wide, self.weight(f"{inner}.bias")], f"{at}.active")
        outer = f"{at}.output.dense"
        narrow = self.node("MatMul", [active, self.matrix(outer)], f"{outer}.out")
        return self.normalised_sum(outer, narrow, middle, f"{at}.output.LayerNorm")

    def pooled(self, value: str) -> str:
        """The mean over real tokens, at unit length (a mean's divisor falls out): (batch, WIDTH)."""
        self.constant("axis", np.array([1], np.int64))
        self.node("Unsqueeze", ["mask", "axis"], "mask.row")
        self.node("MatMul", ["mask.row", value], "pooled.row")
        self.node("Squeeze", ["pooled.row", "axis"], "pooled")
        return self.node("LpNormalization", ["pooled"], "embedding", axis=-1, p=2)


def model(weights: dict[str, npt.NDArray[np.float32]]) -> ModelProto:
    graph = Graph(weights)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    graph.node("Cast", ["attention_mask"], "mask32", to=TensorProto.INT32)
    value = graph.embedded()
    for number in range(LAYERS):
        value = graph.layer(number, value)
    graph.pooled(value)
    made = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def write(weights: Path, out: Path) -> None:
    """Writes `out` and its weights beside it, whole or not at all: the graph, which names the weights' file,
    comes last. Raises WrongWeights."""
    with weights.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != WEIGHTS_SHA256:
            raise WrongWeights(f"{weights} is not the published model: its SHA-256 differs.")
    out.parent.mkdir(parents=True, exist_ok=True)
    own = out.with_name(f"{out.stem}-{os.getpid()}.tmp")
    data = out.with_name(f"{out.stem}-{os.getpid()}.weights")
    made = model(load_file(weights))
    save_model(made, own, save_as_external_data=True, location=data.name, size_threshold=1024)
    data.chmod(0o644)
    own.replace(out)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))

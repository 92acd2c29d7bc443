"""A tagger that costs next to nothing, so that what is left of a job's time is everything but the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.models import labels

TAGS = 3000
GRID = 4


def make(folder: Path, *, side: int = 448, seed: int = 0) -> Path:
    """The model folder `folder/tiny-SIDE`, 0.6 MB: a 4x4 mosaic of the picture, then one dense layer by `seed`."""
    target = folder / (f"tiny-{side}-{seed}" if seed else f"tiny-{side}")
    if (target / "model.onnx").exists():
        return target
    random = np.random.default_rng(seed)
    width = 3 * GRID * GRID
    weights = {
        "weight": (random.standard_normal((width, TAGS)) * 2 / np.sqrt(width)).astype(np.float32),
        "bias": np.full(TAGS, -6.0, dtype=np.float32),
        "scale": np.array(1 / 127.5, dtype=np.float32),
        "one": np.array(1.0, dtype=np.float32),
        "flat": np.array([-1, width], dtype=np.int64),
    }
    cell = side // GRID
    nodes = [
        helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Mul", ["cells", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "one"], ["centred"]),
        helper.make_node("Reshape", ["centred", "flat"], ["features"]),
        helper.make_node("MatMul", ["features", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", side, side, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", TAGS])],
        initializer=[numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    target.mkdir(parents=True, exist_ok=True)
    (target / "selected_tags.csv").write_text(labels(TAGS), encoding="utf-8")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, str(target / "model.onnx"))
    return target

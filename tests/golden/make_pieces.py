"""Writes `models/pieces`: a small network with LayerNorm and GELU in the pieces that Keras and flax exports have.

`python -m tests.golden.make_pieces` makes it anew; README.md tells how its captions came about. Its tags look at means
of strips of the picture, through three LayerNorms and two GELUs.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.golden.make_inputs import RATINGS, general_tags
from tests.support.graph_pieces import (
    CHANNELS,
    Pieces,
    erf_of_keras,
    keras,
    keras_by_batch_norm_of_any_batch,
    keras_pooled,
    tanh_of_flax,
)

FOLDER = Path(__file__).parent / "models" / "pieces"
TAGS = 60


def main() -> None:
    """Writes the model and its tags."""
    rng = np.random.default_rng(2026)
    p = Pieces(17)

    def normal(*shape: int, scale: float = 1.0) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = rng.normal(0, scale, shape).round(3)
        return drawn

    pictures = p.node("Transpose", p.node("Mul", "input", 1 / 2048), perm=[0, 3, 1, 2])
    pooled = p.node("AveragePool", pictures, kernel_shape=[2, 2], strides=[32, 32])
    x = p.node("Conv", pooled, normal(CHANNELS, 3, 2, 2), normal(CHANNELS, scale=0.03), strides=[2, 2])
    x = p.reshape(p.node("Transpose", x, perm=[0, 2, 3, 1]), -1, 49, CHANNELS)
    x = erf_of_keras(p, p.node("MatMul", keras_by_batch_norm_of_any_batch(p, x), normal(CHANNELS, CHANNELS)))
    x = tanh_of_flax(p, p.node("MatMul", keras_pooled(p, x), normal(CHANNELS, CHANNELS)))
    x = keras(p, p.node("Add", x, normal(49, CHANNELS, scale=0.1)))
    strips = p.over("ReduceMean", p.reshape(x, -1, 7, 7, CHANNELS), [2], keep=False)
    logits = p.node("MatMul", p.reshape(strips, -1, 7 * CHANNELS), normal(7 * CHANNELS, TAGS, scale=2))
    p.nodes.append(helper.make_node("Sigmoid", [logits], ["predictions_sigmoid"]))
    graph = helper.make_graph(
        p.nodes,
        "pieces",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch_size", 448, 448, 3])],
        [helper.make_tensor_value_info("predictions_sigmoid", TensorProto.FLOAT, ["batch_size", TAGS])],
        p.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    FOLDER.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(FOLDER / "model.onnx"))
    with (FOLDER / "selected_tags.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["tag_id", "name", "category", "count"])
        for number, tag in enumerate([*RATINGS, *general_tags()][:TAGS]):
            rows.writerow([1000 + number, tag, 9 if number < len(RATINGS) else 0, 1000 - number])


if __name__ == "__main__":
    main()

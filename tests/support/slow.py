"""A tagger that takes its time, on any machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def slow_model(folder: Path, steps: int = 1_000_000) -> Path:
    """A tagger whose batch takes some milliseconds for every step, or some tens: by default, hours."""
    folder.mkdir()
    side, tags = 1024, 3
    weights = (np.eye(side) * 0.999).astype(np.float32)
    step = helper.make_graph(
        [
            helper.make_node("MatMul", ["state_in", "weights"], ["state_out"]),
            helper.make_node("Identity", ["go_in"], ["go_out"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, [side, side]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [side, side]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("ReduceMean", ["mean"], ["level"], keepdims=0),
            helper.make_node("Mul", ["ones", "level"], ["begin"]),
            helper.make_node("Loop", ["times", "go", "begin"], ["end"], body=step),
            helper.make_node("ReduceMax", ["end"], ["top"], keepdims=0),
            helper.make_node("Clip", ["top", "low", "high"], ["score"]),
            helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
            helper.make_node("Mul", ["column", "zeros"], ["blank"]),
            helper.make_node("Add", ["blank", "score"], ["output"]),
        ],
        "slow",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 448, 448, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", tags])],
        [
            numpy_helper.from_array(np.eye(side, dtype=np.float32), "ones"),
            numpy_helper.from_array(np.array(steps), "times"),
            numpy_helper.from_array(np.array(1, dtype=np.bool_), "go"),
            numpy_helper.from_array(np.array(0, dtype=np.float32), "low"),
            numpy_helper.from_array(np.array(1, dtype=np.float32), "high"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
            numpy_helper.from_array(np.zeros((1, tags), dtype=np.float32), "zeros"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(folder / "model.onnx"))
    rows = [
        f"{number},{name},{category},1" for number, (name, category) in enumerate([("safe", 9), ("a", 0), ("b", 4)])
    ]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *rows]) + "\n")
    return folder

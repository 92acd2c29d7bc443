"""Graphs in float16: near the float32 ones where a plain conversion would give no numbers.

onnxruntime's CPU computes float16 in float32, and leaves out conversions between: what overflows shows in numpy only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model
from onnx.reference import ReferenceEvaluator

from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.half import to_half

WIDTH = 300
#: A block of a tagger as flax exports one: LayerNorm in pieces over values whose squares float16 cannot hold, an
#: attention mask of minus infinity, a shape that is computed, and scores that are read on inside the graph.
NODES = [
    helper.make_node("MatMul", ["input", "large"], ["wide"]),
    helper.make_node("ReduceMean", ["wide"], ["mean"], axes=[1], keepdims=1),
    helper.make_node("Sub", ["wide", "mean"], ["centred"]),
    helper.make_node("Mul", ["wide", "wide"], ["squares"]),
    helper.make_node("ReduceMean", ["squares"], ["square"], axes=[1], keepdims=1),
    helper.make_node("Mul", ["mean", "mean"], ["square_of_mean"]),
    helper.make_node("Sub", ["square", "square_of_mean"], ["variance"]),
    helper.make_node("Add", ["variance", "epsilon"], ["above_zero"]),
    helper.make_node("Sqrt", ["above_zero"], ["deviation"]),
    helper.make_node("Div", ["centred", "deviation"], ["normal"]),
    helper.make_node("Shape", ["normal"], ["shape"]),
    helper.make_node("Reshape", ["normal", "shape"], ["same"]),
    helper.make_node("MatMul", ["same", "head"], ["product"]),
    helper.make_node("Add", ["product", "mask"], ["masked"]),
    helper.make_node("Softmax", ["masked"], ["attention"], axis=1),
    helper.make_node("MatMul", ["attention", "tags"], ["logits"]),
    helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    helper.make_node("Identity", ["probabilities"], ["scores"]),
    helper.make_node("MatMul", ["scores", "tags"], ["more"]),
]


def save(path: Path, nodes: list[NodeProto]) -> Path:
    rng = np.random.default_rng(0)
    weights = {
        "large": rng.normal(size=(WIDTH, WIDTH)) * 40,
        "epsilon": np.array(1e-6),
        "head": rng.normal(size=(WIDTH, 8)) / 10,
        "mask": np.array([0, 0, 0, np.finfo(np.float32).min, 0, 0, 0, -np.inf]),
        "tags": rng.normal(size=(8, 8)) * 4,
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("scores", "logits", "more")],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def run_in_numpy(model: bytes, folder: Path, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    loaded = onnx.load_model_from_string(model)
    load_external_data_for_model(loaded, str(folder))
    session = ReferenceEvaluator(loaded)
    return dict(zip(session.output_names, session.run(None, {"input": batch}), strict=True))


def run(model: bytes, folder: Path, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input": batch}), strict=True))


def test_scores_in_float16_are_near(tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", NODES)
    batch = np.random.default_rng(1).normal(size=(3, WIDTH)).astype(np.float32)
    exact = run(path.read_bytes(), tmp_path, batch)
    graph = EditableGraph.read(path)
    assert to_half(graph)
    assert len(graph.to_bytes()) < 50_000, "large weights stay in their file"
    for runs in (run, run_in_numpy):
        fast = runs(graph.to_bytes(), graph.folder, batch)
        assert [array.dtype for array in fast.values()] == [np.float32] * 3
        difference = np.abs(fast["scores"] - exact["scores"]).max()
        assert 1e-6 < difference < 5e-3
        assert (fast["scores"] != fast["scores"].astype(np.float16)).any(), "a score has more than 10 bits"
        np.testing.assert_allclose(fast["more"], exact["more"], atol=0.05)


def test_what_is_not_known_stays_as_it_is(tmp_path: Path) -> None:
    unknown = helper.make_node("Celu", ["logits"], ["other"])
    for number, nodes in enumerate(([*NODES, unknown], [*NODES, helper.make_node("Identity", ["nowhere"], ["other"])])):
        graph = EditableGraph.read(save(tmp_path / f"{number}.onnx", nodes))
        before = graph.to_bytes()
        assert not to_half(graph)
        assert graph.to_bytes() == before


def test_a_graph_in_float16_stays_as_it_is(tmp_path: Path) -> None:
    graph = EditableGraph.read(save(tmp_path / "model.onnx", NODES))
    assert to_half(graph)
    (tmp_path / "half.onnx").write_bytes(graph.to_bytes())
    assert not to_half(EditableGraph.read(tmp_path / "half.onnx"))

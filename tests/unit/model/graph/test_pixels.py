"""Pixels in, and inside the graph the numbers that `preprocess.values` gives, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from wd14.input_spec import InputSpec
from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.pixels import take_pixels
from wd14.model.preprocess import values

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def save(path: Path, element: int = TensorProto.FLOAT, layout: str = "NHWC") -> Path:
    """A graph that gives what it gets."""
    sides = [16, 16, 3] if layout == "NHWC" else [3, 16, 16]
    ends = [helper.make_tensor_value_info(name, element, [None, *sides]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(16),
        InputSpec(16, value_range="-1..1"),
        InputSpec(16, value_range="normalized"),
        InputSpec(16, value_range="normalized", mean=MEAN, deviation=DEVIATION),
        InputSpec(16, "NCHW", value_range="normalized", mean=MEAN, deviation=DEVIATION, scale=0.7),
    ],
    ids=str,
)
def test_all_pixels_become_the_values_of_preprocess(tmp_path: Path, spec: InputSpec) -> None:
    graph = EditableGraph.read(save(tmp_path / "model.onnx", layout=spec.layout))
    take_pixels(graph, "input", spec)
    session = onnxruntime.InferenceSession(graph.to_bytes(), providers=["CPUExecutionProvider"])
    pixels = np.arange(768, dtype=np.uint16).astype(np.uint8)
    pixels = pixels.reshape((1, 16, 16, 3) if spec.layout == "NHWC" else (1, 3, 16, 16))
    [found] = session.run(["output"], {"input": pixels})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values(pixels, spec))


def test_an_input_that_is_not_float32_stays(tmp_path: Path) -> None:
    graph = EditableGraph.read(save(tmp_path / "model.onnx", TensorProto.FLOAT16))
    before = graph.to_bytes()
    for name in ("input", "no such input"):
        with pytest.raises(ValueError, match="no float32 input"):
            take_pixels(graph, name, InputSpec())
    assert graph.to_bytes() == before

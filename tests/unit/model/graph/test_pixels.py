"""Pixels in, and inside the graph the numbers that `preprocess.values` gives, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from wd14.input_spec import InputSpec
from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.pixels import take_pixels
from wd14.model.preprocess import values


def save(path: Path, element: int = TensorProto.FLOAT) -> Path:
    """A graph that gives what it gets."""
    ends = [helper.make_tensor_value_info(name, element, [None, 16, 16, 3]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Identity", ["input"], ["output"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("value_range", ["0..255", "-1..1"])
def test_all_pixels_become_the_values_of_preprocess(tmp_path: Path, value_range: Literal["0..255", "-1..1"]) -> None:
    spec = InputSpec(size=16, value_range=value_range)
    graph = EditableGraph.read(save(tmp_path / "model.onnx"))
    take_pixels(graph, "input", spec)
    session = onnxruntime.InferenceSession(graph.to_bytes(), providers=["CPUExecutionProvider"])
    pixels = np.arange(768, dtype=np.uint16).astype(np.uint8).reshape(1, 16, 16, 3)
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

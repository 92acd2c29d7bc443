"""Models as candidates want them."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tests.support.onnx_models import wd14_folder
from wd14.model.files.find import find_model
from wd14.model.graph.rewriting import fusible


def test_a_graph_that_makes_no_sense_has_nothing_to_fuse(tmp_path: Path) -> None:
    """Whatever is wrong with it, the opening says."""
    wd14_folder(tmp_path / "model", size=32)
    path = tmp_path / "model" / "model.onnx"
    model = onnx.load(path)
    empty = onnx.TensorProto(data_type=TensorProto.FLOAT, dims=[0, 1 << 62, 1 << 62], raw_data=b"")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["nothing"], value=empty))
    onnx.save(model, path)
    assert not fusible(find_model(tmp_path / "model"))

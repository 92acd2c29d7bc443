"""Models as candidates want them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_models import expected, masked_folder, wd14_folder
from wd14.model.files.find import find_model
from wd14.model.graph.rewriting import fusible, rewritten
from wd14.model.runtimes.session import Precision
from wd14.model.trial.candidates import Candidate


def test_a_graph_that_makes_no_sense_has_nothing_to_fuse(tmp_path: Path) -> None:
    """Whatever is wrong with it, the opening says."""
    wd14_folder(tmp_path / "model", size=32)
    path = tmp_path / "model" / "model.onnx"
    model = onnx.load(path)
    empty = onnx.TensorProto(data_type=TensorProto.FLOAT, dims=[0, 1 << 62, 1 << 62], raw_data=b"")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["nothing"], value=empty))
    onnx.save(model, path)
    assert not fusible(find_model(tmp_path / "model"))


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_pictures_go_to_a_gpu_as_bytes_beside_a_mask(tmp_path: Path, precision: Precision) -> None:
    weights = masked_folder(tmp_path, size=16)
    model = rewritten(find_model(tmp_path), Candidate("cuda", precision), gpu=True)
    session = onnxruntime.InferenceSession(model.content, providers=["CPUExecutionProvider"])
    assert [each.type for each in session.get_inputs()] == ["tensor(uint8)", "tensor(bool)"]
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16), np.uint8)
    mask = np.zeros((1, 16, 16), bool)
    mask[:, :7] = True
    [found] = session.run(None, {"pixel_values": pixels, "padding_mask": mask})
    mean = (pixels[:, :, 7:] / 127.5 - 1).mean(axis=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(found, expected(mean, weights), atol=1e-5 if precision == "exact" else 1e-3)

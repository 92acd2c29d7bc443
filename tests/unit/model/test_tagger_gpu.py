"""The way to a GPU that no test machine has: onnxruntime's CPU runs what CUDA is given, and says that it is CUDA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from tests.support.onnx_models import random_weights, save_model, wd14_folder, write_csv
from wd14 import Tagger
from wd14.model.preprocess import values
from wd14.model.runtimes import onnxruntime_session
from wd14.types import PixelArray

SIZE = 16
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class OrtWithCuda:
    """onnxruntime, which has CUDA too."""

    def __init__(self) -> None:
        self.models: list[str | bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(self, model: str | bytes, *, providers: list[Any], **options: Any) -> Any:
        self.models.append(model)
        session = onnxruntime.InferenceSession(model, providers=[CPU], **options)
        session.get_providers = lambda: [each if isinstance(each, str) else each[0] for each in providers]
        return session


@pytest.fixture
def ort(monkeypatch: pytest.MonkeyPatch) -> OrtWithCuda:
    fake = OrtWithCuda()
    monkeypatch.setattr(onnxruntime_session, "_onnxruntime", lambda: fake)
    return fake


def pictures(count: int, layout: str = "NHWC") -> PixelArray:
    shape = (count, SIZE, SIZE, 3) if layout == "NHWC" else (count, 3, SIZE, SIZE)
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, shape) * rng.uniform(size=(count, 1, 1, 1))).astype(np.uint8)


@pytest.mark.parametrize("fixed", [None, 2])
@pytest.mark.usefixtures("ort")
def test_a_gpu_is_given_pixels_and_gives_the_scores_of_the_cpu(tmp_path: Path, fixed: int | None) -> None:
    wd14_folder(tmp_path, size=SIZE, batch=fixed)
    on_cpu, on_gpu = Tagger.load(tmp_path, device="cpu"), Tagger.load(tmp_path, device="cuda")
    assert (on_gpu.device, on_gpu.precision) == ("cuda", "exact")
    assert on_gpu.preferred_batch == (fixed or 16)
    np.testing.assert_array_equal(on_gpu.run(pictures(5)), on_cpu.run(pictures(5)))
    with pytest.raises(ValueError, match="expected a batch of uint8, got float32"):
        on_gpu.run(values(pictures(1), on_gpu.spec))


def test_fast_on_a_gpu_is_float16(tmp_path: Path, ort: OrtWithCuda) -> None:
    save_model(tmp_path / "model.onnx", random_weights(6), layout="NCHW", size=SIZE)
    write_csv(tmp_path / "selected_tags.csv", [0] * 6)
    on_cpu, fast = Tagger.load(tmp_path, device="cpu"), Tagger.load(tmp_path, device="auto", precision="fast")
    assert isinstance(ort.models[-1], bytes)
    assert (fast.device, fast.precision) == ("cuda", "fast")
    difference = np.abs(fast.run(pictures(8, "NCHW")) - on_cpu.run(pictures(8, "NCHW"))).max()
    assert 1e-7 < difference < 2e-3


@pytest.mark.usefixtures("ort")
def test_a_model_in_float16_is_run_as_it_is(tmp_path: Path) -> None:
    save_model(tmp_path / "model.onnx", random_weights(6), layout="NCHW", size=SIZE, element=TensorProto.FLOAT16)
    write_csv(tmp_path / "selected_tags.csv", [0] * 6)
    on_cpu, fast = Tagger.load(tmp_path, device="cpu"), Tagger.load(tmp_path, device="cuda", precision="fast")
    assert fast.precision == "exact", "what the file computes in is the model's own precision"
    np.testing.assert_array_equal(fast.run(pictures(3, "NCHW")), on_cpu.run(pictures(3, "NCHW")))


@pytest.mark.usefixtures("ort")
def test_a_batch_that_does_not_fit_goes_through_in_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wd14_folder(tmp_path, size=SIZE)
    lines: list[str] = []
    tagger = Tagger.load(tmp_path, device="cuda", log=lines.append)
    expected = tagger.run(pictures(9))
    to_device = onnxruntime.IOBinding.bind_cpu_input
    sizes: list[int] = []

    def with_room_for_three(binding: Any, name: str, array: Any) -> None:
        sizes.append(len(array))
        if len(array) > 3:
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=x")
        to_device(binding, name, array)

    monkeypatch.setattr("onnxruntime.IOBinding.bind_cpu_input", with_room_for_three)
    np.testing.assert_array_equal(tagger.run(pictures(9)), expected)
    assert sizes == [9, 4, 2, 2, 2, 2, 1]
    assert tagger.most_at_once == 2
    assert lines[-1] == "Not enough memory on cuda for 4 pictures at once: going on with 2"

"""Runs on devices that no test machine has: onnxruntime's own CPU stands for them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.support.onnx_models import expected, random_weights, save_model
from wd14.errors import ScoringError
from wd14.model.runtimes.onnxruntime_session import OnnxruntimeSession

SIDE = 16
WEIGHTS = random_weights(5)
BATCH = np.random.default_rng(0).uniform(-1, 1, (3, SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture
def real(tmp_path: Path) -> Any:
    path = save_model(tmp_path / "model.onnx", WEIGHTS, size=SIDE, input_name="input")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def scores_of(batch: NDArray[np.float32]) -> NDArray[np.float64]:
    return expected(batch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32), WEIGHTS)


def test_a_run_whose_input_is_brought_to_the_device_first(real: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(real), "run", lambda *_: pytest.fail("the input was brought there within the run"))
    session = OnnxruntimeSession(real, "cuda", "exact", None)
    with ThreadPoolExecutor(3) as threads:
        for scores in threads.map(lambda _: session.run({"input": BATCH}, "predictions_sigmoid"), range(9)):
            np.testing.assert_allclose(scores, scores_of(BATCH), atol=1e-6)
    with pytest.raises(ScoringError, match="the model failed"):
        session.run({"input": BATCH[:, :8]}, "predictions_sigmoid")


def test_a_device_without_memory_for_the_input_has_too_little(real: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=x")

    monkeypatch.setattr("onnxruntime.IOBinding.bind_cpu_input", full)
    with pytest.raises(MemoryError):
        OnnxruntimeSession(real, "cuda", "exact", None).run({"input": BATCH}, "predictions_sigmoid")


def test_directml_does_one_run_at_a_time(real: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = threading.Semaphore(1)

    def run(*_: object) -> list[NDArray[np.float32]]:
        assert running.acquire(blocking=False), "two runs at once"
        time.sleep(0.005)
        running.release()
        return [BATCH]

    monkeypatch.setattr(type(real), "run", run)
    session = OnnxruntimeSession(real, "directml", "exact", None)
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda _: session.run({"input": BATCH}, "output"), range(8)))) == 8

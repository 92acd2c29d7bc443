"""A runtime alone, and the package, each in a process of its own: what a table of the benchmarks compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_model, pictures, tiny
from benchmarks.bench_model import ALONE, run_alone, run_ours
from benchmarks.measure import last_json

SIDE = 448


def test_every_runtime_and_the_package_score_the_same_pictures_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WD14_CACHE", str(tmp_path / "cache"))
    model, inputs, scores = tiny.make(tmp_path), tmp_path / "in.npy", tmp_path / "scores.npy"
    np.save(inputs, pictures.model_inputs(3, SIDE))
    found = []
    for runtime in ("onnxruntime", "openvino"):
        child, times = run_alone(runtime, model, inputs, 5, str(scores))
        assert len(times) == 5
        assert child.started < times[0] <= times[-1] < child.started + child.seconds
        found.append(np.load(scores))
    child = run_ours(model, "open", str(model), "exact", str(inputs), str(scores))
    assert last_json(child.output) == {"device": "cpu", "precision": "exact"}
    found.append(np.load(scores))
    assert found[0].shape == (3, tiny.TAGS)
    assert found[0].std(axis=0).max() > 0.05  # the pictures differ
    for others in found[1:]:
        np.testing.assert_allclose(others, found[0], atol=1e-5)


def test_every_row_of_a_table_is_measured_once_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WD14_CACHE", str(tmp_path / "cache"))
    photos = tmp_path / "photos"
    pictures.make(photos, 7, longest=600)
    options = bench_model.Options(tmp_path, tmp_path, 1, 7, 0, 0, None, "")
    rows = bench_model._rows(tiny.make(tmp_path), photos, options)
    row = rows[bench_model.EXACT]
    row.add()
    assert list(rows)[: len(ALONE) - 1] == list(ALONE)[:-1]
    assert row.rate.last > 0
    assert 0 < row.first.last < row.seconds.last
    assert 0.05 < row.memory.last < 1

"""Exact scores and those in 16 bits: stored apart, and found by the jobs that may have them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import wd14_folder
from wd14.config import CaptionConfig
from wd14.model.files.find import find_model
from wd14.model.runtimes.session import Precision
from wd14.model.score_store.model_scores import ModelScores
from wd14.model.score_store.store import ScoreStore

BOTH, ONLY_FAST, ONLY_EXACT = (hashlib.sha256(name).digest() for name in (b"both", b"fast", b"exact"))


@pytest.mark.parametrize(("asked", "found"), [("exact", (0.5, None, 0.5)), ("fast", (0.25, 0.25, 0.5))])
def test_an_exact_job_finds_exact_scores_and_a_fast_one_its_own_first(
    asked: Precision, found: tuple[float | None, ...], tmp_path: Path
) -> None:
    wd14_folder(tmp_path / "model", size=16, tags=12)
    model = find_model(tmp_path / "model")
    exact, fast = np.full(12, 0.5, np.float32), np.full(12, 0.25, np.float32)
    with ScoreStore.open(tmp_path) as store:
        assert ModelScores(store, model, CaptionConfig(precision=asked)).is_empty()
        writer = ModelScores(store, model, CaptionConfig(precision="fast"))
        writer.put([(BOTH, exact), (ONLY_EXACT, exact)], "exact")
        writer.put([(BOTH, fast), (ONLY_FAST, fast)], "fast")
    with ScoreStore.open(tmp_path) as store:
        scores = ModelScores(store, model, CaptionConfig(precision=asked))
        assert not scores.is_empty()
        rows = [scores.get(picture) for picture in (BOTH, ONLY_FAST, ONLY_EXACT)]
        assert tuple(None if row is None else float(row[0]) for row in rows) == found


def test_exact_scores_of_earlier_versions_are_found(tmp_path: Path) -> None:
    """Their key had no precision."""
    wd14_folder(tmp_path / "model", size=16)
    model = find_model(tmp_path / "model")
    with ScoreStore.open(tmp_path) as store:
        view = store.view(model.identity, "v1 kohya image_size=0 upright", model.labels)
        view.put([(BOTH, np.full(12, 0.5, np.float32))])
        assert ModelScores(store, model, CaptionConfig()).get(BOTH) is not None

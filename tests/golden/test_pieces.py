"""Captions equal to kohya's in `pieces.json`, of a model with LayerNorm and GELU in pieces, by every exact runtime."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.images.opening import PictureFile
from wd14.model.files.find import find_model
from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.fusion import fuse
from wd14.model.preprocess import pixels
from wd14.model.runtimes.opening import open_candidate
from wd14.model.runtimes.session import Opening
from wd14.model.tagger import Tagger
from wd14.model.trial.candidates import Candidate
from wd14.types import FloatArray

HERE = Path(__file__).parent
MODEL = HERE / "models" / "pieces"
PLAIN, FUSED = Candidate("cpu"), Candidate("cpu", fused=True)
CAPTIONS: dict[str, dict[str, str]] = json.loads((HERE / "pieces.json").read_text(encoding="utf-8"))["captions"]


@functools.cache
def tagger(candidate: Candidate) -> Tagger:
    files = find_model(MODEL)
    return Tagger.of_session(files, open_candidate(files, candidate, Opening(threads=1)))


@functools.cache
def scores(candidate: Candidate) -> dict[str, FloatArray]:
    loaded = tagger(candidate)
    found = {}
    for path in sorted((HERE / "pictures").iterdir()):
        rgb = PictureFile(path.read_bytes(), max_pixels=10_000_000).rgb(upright=False)
        found[path.name] = loaded.run(pixels(rgb, loaded.spec, profile="kohya", image_size=0)[None])[0]
    return found


@pytest.mark.parametrize(
    "candidate",
    [PLAIN, FUSED, Candidate("openvino"), Candidate("openvino", fused=True)],
    ids=["onnxruntime", "onnxruntime, fused", "openvino", "openvino, fused"],
)
@pytest.mark.parametrize("thresh", CAPTIONS)
def test_captions_equal(thresh: str, candidate: Candidate) -> None:
    captioner = Captioner(tagger(candidate).labels, CaptionConfig(thresh=float(thresh)))
    assert {name: captioner(found).text for name, found in scores(candidate).items()} == CAPTIONS[thresh]
    assert len(set(CAPTIONS[thresh].values())) > 20


def test_it_was_the_fused_graph_that_ran() -> None:
    """Whose scores differ by what another order of rounding makes of them, and by no more."""
    assert fuse(EditableGraph.read(MODEL / "model.onnx")) == 5
    plain, fused = (np.stack([*scores(way).values()]) for way in (PLAIN, FUSED))
    assert 0 < np.abs(plain - fused).max() < 1e-5

"""The interfaces that taggers are published with, as small files: whole jobs whose captions are worked out by hand.

The pictures have one colour each, so what the model sees of them needs no resize: its channel means are the colour.
Thresholds that a score comes close to are not asked for: float32 may fall to either side.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.onnx_models import Weights, expected, random_weights, save_model, write_csv
from wd14 import CaptionConfig, caption_dataset
from wd14.input_spec import InputSpec
from wd14.model.files import registry
from wd14.model.files.description import FileDescription, LabelsDescription, ModelDescription
from wd14.model.files.find import find_model
from wd14.model.files.hashes import sha256_of
from wd14.model.preprocess import pixels
from wd14.model.tagger import Tagger

GENERAL, CHARACTER = 0.35, 0.6
COLOURS = {"blue.png": (10, 20, 200), "grey.png": (128, 128, 128), "red.png": (220, 40, 30), "tall.png": (90, 200, 90)}


@dataclass
class Published:
    """A tagger in a folder, and how it reads a colour."""

    folder: Path
    weights: Weights
    names: list[str]
    categories: list[str]
    bgr: bool
    scaled: bool  #: x / 127.5 - 1
    by_score: bool

    def caption(self, colour: tuple[int, int, int]) -> str:
        """The caption at the thresholds above."""
        values = np.array([colour[::-1] if self.bgr else colour], np.float64)
        if self.scaled:
            values = values / 127.5 - 1
        scores = expected(values.astype(np.float32), self.weights)[0]
        limits = {"general": GENERAL, "character": CHARACTER, "rating": 2.0}
        kept = [i for i, category in enumerate(self.categories) if scores[i] >= limits[category]]
        close = [abs(scores[i] - limits[c]) for i, c in enumerate(self.categories)]
        assert min(close) > 1e-4, "a threshold too close to call; choose another seed"
        if self.by_score:
            kept.sort(key=lambda index: -scores[index])
        else:
            kept.sort(key=lambda index: self.categories[index] == "character")
        return ", ".join(self.names[index] for index in kept)


NUMBERS = {"rating": 9, "general": 0, "character": 4}


def wd14(folder: Path, batch: int | str) -> Published:
    categories = ["rating"] * 4 + ["general"] * 20 + ["character"] * 6
    weights = random_weights(30, seed=3, scale=1 / 200)
    save_model(folder / "model.onnx", weights, batch=batch)
    names = write_csv(folder / "selected_tags.csv", [NUMBERS[category] for category in categories])
    return Published(folder, weights, names, categories, bgr=True, scaled=False, by_score=False)


def cl_tagger(folder: Path) -> Published:
    categories = ["general", "character", "rating"] * 10
    weights = random_weights(30, seed=4)
    save_model(
        folder / "model_optimized.onnx", weights, layout="NCHW", sigmoid=False, batch="b", input_name="pixel_values"
    )
    names = [f"tag_{index}" for index in range(30)]
    mapping = {
        str(index): {"tag": names[index], "category": categories[index].capitalize()} for index in reversed(range(30))
    }
    (folder / "tag_mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    return Published(folder, weights, names, categories, bgr=True, scaled=True, by_score=True)


def pixai(folder: Path) -> Published:
    categories = ["general"] * 20 + ["character"] * 10
    weights = random_weights(30, seed=5)
    save_model(folder / "model.onnx", weights, layout="NCHW", three_outputs=True)
    names = write_csv(folder / "selected_tags.csv", [NUMBERS[category] for category in categories], extra=",ips")
    return Published(folder, weights, names, categories, bgr=False, scaled=True, by_score=False)


@pytest.fixture(params=["wd14", "wd14 fixed 1", "wd14 fixed 3", "cl_tagger", "pixai"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Published:
    makers = {
        "wd14": lambda folder: wd14(folder, "batch_size"),
        "wd14 fixed 1": lambda folder: wd14(folder, 1),
        "wd14 fixed 3": lambda folder: wd14(folder, 3),
        "cl_tagger": cl_tagger,
        "pixai": pixai,
    }
    return makers[request.param](tmp_path / "tagger")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (450, 450), colour).save(folder / name)
    return folder


@pytest.mark.parametrize("batch_size", [None, 3])
def test_captions_of_every_interface(
    published: Published, pictures: Path, tmp_path: Path, batch_size: int | None
) -> None:
    config = CaptionConfig(
        custom_model=str(published.folder), thresh=GENERAL, character_threshold=CHARACTER, batch_size=batch_size
    )
    summary = caption_dataset(pictures, config, output=tmp_path / "out")
    assert (summary.succeeded, summary.failed, summary.device) == (4, 0, "cpu")
    lines = (Path(str(summary.output)) / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    found = {row["file_name"]: row["caption"] for row in map(json.loads, lines)}
    assert found == {name: published.caption(colour) for name, colour in COLOURS.items()}
    assert len(set(found.values())) == 4, "each colour has a caption of its own"


def test_pictures_are_padded_or_stretched_as_their_model_wants_it(tmp_path: Path) -> None:
    """Half of a padded 448 x 224 picture is white; a stretched one has no white in it."""
    picture = Image.new("RGB", (448, 224), (0, 0, 0))
    stretched, padded = pixai(tmp_path / "a"), cl_tagger(tmp_path / "b")
    for model, mean in ((stretched, -1.0), (padded, 0.0)):
        tagger = Tagger.load(model.folder, device="cpu")
        scores = tagger.run(pixels(picture, tagger.spec, profile="kohya", image_size=0)[np.newaxis])
        np.testing.assert_allclose(scores, expected(np.full((1, 3), mean, np.float32), model.weights), atol=1e-3)


def test_the_registry_says_what_the_files_alone_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file, described: its channels are the registry's, not its family's guess."""
    model = pixai(tmp_path / "tagger")
    opened = find_model(model.folder)
    spec = InputSpec(448, "NCHW", "BGR", "-1..1", "pad")
    sha256 = sha256_of(opened.model_path)
    described = ModelDescription(
        id="a/b",
        repo="a/b",
        revision="0" * 40,
        model=FileDescription("model.onnx", sha256),
        labels=LabelsDescription("selected_tags.csv"),
        spec=spec,
        activation="sigmoid",
        output_name="logits",
    )
    monkeypatch.setattr(registry, "_BY_SHA256", {sha256: described})
    tagger = Tagger.load(model.folder, device="cpu")
    assert tagger.spec == spec
    assert tagger.identity != opened.identity, "scores that mean something else are not mixed up in the store"
    batch = np.full((1, 3, 448, 448), 0.5, np.float32)
    np.testing.assert_allclose(tagger.run(batch), expected(np.full((1, 3), 0.5, np.float32), model.weights), atol=1e-4)

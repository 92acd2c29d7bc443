"""Captions equal to kohya's in `captions.json`: our pixels, tagger and text, from file to caption."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.images.opening import PictureFile
from wd14.model.preprocess import pixels
from wd14.model.tagger import Tagger
from wd14.types import FloatArray

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "captions.json").read_text(encoding="utf-8"))["cases"]


@functools.cache
def tagger(model: str, device: str = "cpu") -> Tagger:
    return Tagger.load(HERE / "models" / model, device=device, intra_op_threads=1)


@functools.cache
def scores(model: str, picture: str, orientation: bool, device: str = "cpu") -> FloatArray:
    data = (HERE / "pictures" / picture).read_bytes()
    rgb = PictureFile(data, max_pixels=10_000_000).rgb(upright=orientation)
    loaded = tagger(model, device)
    batch = pixels(rgb, loaded.spec, profile="kohya", image_size=0)[None]
    found: FloatArray = loaded.run(batch)[0]
    return found


def config_of(values: dict[str, Any]) -> CaptionConfig:
    """kohya's threshold for characters is that for all tags unless it is set; ours is 0.85."""
    config = CaptionConfig.from_values(values)
    if values.get("character_threshold") is None:
        config = config.model_copy(update={"character_threshold": config.thresh})
    return config


@pytest.mark.parametrize("device", ["cpu", "openvino"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_captions_equal(case: dict[str, Any], device: str) -> None:
    config = config_of(case["config"])
    captioner = Captioner(tagger(case["model"], device).labels, config)
    assert case["captions"]
    for picture, expected in case["captions"].items():
        found = captioner(
            scores(case["model"], picture, config.exif_orientation, device), case["existing"].get(picture)
        )
        assert found.text == expected, picture


def test_every_picture_is_among_the_captions() -> None:
    pictures = {path.name for path in (HERE / "pictures").iterdir()}
    captioned = [set(case["captions"]) for case in CASES if case["name"].startswith("every picture")]
    assert captioned == [pictures, pictures]


def test_orientation_is_what_sets_turned_pictures_apart() -> None:
    config = CaptionConfig(thresh=0.8, character_threshold=0.8)
    captioner = Captioner(tagger("csv").labels, config)
    [plain] = [case["captions"] for case in CASES if case["name"] == "every picture, csv"]
    differing = {name for name in plain if captioner(scores("csv", name, True)).text != plain[name]}
    assert differing == {name for name in plain if name.startswith("jpeg_turned")}


def test_a_value_one_off_shows() -> None:
    """The models are sensitive enough for their captions to stand for pixels."""
    loaded = tagger("csv")
    picture = PictureFile((HERE / "pictures" / "size_448x448.png").read_bytes(), max_pixels=1_000_000)
    seen = pixels(picture.rgb(upright=False), loaded.spec, profile="kohya", image_size=0)
    moved = seen + (seen < 255)
    kept = [loaded.run(array[None])[0] >= 0.8 for array in (seen, moved)]
    assert (kept[0] != kept[1]).mean() > 0.2

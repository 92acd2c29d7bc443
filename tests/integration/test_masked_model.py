"""A model with a padding mask, from encoded pictures to scores: neither padding nor transparency is seen as picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

import wd14
from tests.support.onnx_models import Weights, expected, masked_folder
from wd14.comparing import compare
from wd14.config import CaptionConfig
from wd14.scale import estimate as estimating
from wd14.stop import StopToken

SIZE = 32
TAGS = [f"tag_{tag}" for tag in range(4)]
GREY = (114, 114, 114)
#: Pictures of one colour: fitting, wide, tall, small, of an odd side, and one pixel.
SIDES = {
    (200, 20, 90): (32, 32),
    (0, 0, 0): (64, 20),
    (10, 250, 33): (5, 90),
    (255, 0, 255): (7, 9),
    (250, 250, 250): (61, 33),
    (9, 99, 199): (1, 1),
}
PICTURES = [Image.new("RGB", size, colour) for colour, size in SIDES.items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"


def wanted(colours: Sequence[tuple[int, ...]], weights: Weights) -> Any:
    return expected(np.array(colours, np.float32) / np.float32(127.5) - 1, weights)


def scores_of(pictures: list[Image.Image], folder: Path, **parameters: Any) -> Any:
    found = wd14.tag(pictures, folder, thresh=0.0, cache=False, **parameters)
    return [[each.general[tag] for tag in TAGS] for each in found]


@pytest.mark.parametrize("fixed", [None, 4])
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_the_scores_are_those_of_the_picture_alone(folder: Path, device: str, fixed: int | None) -> None:
    weights = masked_folder(folder, size=SIZE, batch=fixed)
    found = scores_of(PICTURES, folder, device=device, batch_size=4)
    np.testing.assert_allclose(found, wanted(list(SIDES), weights), atol=1e-4)


@pytest.mark.parametrize("kind", ["INT64", "INT32", "UINT8", "FLOAT"])
def test_openvino_takes_masks_of_numbers(folder: Path, kind: str) -> None:
    weights = masked_folder(folder, size=SIZE, mask_type=TensorProto.DataType.Value(kind))
    found = scores_of(PICTURES[1:3], folder, device="openvino")
    np.testing.assert_allclose(found, wanted(list(SIDES)[1:3], weights), atol=1e-4)


def test_what_is_transparent_is_the_models_grey(folder: Path) -> None:
    weights = masked_folder(folder, size=SIZE)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.info["transparency"] = 1
    transparent = [Image.new("RGBA", (20, 40), (255, 0, 0, 0)), Image.new("LA", (8, 8), (255, 0)), palette]
    shown = [*transparent, Image.new("RGBA", (20, 40), (255, 0, 0, 255)), Image.new("L", (3, 3), 40)]
    found = scores_of(shown, folder)
    np.testing.assert_allclose(found, wanted([GREY, GREY, GREY, (255, 0, 0), (40, 40, 40)], weights), atol=1e-4)


def test_a_comparison_and_an_estimate_know_the_mask(folder: Path, tmp_path: Path) -> None:
    masked_folder(folder, size=SIZE)
    source = tmp_path / "pictures"
    source.mkdir()
    for number, picture in enumerate(PICTURES):
        picture.save(source / f"{number}.png")
    compared = compare(str(source), {"custom_model": str(folder), "device": "cpu"}, ["device=openvino"])
    assert (compared.pictures, compared.scores.largest < 1e-5) == (len(PICTURES), True)
    config = CaptionConfig(custom_model=str(folder))
    quiet: dict[str, Any] = {"log": lambda _: None, "tick": lambda *_: None, "stop": StopToken()}
    found = estimating.estimate(str(source), config, workers=1, price=None, shard_rows=3, **quiet)
    assert found.model.value > 0

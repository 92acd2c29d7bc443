"""`preprocess.json` as people and exporters write it; golden/test_stages.py compares what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wd14.errors import DescriptionError
from wd14.input_spec import CenterCrop, InputSpec, PadToSize, Resize
from wd14.model.files.preprocess_file import read_preprocess

SQUASH = {"type": "resize", "size": [448, 448]}
TENSOR = {"type": "to_tensor"}
HALVES = {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "preprocess.json"


def test_every_step_is_read(path: Path) -> None:
    steps = [
        {"type": "convert_rgb", "force_background": "black"},
        {"type": "pad_to_size", "size": [600, 500], "background_color": "#ff8000", "interpolation": "bicubic"},
        {"type": "resize", "size": 500, "interpolation": 1, "max_size": 550, "antialias": None},
        {"type": "center_crop", "size": [448, 448]},
        TENSOR,
        {"type": "rescale", "rescale_factor": 0.5},
        {"type": "normalize", "mean": [0.1, 0.2, 0.3], "std": 0.4, "inplace": True},
    ]
    path.write_text(json.dumps({"pre": "for training", "test": steps, "val": None}))
    assert read_preprocess(path) == InputSpec(
        448,
        "NCHW",
        "RGB",
        "normalized",
        "stages",
        (
            PadToSize((600, 500), (255, 128, 0), "bicubic"),
            Resize((500,), "lanczos", longest=550, antialias=False),
            CenterCrop((448, 448)),
        ),
        mean=(0.1, 0.2, 0.3),
        deviation=(0.4, 0.4, 0.4),
        scale=0.5,
        background=(0, 0, 0),
    )


def test_the_description_says_layout_and_channels(path: Path) -> None:
    path.write_text(json.dumps([SQUASH, TENSOR, HALVES | {"mean": [0.1, 0.2, 0.3]}]))
    found = read_preprocess(path, InputSpec(layout="NHWC", channels="BGR", background=(1, 2, 3)))
    assert (found.layout, found.channels, found.mean, found.background) == ("NHWC", "BGR", (0.3, 0.2, 0.1), (1, 2, 3))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            [SQUASH, {"type": "border", "size": 3}, TENSOR],
            "stages[1].type: expected one of resize, center_crop, pad_to",
        ),
        ([SQUASH, {"type": "border"}, TENSOR], "rescale, normalize, got 'border'"),
        ([SQUASH, {"size": 3}, TENSOR], "stages[1].type: expected the name of a step"),
        (["resize"], "stages[0]: expected an object {…}, got 'resize'"),
        ({"test": [SQUASH, TENSOR | {"size": 3}]}, "test[1].size: there is no such field"),
        ({"test": [{"type": "resize", "size": "448"}, TENSOR]}, "test[0].size[0]: expected a whole number, got '448'"),
        ([SQUASH | {"interpolation": "cubic"}, TENSOR], "stages[0].interpolation: expected 'nearest', 'bilinear'"),
        ([SQUASH, TENSOR, {"type": "normalize", "mean": [0.5, 0.5, 0.5]}], "stages[2].std is missing"),
        ([SQUASH, TENSOR, HALVES | {"std": [0, 1, 1]}], "stages[2].std[0]: expected at least 0.000001, got 0"),
        ([SQUASH, TENSOR, HALVES | {"mean": [0.5, 0.5]}], "stages[2].mean[2] is missing"),
        ([SQUASH, TENSOR, HALVES | {"mean": [1e300, 0, 0]}], "stages[2].mean[0]: expected at most 1000000, got"),
        ([SQUASH], "stages: expected a step to_tensor, found resize"),
        ([SQUASH, HALVES, TENSOR], "stages[1]: expected to_tensor before normalize"),
        ([SQUASH, TENSOR, SQUASH], "stages[2]: resize cannot come after to_tensor"),
        ([SQUASH, TENSOR, HALVES, HALVES], "stages[3]: normalize cannot come after normalize"),
        ([{"type": "resize", "size": 448}, TENSOR], "square of one size, they make pictures of several sizes"),
        ([{"type": "resize", "size": [448, 400]}, TENSOR], "400 x 448 pixels, which is no square"),
        ({"pre": [SQUASH]}, 'expected {"stages": […]} or {"test": […]}, a list of steps'),
        (5, 'expected {"stages": […]} or {"test": […]}, a list of steps'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(path: Path, value: Any, message: str) -> None:
    path.write_text(json.dumps(value))
    with pytest.raises(DescriptionError) as error:
        read_preprocess(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "message"), [(b"{", "line 1, column 2 is no JSON"), (b"[NaN]", "NaN is no number")])
def test_what_is_no_json(path: Path, text: bytes, message: str) -> None:
    path.write_bytes(text)
    with pytest.raises(DescriptionError, match=message):
        read_preprocess(path)


def test_what_cannot_be_read(path: Path) -> None:
    with pytest.raises(DescriptionError, match="cannot be read: No such file"):
        read_preprocess(path)
    path.write_bytes(b" " * (1 << 20) + b"[]")
    with pytest.raises(DescriptionError, match="the limit is 1,048,576"):
        read_preprocess(path)

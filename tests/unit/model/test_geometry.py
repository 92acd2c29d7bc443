"""Where pictures come to lie, in numbers worked out by hand; that it is where they are seen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wd14.errors import ImageTooLargeError
from wd14.input_spec import CenterCrop, InputSpec, PadToSize, PadToSquare, Resize, Stage
from wd14.model.geometry import picture_box, placing, side_of
from wd14.model.preprocess import pixels
from wd14.types import Box

FITTED = PadToSize((448, 448), (114, 114, 114), enlarge=False)


@pytest.mark.parametrize(
    ("stage", "size", "inner"),
    [
        (PadToSize((448, 448)), (1000, 333), (448, 149)),  # 149.18
        (PadToSize((448, 448)), (1000, 335), (448, 150)),  # 150.08
        (PadToSize((64, 64)), (128, 5), (64, 2)),  # 2.5: to the even number
        (PadToSize((64, 64), rounding="down"), (128, 7), (64, 3)),  # 3.5
        (PadToSize((1008, 1008), rounding="down"), (1000, 1100), (916, 1008)),  # 916.36
        (PadToSize((1008, 1008), rounding="down"), (41, 52), (794, 1008)),
        (PadToSize((1008, 1008), rounding="truncate"), (41, 52), (794, 1007)),  # 52 * (1008 / 52) is below 1008
        (PadToSize((512, 384)), (100, 100), (384, 384)),
        (PadToSize((448, 448)), (9000, 7), (448, 1)),  # never 0
        (FITTED, (447, 20), (447, 20)),
        (FITTED, (896, 20), (448, 10)),
        (Resize((384,)), (1000, 333), (1153, 384)),  # 1153.15
        (Resize((384,), longest=500), (1000, 333), (500, 166)),  # 166.52
        (Resize((200, 100)), (7, 7), (200, 100)),
    ],
)
def test_sides(stage: Stage, size: tuple[int, int], inner: tuple[int, int]) -> None:
    assert placing(stage, size).inner == inner
    if len(set(getattr(stage, "size", ()))) == 1:
        assert placing(stage, size[::-1]).inner == inner[::-1]


@pytest.mark.parametrize(
    ("stages", "size", "box"),
    [
        ((FITTED,), (896, 448), (0, 112, 448, 336)),
        ((FITTED,), (100, 51), (174, 198, 274, 249)),  # an odd pixel of padding is on the right or below
        ((PadToSquare(), Resize((448, 448))), (896, 448), (0, 112, 448, 336)),
        ((PadToSize((512, 512)), CenterCrop((448, 448))), (1024, 512), (0, 96, 448, 352)),
        ((Resize((448,)), CenterCrop((448, 448))), (1000, 300), (0, 0, 448, 448)),
        ((CenterCrop((448, 448)),), (200, 600), (124, 0, 324, 448)),
    ],
)
def test_boxes(stages: tuple[Stage, ...], size: tuple[int, int], box: Box) -> None:
    spec = InputSpec(448, fit="stages", stages=stages)
    assert picture_box(size, spec) == box


def test_a_smaller_picture_lies_elsewhere() -> None:
    spec = InputSpec(448, fit="stages", stages=(FITTED,))
    assert picture_box((800, 400), spec, image_size=100) == (124, 174, 324, 274)


@pytest.mark.parametrize("size", [(1, 1), (37, 448), (448, 37), (901, 333), (333, 901), (2000, 3)])
@pytest.mark.parametrize(
    "stages",
    [
        (PadToSize((96, 96), filter="box"),),
        (PadToSize((96, 96), enlarge=False, rounding="truncate", filter="box"),),
        (PadToSize((128, 128), filter="box", rounding="down"), CenterCrop((96, 96))),
        (PadToSquare(), Resize((96, 96), "box")),
        (PadToSquare(), Resize((96, 96), "box"), PadToSize((128, 128), filter="box"), CenterCrop((96, 96))),
    ],
)
def test_the_box_is_where_the_picture_is_seen(stages: tuple[Stage, ...], size: tuple[int, int]) -> None:
    spec = InputSpec(96, "NHWC", "RGB", fit="stages", stages=stages)
    seen = pixels(Image.new("RGB", size, (0, 9, 0)), spec, profile="kohya", image_size=0)
    rows, columns = np.nonzero((seen < 255).any(axis=2))
    left, top, right, bottom = picture_box(size, spec)
    assert left <= columns.min() <= columns.max() < right
    assert top <= rows.min() <= rows.max() < bottom
    assert (right - left) - (np.ptp(columns) + 1) <= 3
    assert (bottom - top) - (np.ptp(rows) + 1) <= 3


def test_what_makes_no_square_is_said() -> None:
    assert side_of((PadToSquare(), Resize((224,)))) == 224
    with pytest.raises(ValueError, match="several sizes"):
        side_of((Resize((224,)),))
    with pytest.raises(ValueError, match="448 x 400 pixels, which is no square"):
        side_of((PadToSize((448, 400)),))


def test_a_picture_that_would_grow_without_end_is_refused() -> None:
    spec = InputSpec(448, fit="stages", stages=(Resize((448,)), CenterCrop((448, 448))))
    assert pixels(Image.new("RGB", (30_000, 100)), spec, profile="kohya", image_size=0).shape == (448, 448, 3)
    with pytest.raises(ImageTooLargeError, match=r"too unequal .* 8,960,000 x 448"):
        pixels(Image.new("RGB", (100_000, 5)), spec, profile="kohya", image_size=0)


def test_stages_must_end_with_the_models_size() -> None:
    spec = InputSpec(448, fit="stages", stages=(Resize((224, 224)),))
    with pytest.raises(ValueError, match="224 x 224 pixels of a picture, expected 448"):
        pixels(Image.new("RGB", (9, 9)), spec, profile="kohya", image_size=0)

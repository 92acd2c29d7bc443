"""Area averaging equals OpenCV's to the byte, over the sizes of `make_area.py`."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.golden.make_area import SIZE, SIZES, noise, sample
from wd14.model.area_resize import shrink_by_area
from wd14.model.padded_square import PaddedSquare

with np.load(Path(__file__).parent / "area" / "opencv.npz") as file:
    GOLDEN = {name: file[name] for name in file}


def test_the_file_is_of_these_sizes() -> None:
    assert GOLDEN["sizes"].tolist() == [list(size) for size in SIZES]


@pytest.mark.parametrize("case", range(len(SIZES)), ids=[f"{width}x{height}" for width, height in SIZES])
def test_equals_opencv(case: int) -> None:
    width, height = SIZES[case]
    result = shrink_by_area(PaddedSquare(Image.fromarray(noise(width, height))), SIZE)
    assert result.shape == (SIZE, SIZE, 3)
    assert result.dtype == np.uint8
    assert result[sample()].tolist() == GOLDEN["values"][case].tolist()  # shows what differs
    assert zlib.crc32(result.tobytes()) == GOLDEN["crc32"][case]

"""Pictures by a `preprocess.json` equal those of imgutils to the bit, over what `make_stages.py` has."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.golden.make_stages import FILES, GOLDEN, PICTURES, picture
from wd14.images.opening import PictureFile
from wd14.input_spec import InputSpec
from wd14.model.files.description import PREPROCESS_FILE
from wd14.model.files.preprocess_file import read_preprocess
from wd14.model.preprocess import pixels, values

EXPECTED = json.loads(GOLDEN.read_text())  # by version of Pillow


@cache
def opened(name: str) -> Image.Image:
    return PictureFile(picture(name), max_pixels=10_000_000).rgb(upright=True)


@pytest.mark.parametrize("name", FILES)
def test_equals_imgutils(name: str, tmp_path: Path) -> None:
    path = tmp_path / PREPROCESS_FILE
    path.write_text(json.dumps(FILES[name]))
    wrong = []
    for shown in PICTURES:
        seen = pixels(opened(shown), spec := read_preprocess(path), profile="kohya", image_size=0)
        numbers = values(seen, spec)
        found = [zlib.crc32(seen.transpose(1, 2, 0).tobytes()), zlib.crc32(numbers.tobytes())]
        expected = [made[name][shown] for made in EXPECTED.values() if shown in made[name]]
        if expected and found not in expected:
            wrong.append(shown)
    assert wrong == []


def test_other_layouts_have_the_same_numbers(tmp_path: Path) -> None:
    path = tmp_path / PREPROCESS_FILE
    path.write_text(json.dumps(FILES["caformer"]))
    one, other = read_preprocess(path), read_preprocess(path, InputSpec(layout="NHWC", channels="BGR"))
    first, second = (values(pixels(opened("wide"), spec, profile="kohya", image_size=0), spec) for spec in (one, other))
    np.testing.assert_array_equal(first, second.transpose(2, 0, 1)[::-1])

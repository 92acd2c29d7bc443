"""The benchmarks' picture sets: what a measurement relies on."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image

from benchmarks import pictures


def test_a_set_is_the_same_each_time_and_has_the_sizes_and_formats(tmp_path: Path) -> None:
    first = pictures.make(tmp_path / "a", 6, shortest=100, longest=300)
    second = pictures.make(tmp_path / "b", 6, shortest=100, longest=300)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for path, kind in zip(first, pictures.FORMATS * 2, strict=True):
        with Image.open(path) as picture:
            assert picture.format == kind.upper()
            assert 100 <= max(picture.size) <= 300
            picture.load()


def test_pictures_that_exist_are_kept(tmp_path: Path) -> None:
    (kept, *_) = pictures.make(tmp_path, 2, shortest=100, longest=120)
    kept.write_bytes(b"untouched")
    assert len(pictures.make(tmp_path, 3, shortest=100, longest=120)) == 3
    assert kept.read_bytes() == b"untouched"


def test_small_pictures_all_differ_and_open() -> None:
    made = list(pictures.small_jpegs(600))
    assert len({hashlib.sha256(encoded).digest() for encoded in made}) == 600
    for encoded in made[::100]:
        with Image.open(io.BytesIO(encoded)) as picture:
            picture.load()
            assert picture.size == (pictures.SMALL, pictures.SMALL)


def test_numbered_pictures_differ_in_bytes_and_not_in_pixels(tmp_path: Path) -> None:
    originals = pictures.make(tmp_path / "originals", 3, shortest=100, longest=120)
    folder = pictures.numbered(tmp_path / "many", originals, 7)
    files = sorted(folder.iterdir())
    assert len({path.read_bytes() for path in files}) == 7
    for path, original in zip(files, originals * 3, strict=False):
        with Image.open(path) as picture, Image.open(original) as same:
            assert picture.tobytes() == same.tobytes()
    (folder / "one more.jpg").write_bytes(b"")
    assert len(list(pictures.numbered(folder, originals, 4).iterdir())) == 4

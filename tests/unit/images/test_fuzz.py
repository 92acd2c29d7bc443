"""Broken picture files: each opens or fails with a RowError, in reasonable time."""

from __future__ import annotations

import contextlib
import functools
import random
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.encoded import encode
from tests.support.mutate import mutate
from tests.support.tally import tally
from wd14.errors import RowError
from wd14.images.opening import PictureFile
from wd14.model.preprocess import prepare
from wd14.types import InputSpec

FAMILIES = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "others"]
ROUNDS = 8000  # of each family, in every test run
LONG_ROUNDS = 40_000
MAX_PIXELS = 4_000_000  # a header that claims more fails before anything is decoded
MAX_SECONDS = 20.0  # of one file, on a busy machine

#: (family, seed) of files that once failed in another way; they stay in the test.
KEPT: list[tuple[str, int]] = []


@functools.cache
def originals(family: str) -> list[bytes]:
    """Small intact files of a family, in all its modes and compressions."""
    x, y = np.meshgrid(np.arange(33), np.arange(21))
    planes = [(x * (c + 3) + y * 5 + c * 60) % 256 for c in range(4)]
    rgba = Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("RGB").quantize(40)
    wide = Image.fromarray((x * 1900 + y).astype(np.uint16))
    more: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(180), rgb.rotate(90)]}
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    kinds: list[tuple[Image.Image, dict[str, Any]]]
    if family == "JPEG":
        kinds = [(rgb, {}), (rgb, {"progressive": True}), (grey, {}), (rgb.convert("CMYK"), {}), (rgb, {"exif": exif})]
        files = [encode(image, "JPEG", **options) for image, options in kinds]
        return [*files, encode(rgb.resize((64, 64)), "MPO", save_all=True, append_images=[rgb.resize((64, 64))])]
    if family == "PNG":
        kinds = [(rgb, {"exif": exif}), (rgba, {}), (grey, {"transparency": 7}), (grey.convert("LA"), {}), (wide, {})]
        kinds += [(palette, {"transparency": bytes(range(40))}), (grey.convert("1"), {}), (rgb, more)]
        return [encode(image, "PNG", **options) for image, options in kinds]
    if family == "WEBP":
        kinds = [(rgb, {}), (rgba, {}), (rgba, {"lossless": True}), (rgb, {"exif": exif}), (rgb, more)]
        return [encode(image, "WEBP", **options) for image, options in kinds]
    if family == "GIF":
        still: dict[str, Any] = {"append_images": [frame.quantize(9) for frame in more["append_images"]]}
        kinds = [(palette, {}), (palette, {"transparency": 3}), (grey, {}), (palette, {"save_all": True, **still})]
        return [encode(image, "GIF", **options) for image, options in kinds]
    if family == "BMP":
        images = [rgb, rgba, grey, palette, grey.convert("1")]
        return [encode(image, kind) for image in images for kind in ("BMP", "DIB")]
    if family == "TIFF":
        ways = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
        files = [encode(rgb, "TIFF", compression=way) for way in ways]
        images = [
            rgba,
            grey,
            palette,
            grey.convert("1"),
            wide,
            grey.convert("F"),
            rgb.convert("CMYK"),
            rgb.convert("LAB"),
        ]
        return files + [encode(image, "TIFF") for image in images] + [encode(rgb, "TIFF", exif=exif, **more)]
    one_bit = grey.convert("1")
    named = [("ICO", rgba), ("PPM", rgb), ("PPM", grey), ("PCX", palette), ("TGA", rgba)]
    named += [("TGA", palette), ("SGI", rgb), ("DDS", rgba), ("JPEG2000", rgb), ("XBM", one_bit), ("MSP", one_bit)]
    files = [encode(image, kind) for kind, image in [*named, ("BLP", palette)]]
    files.append(b"P5 7 1 65535\n" + bytes(range(14)))
    return files + ([encode(rgb, "AVIF")] if "AVIF" in Image.SAVE else [])


def broken(family: str, seed: int) -> bytes:
    rng = random.Random(f"{family} {seed}")
    files = originals(family)
    return mutate(rng.choice(files), rng, files)


def outcome(data: bytes, seed: int) -> str:
    """ "opened", or the name of the RowError."""
    try:
        picture = PictureFile(data, max_pixels=MAX_PIXELS)
        needed = picture.needs_flattening
        rgb = picture.rgb(upright=True)
    except RowError as error:
        said, result = str(error), type(error).__name__
        if not said or len(said) > 250 or not said.isprintable():
            pytest.fail(f"the message is not for a person: {said!r}")
    else:
        assert rgb.mode == "RGB"
        assert sorted(rgb.size) == sorted(picture.size)
        if seed % 40 == 0 and max(picture.size) < 2000:
            assert np.isfinite(prepare(rgb, InputSpec(), profile="kohya", image_size=0)).all()
        if needed or seed % 8 == 0:
            with contextlib.suppress(RowError):
                picture.flattened()
        assert picture.frames >= 1
        result = "opened"
    return result


def _fuzz(family: str, seeds: range) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    for seed in seeds:
        data = broken(family, seed)
        started = time.monotonic()
        try:
            result = outcome(data, seed)
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            pytest.fail(f"{family} {seed}: {type(error).__name__}: {error}; add it to KEPT")
        assert time.monotonic() - started < MAX_SECONDS, f"{family} {seed} took too long"
        outcomes[result] = outcomes.get(result, 0) + 1
    tally("picture files fuzzed", len(seeds))
    return outcomes


@pytest.mark.parametrize("family", FAMILIES)
def test_originals_open(family: str) -> None:
    for data in originals(family):
        assert PictureFile(data, max_pixels=MAX_PIXELS).rgb(upright=True).size


def test_kept() -> None:
    for family, seed in KEPT:
        outcome(broken(family, seed), 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_broken_files(family: str) -> None:
    outcomes = _fuzz(family, range(ROUNDS))
    # A fuzzer whose files all fail at once, or all open, tries nothing.
    assert outcomes["opened"] > ROUNDS / 50
    assert outcomes["DamagedImageError"] > ROUNDS / 50


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("family", FAMILIES)
def test_many_more_broken_files(family: str) -> None:
    _fuzz(family, range(ROUNDS, ROUNDS + LONG_ROUNDS))

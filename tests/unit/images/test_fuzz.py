"""Broken picture files: each opens or fails with a RowError, in reasonable time."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.support.picture_files import FAMILIES, broken, originals
from tests.support.tally import tally
from wd14.errors import RowError
from wd14.images.opening import PictureFile
from wd14.input_spec import InputSpec
from wd14.model.preprocess import pixels

ROUNDS = 8000  # of each family, in every test run
LONG_ROUNDS = 40_000
MAX_PIXELS = 4_000_000  # a header that claims more fails before anything is decoded
MAX_SECONDS = 20.0  # of one file, on a busy machine

#: (family, seed) of files that once failed in another way; they stay in the test.
KEPT: list[tuple[str, int]] = []


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
            pixels(rgb, InputSpec(), profile="kohya", image_size=0)
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

"""The table of formats, against what Pillow registers and writes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from PIL import Image

from tests.support.encoded import encode
from wd14.images.formats import FORMATS, IMAGE_EXTENSIONS, Format, extension, is_picture, sniff_extension
from wd14.images.opening import PictureFile

#: What Pillow registers and the table leaves out; its comment says why.
LEFT_OUT = {"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5", "FITS", "IM", "IPTC", "PCD", "IMT", "MCIDAS", "SPIDER"}
LEFT_OUT |= {"XVTHUMB", "MIC", "FPX", "PALM", "PDF"}
ROWS = pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
MODES = ["RGB", "RGBA", "P", "L", "1", "LA", "CMYK", "I;16", "F"]


@functools.cache
def pillows_extensions() -> dict[str, set[str]]:
    Image.init()
    extensions: dict[str, set[str]] = {}
    for name, kind in Image.registered_extensions().items():
        extensions.setdefault("JPEG" if kind == "MPO" else kind, set()).add(name)  # its plugin opens both
    return extensions


def test_every_format_of_pillow_is_in_the_table_or_left_out_for_a_reason() -> None:
    registered = {*pillows_extensions(), *Image.OPEN}
    names = {row.name for row in FORMATS}
    assert registered - names <= LEFT_OUT
    assert not names & LEFT_OUT
    assert names - registered <= {"HEIF", "JXL", "AVIF"}  # a row that fails with a reason


@ROWS
def test_the_extensions_are_those_that_pillow_registers(row: Format) -> None:
    theirs = pillows_extensions().get(row.name)
    if theirs is not None:
        assert set(row.extensions.split()) == theirs


def test_each_extension_and_name_occurs_once() -> None:
    for words in ([row.name for row in FORMATS], " ".join(row.extensions for row in FORMATS).split()):
        assert sorted(words) == sorted(set(words))
    assert all(set(row.first_bytes) <= set(row.extensions.split()) for row in FORMATS)


@ROWS
def test_what_pillow_writes_is_opened_and_recognised(row: Format) -> None:
    Image.init()
    if row.name not in Image.SAVE or row.name not in Image.OPEN:
        pytest.skip("this Pillow does not write it")
    picture = Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3))
    written = 0
    for mode in MODES:
        image = picture.convert("L").convert(mode) if mode in ("I;16", "F") else picture.convert(mode)
        try:
            data = encode(image, row.name)
        except (OSError, KeyError, ValueError):
            continue  # a mode that the format does not have
        if (row.name, mode) == ("ICNS", "P"):
            continue  # Pillow loses the palette
        written += 1
        opened = PictureFile(data, max_pixels=1 << 20)
        assert opened.format == row.name
        assert opened.rgb(upright=True).size == opened.size  # ICNS enlarges it
        if row.first_bytes and data[:2] not in (b"Pf", b"Py"):  # PPM's odd modes
            assert row.extension_of(data)
            assert sniff_extension(data) in row.extensions.split()
    assert written


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P4\n", ".pbm"),
        (b"P5 ", ".pgm"),
        (b"P6\n", ".ppm"),
        (b"GIF87a", ".gif"),
        (b"II+\0\x08\0\0\0", ".tif"),  # BigTIFF
        (b"MM\0*", ".tif"),
        (b"\0\0\0\x1cftypavis", ".avif"),
        (b"\0\0\0\x18ftypheix", ".heic"),
        (b"\0\0\0\x18ftypmif1", ".heif"),
        (b"\xff\x0a\0", ".jxl"),
        (b"\0\0\0\x0cJXL ", ".jxl"),
        (b"\xff\x4f\xff\x51", ".j2k"),
        (b"8BPS", ".psd"),
        (b"RIFF\n\0\0\0WEBP", ".webp"),
        (b"RIFF\n\0\0\0WAVE", ""),
        (b" \xff\xd8\xff", ""),
        (b"", ""),
    ],
)
def test_extensions_by_first_bytes(data: bytes, expected: str) -> None:
    assert sniff_extension(data) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("a.PNG", ".png"), ("a.b.jpg", ".jpg"), (".png", ""), ("png", ""), ("a.", "."), ("", "")]
)
def test_extension_of_a_name(name: str, expected: str) -> None:
    assert extension(name) == expected
    assert is_picture(name) == (len(expected) > 1)


def test_what_people_have_counts_and_what_is_never_opened_does_not() -> None:
    assert {".heic", ".heif", ".avif", ".jxl"} <= IMAGE_EXTENSIONS
    assert not {".fits", ".im", ".iim", ".pcd", ".eps", ".svg", ".pdf", ".mp4"} & IMAGE_EXTENSIONS

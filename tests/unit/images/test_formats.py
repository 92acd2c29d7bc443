"""The table of formats against Pillow's own lists, and against files that Pillow writes."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from PIL import Image

from wd14.errors import NotAnImageError
from wd14.images.formats import FORMATS, Format, extension, is_picture, sniff_extension
from wd14.images.opening import PictureFile

Image.init()


def test_every_extension_belongs_to_one_format_and_is_pillows() -> None:
    counts = Counter(each for kind in FORMATS for each in kind.extensions)
    assert max(counts.values()) == 1
    for kind in FORMATS:
        for each in kind.extensions:
            if kind.opened and each in Image.EXTENSION:
                assert Image.EXTENSION[each] in {kind.name, "JPEG", "TIFF"}, each


def test_files_of_formats_that_are_never_opened_are_no_pictures() -> None:
    opened = {kind.name for kind in FORMATS if kind.opened}
    for each, name in Image.EXTENSION.items():
        assert is_picture("a" + each) is (name in opened or each in {".heic", ".heif", ".jxl"}), each


@pytest.mark.parametrize(
    "kind", [kind for kind in FORMATS if kind.opened and kind.name in Image.SAVE], ids=lambda kind: kind.name
)
def test_what_pillow_writes_is_opened_and_recognised(kind: Format) -> None:
    modes = {"MSP": "1", "XBM": "1", "BLP": "P", "CUR": "RGBA", "QOI": "RGB"}
    image = Image.new(modes.get(kind.name, "RGB"), (128, 128))
    out = io.BytesIO()
    image.save(out, kind.name)
    data = out.getvalue()
    assert PictureFile(data, max_pixels=2_000_000).rgb(upright=True).mode == "RGB"
    if kind.magic:
        assert sniff_extension(data) in kind.extensions


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if not kind.opened], ids=lambda kind: kind.name)
def test_what_is_not_opened_is_recognised_and_fails_with_a_reason(kind: Format) -> None:
    offset, magic = kind.magic[0][:2]
    data = bytes(offset) + magic + bytes(40)
    assert is_picture("a" + kind.extensions[0])
    assert sniff_extension(data) == kind.extensions[0]
    with pytest.raises(NotAnImageError):
        PictureFile(data, max_pixels=10_000)


def test_extensions_of_names() -> None:
    assert [extension(name) for name in ("A.JPG", "a.tar.gz", "a", ".hidden", "a.")] == [".jpg", ".gz", "", "", "."]
    assert sniff_extension(b"P5 1 1 255 x") == ".pgm"
    assert sniff_extension(b"text") == ""

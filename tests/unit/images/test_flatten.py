"""Which pictures are flattened, and what is left of the file then."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from tests.support.encoded import encode, png, with_orientation
from wd14.images.opening import PictureFile

MEGA = 1_000_000
WHITE = (255, 255, 255)


def flattened(data: bytes) -> Image.Image:
    encoded, kind = PictureFile(data, max_pixels=MEGA).flattened()
    image = Image.open(io.BytesIO(encoded))
    assert image.format == kind
    return image


class TestNeedsFlattening:
    @pytest.mark.parametrize(
        ("image", "kind", "expected"),
        [
            (Image.new("RGB", (2, 2)), "PNG", False),
            (Image.new("L", (2, 2)), "PNG", False),
            (Image.new("RGBA", (2, 2)), "PNG", True),
            (Image.new("LA", (2, 2)), "PNG", True),
            (Image.new("P", (2, 2)), "PNG", True),
            (Image.new("P", (2, 2)), "GIF", True),
            (Image.new("CMYK", (2, 2)), "JPEG", False),
            (Image.new("1", (2, 2)), "PNG", False),
            (Image.new("YCbCr", (2, 2)), "TIFF", False),
            (Image.new("I;16", (2, 2)), "PNG", True),
            (Image.new("I", (2, 2)), "TIFF", True),
            (Image.new("F", (2, 2)), "TIFF", True),
            (Image.new("LAB", (2, 2)), "TIFF", True),
        ],
    )
    def test_modes(self, image: Image.Image, kind: str, expected: bool) -> None:
        assert PictureFile(encode(image, kind), max_pixels=MEGA).needs_flattening is expected

    @pytest.mark.parametrize(("depth", "colour", "key"), [(1, 0, b"\0\0"), (16, 0, b"\0\0"), (8, 2, b"\0\0" * 3)])
    def test_a_transparent_colour(self, depth: int, colour: int, key: bytes) -> None:
        assert PictureFile(png(2, 1, depth, colour, bytes(13), (b"tRNS", key)), max_pixels=MEGA).needs_flattening


class TestFlatten:
    def test_is_rgb_on_white(self) -> None:
        image = Image.new("RGBA", (1, 1), (200, 100, 0, 51))
        flat = flattened(encode(image))
        assert (flat.format, flat.mode, flat.getpixel((0, 0))) == ("PNG", "RGB", (244, 224, 204))

    @pytest.mark.parametrize(
        ("mode", "kind", "kept"),
        [
            *(("RGBA", "PNG", "PNG"), ("RGBA", "WEBP", "WEBP"), ("LA", "TIFF", "TIFF"), ("I;16", "TIFF", "TIFF")),
            *(("F", "TIFF", "TIFF"), ("LAB", "TIFF", "TIFF"), ("P", "GIF", "PNG"), ("P", "BMP", "PNG")),
        ],
    )
    def test_keeps_its_format_where_that_holds_rgb(self, mode: str, kind: str, kept: str) -> None:
        image = Image.new(mode, (3, 2))
        if mode == "P":
            image.putpalette([0, 0, 0, 255, 0, 0])
        flat = flattened(encode(image, kind))
        assert (flat.format, flat.mode, flat.size) == (kept, "RGB", (3, 2))
        flat.save(io.BytesIO(), "JPEG")  # as hosts show it

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_loses_nothing(self, kind: str) -> None:
        noise = Image.effect_noise((40, 30), 90)
        image = Image.merge("RGBA", (noise, noise.rotate(90, expand=False), noise, Image.new("L", noise.size, 255)))
        more = {"lossless": True} if kind == "WEBP" else {}
        assert flattened(encode(image, kind, **more)).tobytes() == image.convert("RGB").tobytes()

    def test_looks_the_same_in_a_viewer(self) -> None:
        profile = b"\x00" * 16 + b"RGB " + b"\x00" * 108
        data = encode(Image.new("RGBA", (3, 1)), "PNG", exif=with_orientation(6), icc_profile=profile)
        flat = flattened(data)
        assert flat.size == (3, 1)
        assert flat.getexif()[0x0112] == 6
        assert flat.info["icc_profile"] == profile

    def test_a_grey_profile_does_not_stay_on_rgb(self) -> None:
        profile = b"\x00" * 16 + b"GRAY" + b"\x00" * 108
        assert "icc_profile" not in flattened(encode(Image.new("LA", (3, 1)), icc_profile=profile)).info

    def test_a_transparent_colour_is_gone(self) -> None:
        data = png(2, 1, 8, 2, b"\x00\x01\x02\x03\x04\x05\x06", (b"tRNS", struct.pack(">3H", 4, 5, 6)))
        flat = flattened(data)
        assert (flat.mode, flat.info.get("transparency"), flat.getpixel((1, 0))) == ("RGB", None, WHITE)
        assert flat.getpixel((0, 0)) == (1, 2, 3)

    def test_turned_tiff_is_not_turned_twice(self) -> None:
        data = encode(Image.new("RGBA", (3, 1)), "TIFF", exif=with_orientation(6))
        flat = flattened(data)
        assert flat.size == (1, 3)
        assert flat.getexif().get(0x0112, 1) == 1

    def test_damaged_exif_data_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> None:
            raise struct.error

        data = encode(Image.new("RGBA", (3, 1)), "PNG", exif=with_orientation(6))
        monkeypatch.setattr(Image.Exif, "tobytes", fail)
        assert 0x0112 not in flattened(data).getexif()

    def test_same_bytes_every_time(self) -> None:
        data = encode(Image.new("RGBA", (30, 10), (1, 2, 3, 40)))
        assert PictureFile(data, max_pixels=MEGA).flattened() == PictureFile(data, max_pixels=MEGA).flattened()

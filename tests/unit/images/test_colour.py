"""Pictures of every mode become 8-bit RGB on white. Expected pixels are worked out by hand, next to each test."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.encoded import encode, png
from wd14.images import colour
from wd14.images.opening import PictureFile

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def pixels(data: bytes) -> list[tuple[int, ...]]:
    rgb = PictureFile(data, max_pixels=1_000_000).rgb(upright=True)
    assert rgb.mode == "RGB"
    return [tuple(int(v) for v in pixel) for pixel in np.asarray(rgb).reshape(-1, 3)]


class TestColour:
    def test_rgb_stays(self) -> None:
        assert pixels(encode(Image.new("RGB", (1, 1), (10, 20, 30)))) == [(10, 20, 30)]

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_alpha_lets_white_through(self, kind: str) -> None:
        image = Image.new("RGBA", (3, 1))
        image.putdata([(200, 100, 0, 255), (200, 100, 0, 0), (200, 100, 0, 51)])
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        # 51 of 255 is a fifth: 200/5 + 255*4/5 = 244, 20 + 204 = 224, 204
        assert pixels(encode(image, kind, **options)) == [(200, 100, 0), WHITE, (244, 224, 204)]

    def test_grey_with_alpha(self) -> None:
        image = Image.new("LA", (3, 1))
        image.putdata([(100, 255), (100, 0), (100, 51)])
        assert pixels(encode(image)) == [(100,) * 3, WHITE, (224,) * 3]

    def test_palette(self) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([1, 2, 3, 4, 5, 6])
        image.putdata([0, 1])
        assert pixels(encode(image)) == [(1, 2, 3), (4, 5, 6)]

    @pytest.mark.parametrize("kind", ["PNG", "GIF"])
    def test_palette_with_a_transparent_entry(self, kind: str) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([1, 2, 3, 4, 5, 6])
        image.putdata([0, 1])
        assert pixels(encode(image, kind, transparency=1)) == [(1, 2, 3), WHITE]

    def test_palette_with_half_transparent_entries(self) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([0, 100, 200, 0, 100, 200])
        image.putdata([0, 1])
        assert pixels(encode(image, transparency=bytes([255, 51]))) == [(0, 100, 200), (204, 224, 244)]

    def test_black_and_white(self) -> None:
        image = Image.new("1", (2, 1))
        image.putdata([0, 255])
        assert pixels(encode(image)) == [BLACK, WHITE]

    @pytest.mark.parametrize(
        ("depth", "samples", "key", "expected"),
        [
            (1, b"\x00\x40", 0, [WHITE, WHITE]),  # 0, 1: black is transparent
            (1, b"\x00\x40", 1, [BLACK, WHITE]),
            (2, b"\x00\x60", 1, [WHITE, (170,) * 3]),  # 1, 2: of 3, so 85 and 170
            (4, b"\x00\x5a", 10, [(85,) * 3, WHITE]),  # 5, 10: of 15, so 85 and 170
            (8, b"\x00\x05\x0a", 10, [(5,) * 3, WHITE]),
            (16, b"\x00\x01\x01\x7f\x7f", 0x7F7F, [(1,) * 3, WHITE]),
        ],
    )
    def test_grey_with_a_transparent_value(
        self, depth: int, samples: bytes, key: int, expected: list[tuple[int, ...]]
    ) -> None:
        assert pixels(png(2, 1, depth, 0, samples, (b"tRNS", struct.pack(">H", key)))) == expected

    def test_a_transparent_value_of_a_grey_gif_is_taken_as_it_is(self) -> None:
        image = Image.new("L", (2, 1))
        image.putdata([1, 2])
        data = encode(image, "GIF", transparency=1, optimize=False)
        assert Image.open(io.BytesIO(data)).mode == "L", "the test needs a file that opens as grey"
        assert pixels(data) == [WHITE, (2, 2, 2)]
        image.info["transparency"] = 2  # on the scale of the pixels, whatever stands where a PNG has its depth
        assert colour.on_colour(image, bytes([2]) * 30, WHITE).getpixel((1, 0)) == WHITE

    def test_premultiplied_grey(self) -> None:
        image = Image.new("LA", (2, 1))
        image.putdata([(100, 255), (100, 51)])
        rgb = colour.on_colour(image.convert("La"), b"", WHITE)
        assert rgb.mode == "RGB"
        assert [rgb.getpixel((x, 0)) for x in range(2)] == [(100,) * 3, (224,) * 3]

    def test_rgb_with_a_transparent_colour(self) -> None:
        data = png(2, 1, 8, 2, b"\x00\x01\x05\x06\x04\x05\x06", (b"tRNS", struct.pack(">3H", 4, 5, 6)))
        assert pixels(data) == [(1, 5, 6), WHITE]

    def test_16_bit_rgb_with_a_transparent_colour(self) -> None:
        rows = b"\x00" + struct.pack(">6H", 0x0100, 0x0200, 0x0300, 0x0400, 0x0500, 0x0600)
        data = png(2, 1, 16, 2, rows, (b"tRNS", struct.pack(">3H", 0x0400, 0x0500, 0x0600)))
        assert pixels(data) == [(1, 2, 3), WHITE]

    def test_cmyk(self) -> None:
        data = encode(Image.new("CMYK", (1, 1), (255, 0, 0, 0)), "TIFF")
        assert pixels(data) == [(0, 255, 255)]

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L"])
    def test_jpeg_modes(self, mode: str) -> None:
        image = Image.new("RGB", (16, 16), (120, 120, 120)).convert(mode)
        (red, green, blue) = pixels(encode(image, "JPEG", quality=100))[0]
        assert max(abs(red - 120), abs(green - 120), abs(blue - 120)) <= 2

    def test_lab(self) -> None:
        # L* = 53.24, a* = 80.09, b* = 67.20 is sRGB's pure red; in Pillow's 8 bits 53.24 * 2.55, 80 + 128, 67 + 128
        image = Image.merge("LAB", [Image.new("L", (1, 1), value) for value in (136, 208, 195)])
        (red, green, blue) = pixels(encode(image, "TIFF"))[0]
        assert red > 245
        assert max(green, blue) < 15


class TestSixteenBit:
    """Pillow's own conversion clips to white; these are scaled: 257 steps of 16 bits are one of 8."""

    VALUES = (0, 128, 129, 257, 32768, 65406, 65535)
    SCALED = (0, 0, 1, 1, 128, 254, 255)  # 32768 / 257 = 127.502, 65406 / 257 = 254.498

    def test_png(self) -> None:
        data = png(7, 1, 16, 0, b"\x00" + struct.pack(">7H", *self.VALUES))
        assert pixels(data) == [(v, v, v) for v in self.SCALED]

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_tiff(self, order: str) -> None:
        values = np.array([self.VALUES], dtype=np.uint16)
        image = Image.fromarray(values)
        data = encode(image, "TIFF")
        if order == ">":  # the same file, other end first
            data = _big_endian_tiff(values)
        assert pixels(data) == [(v, v, v) for v in self.SCALED]

    def test_pgm(self) -> None:
        data = b"P5 7 1 65535\n" + struct.pack(">7H", *self.VALUES)
        assert pixels(data) == [(v, v, v) for v in self.SCALED]

    def test_rows_are_scaled_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(colour, "_VALUES_AT_ONCE", 5)  # two rows of two
        image = Image.fromarray(np.arange(0, 257 * 10, 257, dtype=np.uint16).reshape(5, 2))
        assert pixels(encode(image)) == [(v, v, v) for v in range(10)]

    def test_dark_pictures_stay_dark(self) -> None:
        assert pixels(b"P5 1 1 65535\n" + struct.pack(">H", 255)) == [(1, 1, 1)]
        assert pixels(encode(Image.fromarray(np.array([[255]], np.uint16)), "TIFF")) == [(1, 1, 1)]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0, 7, 255], [0, 7, 255]),  # 8 bits in a wide file
            ([0, 257, 65535], [0, 1, 255]),
            ([-5, 1_000_000, 2_000_000], [0, 128, 255]),  # the largest becomes white; 127.5 goes to the even one
        ],
    )
    def test_32_bit_integers(self, values: list[int], expected: list[int]) -> None:
        image = Image.fromarray(np.array([values], dtype=np.int32))
        assert pixels(encode(image, "TIFF")) == [(v, v, v) for v in expected]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.0, 0.2, 1.0], [0, 51, 255]),
            ([0.0, 2.4, 255.0], [0, 2, 255]),
            ([-1.0, 257.0, 65535.0], [0, 1, 255]),
            ([float("nan"), 0.2, 1.0], [0, 51, 255]),
        ],
    )
    def test_floats(self, values: list[float], expected: list[int]) -> None:
        image = Image.fromarray(np.array([values], dtype=np.float32))
        assert pixels(encode(image, "TIFF")) == [(v, v, v) for v in expected]


def _big_endian_tiff(values: Any) -> bytes:
    body: bytes = values.astype(">u2").tobytes()
    entries = [
        (256, 4, values.shape[1]),  # width
        (257, 4, values.shape[0]),  # height
        (258, 3, 16 << 16),  # bits
        (259, 3, 1 << 16),  # not compressed
        (262, 3, 1 << 16),  # black is zero
        (273, 4, 8),  # where the strip is
        (277, 3, 1 << 16),  # samples
        (278, 4, values.shape[0]),  # rows of a strip
        (279, 4, len(body)),
    ]
    directory = struct.pack(">H", len(entries))
    directory += b"".join(struct.pack(">HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"MM\x00\x2a" + struct.pack(">I", 8 + len(body)) + body + directory + b"\x00" * 4

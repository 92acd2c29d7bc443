"""What a file becomes when it is opened. Expected pixels are worked out by hand, next to each test."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from wd14.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, RowError
from wd14.images.opening import PictureFile

MEGA = 1_000_000


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


class Opened(NamedTuple):
    image: Image.Image
    size: tuple[int, int]
    frames: int
    needs_flattening: bool


def opened(data: bytes, *, exif_orientation: bool = True, max_pixels: int = 250 * MEGA) -> Opened:
    file = PictureFile(data, max_pixels=max_pixels)
    image = file.rgb(upright=exif_orientation)
    return Opened(image, image.size, file.frames, file.needs_flattening)


def pixels(data: bytes) -> list[tuple[int, ...]]:
    picture = opened(data)
    assert picture.image.mode == "RGB"
    return [tuple(int(v) for v in pixel) for pixel in np.asarray(picture.image).reshape(-1, 3)]


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand, for what Pillow cannot write: `rows` are the unfiltered scan lines with their filter bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


WHITE, BLACK = (255, 255, 255), (0, 0, 0)


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

    def test_black_transparent_on_one_bit_is_white(self) -> None:
        data = png(2, 1, 1, 0, b"\x00\x40", (b"tRNS", struct.pack(">H", 0)))
        assert opened(data).needs_flattening

    def test_rgb_with_a_transparent_colour(self) -> None:
        data = png(2, 1, 8, 2, b"\x00\x01\x02\x03\x04\x05\x06", (b"tRNS", struct.pack(">3H", 4, 5, 6)))
        assert pixels(data) == [(1, 2, 3), WHITE]

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

    def test_dark_pgm_stays_dark(self) -> None:
        assert pixels(b"P5 1 1 65535\n" + struct.pack(">H", 255)) == [(1, 1, 1)]

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


class TestOrientation:
    # Two pixels beside each other, red and blue, stored under each orientation.
    @pytest.mark.parametrize(
        ("orientation", "size", "first"),
        [
            (1, (2, 1), "red"),
            (2, (2, 1), "blue"),
            (3, (2, 1), "blue"),
            (4, (2, 1), "red"),
            (5, (1, 2), "red"),
            (6, (1, 2), "red"),
            (7, (1, 2), "blue"),
            (8, (1, 2), "blue"),
            (9, (2, 1), "red"),  # no such orientation
        ],
    )
    def test_is_applied(self, orientation: int, size: tuple[int, int], first: str) -> None:
        image = Image.new("RGB", (2, 1))
        image.putdata([(255, 0, 0), (0, 0, 255)])
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encode(image, "PNG", exif=exif)
        picture = opened(data)
        assert picture.size == picture.image.size == size
        assert picture.image.getpixel((0, 0)) == ((255, 0, 0) if first == "red" else (0, 0, 255))
        left_alone = opened(data, exif_orientation=False)
        assert left_alone.size == (2, 1)
        assert left_alone.image.getpixel((0, 0)) == (255, 0, 0)

    def test_tiff_is_turned_once(self) -> None:
        image = Image.new("RGB", (3, 1), (9, 9, 9))
        exif = Image.Exif()
        exif[0x0112] = 6
        assert opened(encode(image, "TIFF", exif=exif)).size == (1, 3)

    def test_damaged_exif_does_not_fail_a_picture(self) -> None:
        data = encode(Image.new("RGB", (4, 2)), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
        assert opened(data).size == (4, 2)


class TestFrames:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_first_of_three(self, kind: str) -> None:
        frames = [Image.new("RGB", (4, 4), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
        options = {"lossless": True} if kind == "WEBP" else {}
        picture = opened(encode(frames[0], kind, save_all=True, append_images=frames[1:], **options))
        assert picture.frames == 3
        assert picture.image.getpixel((0, 0)) == (250, 0, 0)

    def test_still(self) -> None:
        assert opened(encode(Image.new("RGB", (4, 4)), "JPEG")).frames == 1

    def test_damage_in_a_later_frame_does_not_matter(self) -> None:
        frames = [Image.effect_noise((40, 40), 90).convert("P") for _ in range(3)]
        data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
        picture = opened(data[: len(data) * 3 // 5])
        assert picture.size == (40, 40)
        assert picture.frames >= 1


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
        ],
    )
    def test_modes(self, image: Image.Image, kind: str, expected: bool) -> None:
        data = encode(image, kind)
        assert opened(data).needs_flattening is expected
        assert PictureFile(data, max_pixels=MEGA).needs_flattening is expected


def header(data: bytes) -> tuple[str, tuple[int, int], str, bool]:
    file = PictureFile(data, max_pixels=MEGA)
    return file.format, file.size, file.mode, file.needs_flattening


def told_by_pillow(data: bytes) -> tuple[str | None, tuple[int, int], str, bool]:
    with Image.open(io.BytesIO(data)) as image:
        return image.format, image.size, image.mode, image.has_transparency_data


class TestHeader:
    def test_facts(self) -> None:
        facts = PictureFile(encode(Image.new("P", (5, 3)), "GIF"), max_pixels=MEGA)
        assert (facts.format, facts.size, facts.frames, facts.needs_flattening) == ("GIF", (5, 3), 1, True)

    def test_reads_the_header_only(self) -> None:
        data = encode(Image.effect_noise((200, 200), 90), "PNG")
        assert PictureFile(data[:200], max_pixels=MEGA).size == (200, 200)

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "1"])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"progressive": True},
            {"quality": 100, "subsampling": 0, "optimize": True},
            {"comment": b"\xff\xc0\x00\x11\x08\x00\x01\x00\x01\x03" * 3},  # looks like the start of a frame
            {"icc_profile": b"\xff\xc2" * 60_000},  # in several segments
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
        ],
        ids=lambda options: "-".join(options) or "plain",
    )
    def test_a_jpeg_is_told_as_pillow_tells_it(self, mode: str, options: dict[str, Any]) -> None:
        data = encode(Image.effect_noise((130, 70), 90).convert(mode), "JPEG", **options)
        assert header(data) == told_by_pillow(data)

    def test_other_jpegs_are_told_as_pillow_tells_them(self) -> None:
        plain = encode(Image.effect_noise((130, 70), 90), "JPEG")
        several = encode(Image.new("RGB", (9, 7)), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 7))])
        filled = plain[:2] + b"\xff\xff" + plain[2:]
        for data in (several, filled):
            assert header(data) == told_by_pillow(data)
        for length in range(3, plain.index(b"\xff\xc0") + 9):
            with pytest.raises(DamagedImageError):
                PictureFile(plain[:length], max_pixels=MEGA)

    def test_a_jpeg_of_too_many_pixels_is_too_large(self) -> None:
        data = encode(Image.new("L", (20, 20)), "JPEG")
        with pytest.raises(ImageTooLargeError):
            PictureFile(data, max_pixels=399)


class TestFlatten:
    def test_is_rgb_on_white(self) -> None:
        image = Image.new("RGBA", (1, 1), (200, 100, 0, 51))
        flat = Image.open(io.BytesIO(PictureFile(encode(image), max_pixels=MEGA).flattened()))
        assert (flat.format, flat.mode, flat.getpixel((0, 0))) == ("PNG", "RGB", (244, 224, 204))

    def test_looks_the_same_in_a_viewer(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        profile = b"\x00" * 16 + b"RGB " + b"\x00" * 108
        data = encode(Image.new("RGBA", (3, 1)), "PNG", exif=exif, icc_profile=profile)
        flat = Image.open(io.BytesIO(PictureFile(data, max_pixels=MEGA).flattened()))
        assert flat.size == (3, 1)
        assert flat.getexif()[0x0112] == 6
        assert flat.info["icc_profile"] == profile

    def test_a_grey_profile_does_not_stay_on_rgb(self) -> None:
        profile = b"\x00" * 16 + b"GRAY" + b"\x00" * 108
        flat = PictureFile(encode(Image.new("LA", (3, 1)), icc_profile=profile), max_pixels=MEGA).flattened()
        assert "icc_profile" not in Image.open(io.BytesIO(flat)).info

    def test_a_transparent_colour_is_gone(self) -> None:
        data = png(2, 1, 8, 2, b"\x00\x01\x02\x03\x04\x05\x06", (b"tRNS", struct.pack(">3H", 4, 5, 6)))
        flat = Image.open(io.BytesIO(PictureFile(data, max_pixels=MEGA).flattened()))
        assert (flat.mode, flat.info.get("transparency"), flat.getpixel((1, 0))) == ("RGB", None, WHITE)
        assert flat.getpixel((0, 0)) == (1, 2, 3)

    def test_turned_tiff_is_not_turned_twice(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        data = encode(Image.new("RGBA", (3, 1)), "TIFF", exif=exif)
        flat = Image.open(io.BytesIO(PictureFile(data, max_pixels=MEGA).flattened()))
        assert flat.size == (1, 3)
        assert 0x0112 not in flat.getexif()

    def test_same_bytes_every_time(self) -> None:
        data = encode(Image.new("RGBA", (30, 10), (1, 2, 3, 40)))
        assert PictureFile(data, max_pixels=MEGA).flattened() == PictureFile(data, max_pixels=MEGA).flattened()


class TestBadFiles:
    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "empty"),
            (b"just a text named .png\n", "not an image"),
            (b"\x00" * 4000, "not an image"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
            (b"\n<!DOCTYPE html><title>404</title>", "web page"),
            (b"%PDF-1.7\n", "PDF"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not an image"),
        ],
    )
    def test_no_image(self, data: bytes, says: str) -> None:
        with pytest.raises(NotAnImageError, match=says):
            opened(data)
        with pytest.raises(NotAnImageError, match=says):
            PictureFile(data, max_pixels=MEGA)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
    def test_cut_short(self, kind: str) -> None:
        data = encode(Image.effect_noise((100, 80), 90).convert("RGB"), kind)
        with pytest.raises(DamagedImageError, match=r"cut short|damaged"):
            opened(data[: len(data) // 2])

    def test_truncated_jpeg_says_so(self) -> None:
        data = encode(Image.effect_noise((100, 80), 90), "JPEG")
        with pytest.raises(DamagedImageError, match="cut short"):
            opened(data[: len(data) // 2])

    @pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"II*\x00\x08\x00"])
    def test_only_a_beginning(self, data: bytes) -> None:
        with pytest.raises(DamagedImageError):
            opened(data)

    def test_checksum_wrong(self) -> None:
        data = bytearray(encode(Image.effect_noise((50, 50), 90)))
        data[len(data) // 2] ^= 0xFF
        with pytest.raises(DamagedImageError):
            opened(bytes(data))

    def test_no_width(self) -> None:
        with pytest.raises(RowError):
            opened(png(0, 5, 8, 0, b""))

    def test_messages_are_short_and_printable(self) -> None:
        data = bytearray(encode(Image.effect_noise((50, 50), 90)))
        data[40:60] = b"\x1b[31m" * 4
        with pytest.raises(DamagedImageError) as caught:
            opened(bytes(data))
        assert len(str(caught.value)) < 200
        assert str(caught.value).isprintable()

    def test_whatever_a_decoder_raises_is_a_row_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = encode(Image.new("RGB", (4, 4)))
        for error in (ZeroDivisionError("x"), RecursionError("x"), AttributeError("x"), struct.error("x")):

            def fail(_: Any, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
            with pytest.raises(DamagedImageError):
                opened(data)


class TestLimits:
    def test_too_many_pixels_is_seen_in_the_header(self) -> None:
        data = png(50_000, 50_000, 8, 2, b"")  # 2500 megapixels of nothing
        with pytest.raises(ImageTooLargeError, match=r"50000 x 50000 pixels are 2500 megapixels.* 250"):
            opened(data)
        with pytest.raises(ImageTooLargeError):
            PictureFile(data, max_pixels=MEGA)

    def test_limit_is_inclusive(self) -> None:
        data = encode(Image.new("RGB", (10, 10)))
        assert opened(data, max_pixels=100).size == (10, 10)
        with pytest.raises(ImageTooLargeError):
            opened(data, max_pixels=99)

    def test_our_limit_counts_and_pillows_does_not(self) -> None:
        # 190 megapixels in a few KB: over Pillow's own error limit, and under ours.
        data = encode(Image.new("1", (19_000, 10_000)))
        facts = PictureFile(data, max_pixels=250 * MEGA)
        assert facts.size == (19_000, 10_000)

    def test_pillows_settings_stay(self) -> None:
        before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
        opened(encode(Image.new("RGB", (10, 10))))
        with pytest.raises(RowError):
            opened(b"x")
        assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)

    def test_out_of_memory_fails_the_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> None:
            raise MemoryError

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
        with pytest.raises(ImageTooLargeError, match="memory"):
            opened(encode(Image.new("RGB", (4, 4))))


class TestWarnings:
    """Pillow warns about these files; the picture is fine."""

    @staticmethod
    def odd_jpeg() -> bytes:
        body = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00" + b"\x0f\x01\x02\x00\xff\x00\x00\x00\xff\x00\x00\x00"
        return encode(Image.new("RGB", (8, 8)), "JPEG", exif=body)

    def test_odd_files_open(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Image.open(io.BytesIO(self.odd_jpeg())).getexif()
        assert caught, "the file is not odd enough"
        assert opened(self.odd_jpeg()).size == (8, 8)

"""Opening pictures: headers, orientation, frames, limits, and files that are none."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from tests.support.encoded import encode, png, with_orientation
from wd14.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, RowError
from wd14.images.opening import PictureFile, _jpeg_header

MEGA = 1_000_000


def opened(data: bytes, *, max_pixels: int = 250 * MEGA) -> PictureFile:
    return PictureFile(data, max_pixels=max_pixels)


def facts(picture: PictureFile | Image.Image) -> tuple[str | None, tuple[int, int], str]:
    return picture.format, picture.size, picture.mode


def _tiff_of_pages(number: int) -> bytes:
    """A TIFF of many pages of one pixel, which share its byte."""
    tags = [(256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 1)]
    page = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags
    )
    ends = [16 + (len(page) + 4) * (index + 1) for index in range(number)]
    return b"II*\0" + struct.pack("<I8x", 16) + b"".join(page + struct.pack("<I", end) for end in [*ends[:-1], 0])


class TestHeader:
    def test_facts(self) -> None:
        picture = opened(encode(Image.new("P", (5, 3)), "GIF"))
        assert facts(picture) == ("GIF", (5, 3), "P")
        assert (picture.pixels, picture.frames, picture.needs_flattening) == (15, 1, True)

    def test_reads_the_header_only(self) -> None:
        data = encode(Image.effect_noise((200, 200), 90), "PNG")
        assert opened(data[:200]).size == (200, 200)

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
    def test_a_jpeg_is_read_as_pillow_reads_it(self, mode: str, options: dict[str, Any]) -> None:
        data = encode(Image.effect_noise((130, 70), 90).convert(mode), "JPEG", **options)
        assert _jpeg_header(data) == facts(Image.open(io.BytesIO(data)))
        assert facts(opened(data)) == _jpeg_header(data)

    def test_other_jpegs_are_left_to_pillow(self) -> None:
        plain = encode(Image.effect_noise((130, 70), 90), "JPEG")
        several = encode(Image.new("RGB", (9, 7)), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 7))])
        filled = plain[:2] + b"\xff\xff" + plain[2:]
        for data, kind in ((several, "MPO"), (filled, "JPEG")):
            assert _jpeg_header(data) is None
            assert facts(opened(data)) == facts(Image.open(io.BytesIO(data)))
            assert opened(data).format == kind

    def test_tables_before_the_frame_are_skipped(self) -> None:
        data = encode(Image.effect_noise((130, 70), 90), "JPEG")
        frame, table = data.index(b"\xff\xc0"), data.index(b"\xff\xc4")
        tables = data[table : table + 2 + int.from_bytes(data[table + 2 : table + 4], "big")]
        data = data[:frame] + tables + data[frame:]
        assert _jpeg_header(data) == facts(Image.open(io.BytesIO(data)))

    @pytest.mark.parametrize("marker", [0x01, 0xC0, 0xD0, 0xDA])
    def test_markers_that_have_no_length(self, marker: int) -> None:
        data = encode(Image.effect_noise((130, 70), 90), "JPEG")
        assert _jpeg_header(data[:2] + bytes([0xFF, marker, 0, 16, *bytes(14)]) + data[2:]) is None

    def test_a_jpeg_header_that_is_cut_short(self) -> None:
        plain = encode(Image.effect_noise((130, 70), 90), "JPEG")
        for length in range(3, plain.index(b"\xff\xc0") + 9):
            with pytest.raises(DamagedImageError):
                opened(plain[:length])

    @pytest.mark.parametrize(
        ("at", "value"), [(4, 12), (5, 0), (7, 0), (9, 2)], ids=["depth", "height", "width", "parts"]
    )
    def test_a_frame_that_is_out_of_the_ordinary_is_left_to_pillow(self, at: int, value: int) -> None:
        data = bytearray(encode(Image.effect_noise((130, 70), 90), "JPEG"))
        frame = data.index(b"\xff\xc0")
        data[frame + at : frame + at + 2 - (at in (4, 9))] = bytes([0, value])[at in (4, 9) :]
        assert _jpeg_header(bytes(data)) is None

    def test_a_second_frame_that_is_larger_does_not_pass_the_limit(self) -> None:
        data = encode(Image.new("L", (8, 8)), "JPEG")
        frame = data.index(b"\xff\xc0")
        second = data[frame : frame + 5] + struct.pack(">HH", 600, 600) + data[frame + 9 : frame + 13]
        picture = opened(data[: frame + 13] + second + data[frame + 13 :], max_pixels=64)
        assert picture.size == (8, 8)
        with pytest.raises(ImageTooLargeError):
            picture.rgb(upright=True)

    def test_a_jpeg_of_too_many_pixels_is_too_large(self) -> None:
        data = encode(Image.new("L", (20, 20)), "JPEG")
        assert opened(data, max_pixels=400).pixels == 400
        with pytest.raises(ImageTooLargeError):
            opened(data, max_pixels=399)


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
        picture = opened(encode(image, "PNG", exif=with_orientation(orientation)))
        upright, as_stored = picture.rgb(upright=True), picture.rgb(upright=False)
        assert upright.size == size
        assert upright.getpixel((0, 0)) == ((255, 0, 0) if first == "red" else (0, 0, 255))
        assert picture.size == as_stored.size == (2, 1)
        assert as_stored.getpixel((0, 0)) == (255, 0, 0)

    # Of three rows, each of another colour, the corners tell all eight apart.
    @pytest.mark.parametrize(
        ("orientation", "corners"), [(4, "ef ab"), (5, "ace bdf"), (6, "eca fdb"), (7, "fdb eca"), (8, "bdf ace")]
    )
    def test_vertically_too(self, orientation: int, corners: str) -> None:
        image = Image.new("RGB", (2, 3))
        image.putdata([(ord(letter), 0, 0) for letter in "abcdef"])
        rgb = opened(encode(image, "PNG", exif=with_orientation(orientation))).rgb(upright=True)
        lines = ["".join(chr(value) for value in line) for line in np.asarray(rgb)[:, :, 0]]
        assert [lines[0], lines[-1]] == corners.split()

    def test_tiff_is_turned_once(self) -> None:
        image = Image.new("RGB", (3, 1), (9, 9, 9))
        assert opened(encode(image, "TIFF", exif=with_orientation(6))).rgb(upright=True).size == (1, 3)

    def test_exif_data_that_cannot_be_read_do_not_fail_a_picture(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> None:
            raise struct.error

        data = encode(Image.new("RGB", (4, 2)), "JPEG", exif=with_orientation(6))
        monkeypatch.setattr(Image.Image, "getexif", fail)
        assert opened(data).rgb(upright=True).size == (4, 2)

    def test_damaged_exif_does_not_fail_a_picture(self) -> None:
        data = encode(Image.new("RGB", (4, 2)), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
        assert opened(data).rgb(upright=True).size == (4, 2)


class TestFrames:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_first_of_three(self, kind: str) -> None:
        frames = [Image.new("RGB", (4, 4), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
        options = {"lossless": True} if kind == "WEBP" else {}
        picture = opened(encode(frames[0], kind, save_all=True, append_images=frames[1:], **options))
        assert picture.rgb(upright=True).getpixel((0, 0)) == (250, 0, 0)
        assert picture.frames == 3

    @pytest.mark.parametrize("kind", ["JPEG", "MPO"])  # the further pictures of an MPO are views
    def test_still(self, kind: str) -> None:
        image = Image.new("RGB", (4, 4))
        options = {"save_all": True, "append_images": [image]} if kind == "MPO" else {}
        assert opened(encode(image, kind, **options)).frames == 1

    def test_damage_in_a_later_frame_does_not_matter(self) -> None:
        frames = [Image.effect_noise((40, 40), 90).convert("P") for _ in range(3)]
        data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
        picture = opened(data[: len(data) * 3 // 5])
        assert picture.rgb(upright=True).size == (40, 40)
        assert picture.frames in (1, 2)


class TestBadFiles:
    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "empty"),
            (b"just a text named .png\n", "not an image"),
            (b"no", "not an image"),
            (b"\x00" * 4000, "not an image"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
            (b"\n<!DOCTYPE html><title>404</title>", "web page"),
            (b"%PDF-1.7\n", "PDF"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
            (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00", "HEIF"),
            (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
            (b"BM, a text that begins like a bitmap", "not an image"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not an image"),
        ],
    )
    def test_no_image(self, data: bytes, says: str) -> None:
        with pytest.raises(NotAnImageError, match=says):
            opened(data)

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
    def test_cut_short(self, kind: str) -> None:
        data = encode(Image.effect_noise((100, 80), 90).convert("RGB"), kind)
        with pytest.raises(DamagedImageError, match=r"cut short|damaged"):
            opened(data[: len(data) // 2]).rgb(upright=True)

    def test_truncated_jpeg_says_so(self) -> None:
        data = encode(Image.effect_noise((100, 80), 90), "JPEG")
        with pytest.raises(DamagedImageError, match="cut short"):
            opened(data[: len(data) // 2]).rgb(upright=True)

    @pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"II*\x00\x08\x00"])
    def test_only_a_beginning(self, data: bytes) -> None:
        with pytest.raises(DamagedImageError):
            opened(data)

    def test_checksum_wrong(self) -> None:
        data = bytearray(encode(Image.effect_noise((50, 50), 90)))
        data[len(data) // 2] ^= 0xFF
        with pytest.raises(DamagedImageError):
            opened(bytes(data)).rgb(upright=True)

    def test_no_width(self) -> None:
        with pytest.raises(RowError):
            opened(png(0, 5, 8, 0, b""))

    def test_plugins_that_pillow_loads_late_are_found(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(encode(Image.new("RGB", (4, 4)), "WEBP"))
        code = "import pathlib, sys; from wd14.images.opening import PictureFile;"
        code += "print(PictureFile(pathlib.Path(sys.argv[1]).read_bytes(), max_pixels=99).format)"
        arguments = [sys.executable, "-c", code, str(tmp_path / "a")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
        assert done.stdout.strip() == "WEBP"

    def test_avif_on_a_pillow_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Image.init()
        data = b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"
        monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
        with pytest.raises(NotAnImageError, match="it is AVIF, which cannot be opened here"):
            opened(data)
        monkeypatch.setitem(Image.OPEN, "AVIF", (PngImagePlugin.PngImageFile, lambda _: "support not installed"))
        with pytest.raises(NotAnImageError, match="it is AVIF, which cannot be opened here"):
            opened(data)

    def test_messages_are_short_and_printable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> None:
            raise OSError("\x1b[31m" * 100)

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
        with pytest.raises(DamagedImageError) as caught:
            opened(encode(Image.new("RGB", (4, 4)))).rgb(upright=True)
        assert len(str(caught.value)) < 200
        assert str(caught.value).isprintable()

    def test_whatever_a_decoder_raises_is_a_row_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = encode(Image.new("RGB", (4, 4)))
        for error in (ZeroDivisionError("x"), RecursionError("x"), AttributeError("x"), struct.error("x")):

            def fail(_: Any, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
            with pytest.raises(DamagedImageError):
                opened(data).rgb(upright=True)


class TestLimits:
    def test_too_many_pixels_is_seen_in_the_header(self) -> None:
        data = png(50_000, 50_000, 8, 2, b"")  # 2500 megapixels of nothing
        with pytest.raises(ImageTooLargeError, match=r"50000 x 50000 pixels are 2500 megapixels.* 250"):
            opened(data)

    def test_too_long_a_side(self) -> None:
        """Pillow keeps a pointer for each row: these would take 6 GB."""
        with pytest.raises(ImageTooLargeError, match="the limit of a side is 10,000,000"):
            opened(png(1, 250 * MEGA, 8, 0, b""))
        assert opened(png(1, 2 * MEGA, 8, 0, b"")).size == (1, 2 * MEGA)

    def test_too_many_scans(self) -> None:
        """Each of them goes over the whole picture."""
        data = encode(Image.new("L", (2000, 2000), 128), "JPEG", progressive=True)
        last = data[data.rindex(b"\xff\xda") : -2]
        assert opened(data[:-2] + last * 100 + data[-2:]).rgb(upright=True).size == (2000, 2000)
        with pytest.raises(ImageTooLargeError, match=r"it has 20,00\d scans.* the limit for its size is 1,000"):
            opened(data[:-2] + last * 20_000 + data[-2:]).rgb(upright=True)

    def test_frames_are_counted_up_to_a_limit(self) -> None:
        """Pillow takes a minute to count the pages of this TIFF."""
        assert opened(_tiff_of_pages(100_000)).frames == 1000
        assert opened(_tiff_of_pages(3)).frames == 3
        frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
        gif = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
        assert opened(gif + frame * 2000 + b";").frames == 1000
        assert opened(gif + frame * 1_200_000 + b";").frames == 1000

    def test_limit_is_inclusive(self) -> None:
        data = encode(Image.new("RGB", (10, 10)))
        assert opened(data, max_pixels=100).size == (10, 10)
        with pytest.raises(ImageTooLargeError):
            opened(data, max_pixels=99)

    def test_our_limit_counts_and_pillows_does_not(self) -> None:
        # 190 megapixels in a few KB: over Pillow's own error limit, and under ours.
        data = encode(Image.new("1", (19_000, 10_000)))
        assert opened(data).size == (19_000, 10_000)

    def test_pillows_settings_stay(self) -> None:
        before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
        opened(encode(Image.new("RGB", (10, 10)))).rgb(upright=True)
        with pytest.raises(RowError):
            opened(b"x")
        assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)

    def test_out_of_memory_fails_the_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any) -> None:
            raise MemoryError

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
        with pytest.raises(ImageTooLargeError, match="memory"):
            opened(encode(Image.new("RGB", (4, 4)))).rgb(upright=True)

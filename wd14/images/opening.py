"""Opens pictures safely: any file becomes upright 8-bit RGB on white, or a RowError that says why not.

Nothing in a file can end the process or start another program. Pillow's global settings stay as they are: the limit of
pixels is our own, for the pictures opened here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from PIL import Image, ImageFile

from wd14.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, RowError
from wd14.images.colour import on_white
from wd14.images.flatten import encode_flat, needs_flattening
from wd14.images.formats import FORMATS

_OPENED = {kind.name: kind for kind in FORMATS if kind.opened}

_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureFile:
    """A picture's file whose header was read; the pixels are decoded once, when they are asked for.

    Not for several threads at once.

    Args:
        data: the encoded picture.
        max_pixels: pictures of more are refused.

    Attributes:
        format: Pillow's name: "JPEG", "PNG", …
        size: width and height in pixels as stored, orientation not applied.
        mode: Pillow's name: "RGB", "P", "I;16", …
        needs_flattening: whether the file has transparency or a palette.

    Raises:
        NotAnImageError: empty, or of no format that is opened here.
        DamagedImageError: truncated or corrupt.
        ImageTooLargeError: more than `max_pixels` pixels.
    """

    def __init__(self, data: bytes, *, max_pixels: int) -> None:
        self._data = data
        self._max_pixels = max_pixels
        self._image: ImageFile.ImageFile | None = None
        self._rgb: Image.Image | None = None
        header = _jpeg_header(data)
        if header is not None:
            self.format, self.size, self.mode = header
            self.needs_flattening = False
            _check_size(self.size, max_pixels)
            return
        with _explained():
            image = self._opened()
            self.format, self.size, self.mode = image.format or "", image.size, image.mode
            self.needs_flattening = needs_flattening(image)

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.size[0] * self.size[1]

    @cached_property
    def frames(self) -> int:
        """Pictures in the file; the first is the one that counts. Ask last: counting may lose the first."""
        if self.format not in _OPENED or not _OPENED[self.format].framed:
            return 1
        try:
            return max(1, int(getattr(self._opened(), "n_frames", 1)))
        except Exception:  # noqa: BLE001 - whatever a plugin raises on damage: what was not reached does not count
            return 1

    def rgb(self, *, upright: bool) -> Image.Image:
        """The picture as 8-bit RGB, composited on white as kohya does it.

        16-bit grey is scaled to 8 bits, embedded ICC profiles are left alone.

        Args:
            upright: turn it as its EXIF data says. (TIFF files are always turned: Pillow does it while decoding.)

        Raises:
            DamagedImageError: truncated or corrupt.
            ImageTooLargeError: not enough memory for it.
        """
        with _explained():
            image = self._decoded()
            turn = _TURNS.get(_orientation(self._opened())) if upright else None
            return image if turn is None else image.transpose(turn)

    def flattened(self) -> bytes:
        """The picture as an RGB PNG on white; EXIF data and an RGB ICC profile go along, so it looks the same.

        Raises:
            RowError: as `rgb`.
        """
        with _explained():
            return encode_flat(self._decoded(), self._opened())

    def _opened(self) -> ImageFile.ImageFile:
        if self._image is None:
            self._image = _open(self._data, self._max_pixels)
        return self._image

    def _decoded(self) -> Image.Image:
        if self._rgb is None:
            image = self._opened()
            image.load()
            self._rgb = on_white(image, self._data)
            if self._rgb is image and self.format == "TIFF":
                self._rgb = image.copy()  # counting the frames of a TIFF moves its file on
        return self._rgb


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """`Image.open` without its pixel limit, which is global and below ours, and with our formats only."""
    if not data:
        raise NotAnImageError("the file is empty")
    Image.preinit()
    for name, kind in _OPENED.items():
        if name not in Image.OPEN:
            Image.init()
        if name not in Image.OPEN:
            continue  # this Pillow was built without it
        factory, accept = Image.OPEN[name]
        if accept is not None and not _accepted(accept(data[:16])):
            continue
        try:
            image = factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, KeyError, ValueError, EOFError, OSError, struct.error) as error:
            if kind.unmistakable:
                raise DamagedImageError(_damage(error, name)) from error
            continue
        _check_size(image.size, max_pixels)
        return image
    raise NotAnImageError(_what_instead(data))


def _accepted(answer: object) -> bool:
    """A plugin says yes with a true value, and with a text that it knows the format but cannot read it here."""
    return bool(answer) and not isinstance(answer, str)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width <= 0 or height <= 0:
        raise DamagedImageError(f"the file is damaged: it says it is {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{width} x {height} pixels are {width * height / 1e6:.4g} megapixels;"
            f" the limit (Largest Picture) is {max_pixels / 1e6:.4g}"
        )


#: Start-of-frame markers of JPEG (ITU-T T.81, table B.1); C4, C8 and CC are others.
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def _jpeg_header(data: bytes) -> tuple[str, tuple[int, int], str] | None:
    """Format, size and mode of a plain JPEG file, for which Pillow takes twenty times as long; None = ask Pillow.

    A re-run from stored scores needs no more than this of a picture (benchmarks: rerun).
    """
    position = 2
    if data[:3] != b"\xff\xd8\xff":
        return None
    while position + 9 < len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _FRAME_STARTS:
            depth, height, width, parts = struct.unpack_from(">BHHB", data, position + 4)
            if depth != 8 or not width or not height or parts not in _JPEG_MODES:
                return None
            return "JPEG", (width, height), _JPEG_MODES[parts]
        several = marker == 0xE2 and data[position + 4 : position + 8] == b"MPF\0"
        if several or not 0xC0 < marker < 0xFF or 0xD0 <= marker <= 0xDA or length < 2:
            return None
        position += 2 + length
    return None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read, as viewers do."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        return int(value)
    except Exception:  # noqa: BLE001 - damaged EXIF data raises anything; the picture itself is fine
        return 1


# ── What went wrong, in words ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever goes wrong inside leaves as a RowError."""
    try:
        yield
    except RowError:
        raise
    except MemoryError as error:
        raise ImageTooLargeError("not enough memory to open it") from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError("more pixels than can be opened safely") from error
    except Exception as error:  # Pillow's decoders raise anything on damaged data
        raise DamagedImageError(_damage(error)) from error


def _damage(error: Exception, name: str = "image") -> str:
    text = "".join(char for char in str(error) if char.isprintable())[:120]
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "the file is cut short: its end is missing"
    return f"the file is damaged: {text}" if text else f"the file is damaged: not a whole {name}"


def _what_instead(data: bytes) -> str:
    """Says what the file is, where a look at its beginning can tell."""
    head = data[:1024]
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"heim", b"hevc"):
        return "a HEIC photo, which cannot be opened here: convert it to JPEG or PNG"
    if head.startswith(b"%PDF"):
        return "a PDF, not an image"
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    if "<svg" in text:
        return "an SVG drawing, not a picture of pixels: convert it to PNG"
    if text.startswith(("<!doctype html", "<html")):
        return "a web page, not an image"
    return "not an image: no format that can be opened here"

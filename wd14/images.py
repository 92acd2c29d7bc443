"""Opens pictures: any file that Pillow reads becomes upright 8-bit RGB on white, or a RowError that says why not.

Nothing a file holds may end the process or start another program, and Pillow's global settings stay as the host left
them: the limit of pixels and the silence about odd files are for the pictures opened here, in whatever thread.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageFile

from wd14.colour import on_white
from wd14.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, RowError
from wd14.quiet import without_pillow_warnings

#: What is opened, in the order in which it is tried: Pillow's raster formats. Left out are those that run another
#: program (EPS), that Pillow cannot decode by itself (WMF, MPEG, GRIB, HDF5), that take almost any bytes for a
#: picture (SPIDER, FITS, MIC), or that are about to go (IM).
FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "PPM"),  # what Pillow loads at once; the others cost an import of all its plugins
    *("WEBP", "TIFF", "AVIF", "JPEG2000", "MPO", "ICO", "CUR", "PSD", "QOI", "DIB", "DDS", "ICNS", "SGI", "SUN"),
    *("PCX", "DCX", "MSP", "BLP", "FTEX", "FLI", "GBR", "PIXAR", "XBM", "XPM", "TGA"),
)
# Their first bytes leave no doubt about what the file is meant to be: a broken one is damaged, not "no image".
_UNMISTAKABLE = frozenset(("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "JPEG2000", "PSD", "QOI"))
# Only these hold one picture after another; the "frames" of a PSD are layers, those of an MPO are views.
_FRAMED = frozenset(("GIF", "PNG", "WEBP", "AVIF", "TIFF", "FLI", "DCX"))
_ALPHA_OR_PALETTE = frozenset(("P", "PA", "LA", "La", "RGBA", "RGBa"))

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


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, ready for the model."""

    image: Image.Image  #: RGB, 8 bits a channel, on white
    size: tuple[int, int]  #: width and height of `image`
    frames: int  #: pictures in the file; `image` is the first
    needs_flattening: bool  #: the file has transparency or a palette


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a file's header says."""

    format: str  #: Pillow's name: "JPEG", "PNG", …
    size: tuple[int, int]  #: width and height as stored, orientation not applied
    mode: str  #: Pillow's name: "RGB", "P", "I;16", …
    frames: int  #: pictures in the file
    needs_flattening: bool  #: the file has transparency or a palette

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.size[0] * self.size[1]


class Header:
    """A file whose header was read; its pixels are decoded on request, once.

    Args:
        data: the encoded picture.
        max_pixels: pictures of more are refused.

    Raises:
        NotAnImageError: empty, or none of `FORMATS`.
        DamagedImageError: truncated or corrupt.
        ImageTooLargeError: more than `max_pixels` pixels.
    """

    def __init__(self, data: bytes, *, max_pixels: int) -> None:
        with _explained():
            self._data = data
            self._image = _open(data, max_pixels)
            self.facts = _facts(self._image, data)

    def decode(self, *, exif_orientation: bool) -> Picture:
        """The file's first picture, composited on white as kohya does it.

        16-bit grey is scaled to 8 bits, embedded ICC profiles are left alone. With `exif_orientation` the picture is
        turned as its EXIF data says (TIFF files are always turned: Pillow does it while decoding).

        Raises:
            DamagedImageError: truncated or corrupt.
            ImageTooLargeError: not enough memory for it.
        """
        with _explained():
            image = self._image
            image.load()
            turn = _TURNS.get(_orientation(image)) if exif_orientation else None
            upright = on_white(image, self._data)
            if turn is not None:
                upright = upright.transpose(turn)
            return Picture(upright, upright.size, self.facts.frames, self.facts.needs_flattening)


def open_picture(data: bytes, *, exif_orientation: bool, max_pixels: int) -> Picture:
    """The first picture of an encoded file: its `Header`, decoded.

    Raises:
        RowError: as `Header` and `Header.decode`.
    """
    return Header(data, max_pixels=max_pixels).decode(exif_orientation=exif_orientation)


def inspect(data: bytes, *, max_pixels: int) -> PictureFacts:
    """What the header says, for one who does not want the pixels: quicker than `Header`.

    Raises:
        RowError: as `Header`.
    """
    facts = _facts_of_jpeg(data)
    if facts is None:
        return Header(data, max_pixels=max_pixels).facts
    _check_size(facts.size, max_pixels)
    return facts


def flatten_to_png(data: bytes, *, max_pixels: int) -> bytes:
    """The first picture as an RGB PNG on white; EXIF data and an RGB ICC profile go along, so it looks the same.

    Raises:
        RowError: as `open_picture`.
    """
    with _explained():
        image = _open(data, max_pixels)
        image.load()
        # A TIFF's EXIF data are its own directory, which would tell lies about a PNG; it is upright already.
        exif = b"" if image.format == "TIFF" else _exif_bytes(image)
        profile = image.info.get("icc_profile")
        flat = on_white(image, data)
        flat.info = {}  # or a transparent colour would be written again
        if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
            profile = None  # a grey or CMYK profile does not fit RGB pixels
        out = io.BytesIO()
        flat.save(out, "PNG", exif=exif, icc_profile=profile)
        return out.getvalue()


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """`Image.open` without its pixel limit, which is global and below ours, and with our formats only."""
    if not data:
        raise NotAnImageError("the file is empty")
    Image.preinit()
    for name in FORMATS:
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
            if name in _UNMISTAKABLE:
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


def _facts(image: ImageFile.ImageFile, data: bytes) -> PictureFacts:
    return PictureFacts(
        format=image.format or "",
        size=image.size,
        mode=image.mode,
        frames=_count_frames(image, data),
        needs_flattening=image.mode in _ALPHA_OR_PALETTE or image.has_transparency_data,
    )


#: Start-of-frame markers of JPEG (ITU-T T.81, table B.1); C4, C8 and CC are others.
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def _facts_of_jpeg(data: bytes) -> PictureFacts | None:
    """The facts of a plain JPEG file, which Pillow takes twenty times as long for; None = ask Pillow."""
    position = 2
    if data[:3] != b"\xff\xd8\xff":
        return None
    while position + 9 < len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _FRAME_STARTS:
            depth, height, width, parts = struct.unpack_from(">BHHB", data, position + 4)
            if depth != 8 or not width or not height or parts not in _JPEG_MODES:
                return None
            return PictureFacts("JPEG", (width, height), _JPEG_MODES[parts], frames=1, needs_flattening=False)
        several = marker == 0xE2 and data[position + 4 : position + 8] == b"MPF\0"
        if several or not 0xC0 < marker < 0xFF or 0xD0 <= marker <= 0xDA or length < 2:
            return None
        position += 2 + length
    return None


def _count_frames(image: ImageFile.ImageFile, data: bytes) -> int:
    if image.format not in _FRAMED:
        return 1
    if image.format not in ("GIF", "TIFF"):
        return max(1, int(getattr(image, "n_frames", 1)))
    # These two are counted by walking through the file, which moves the first picture out of reach and may meet
    # damage in a later one: a second look of its own.
    walker = type(image)(io.BytesIO(data), "")
    try:
        return max(1, int(getattr(walker, "n_frames", 1)))
    except Exception:  # noqa: BLE001 - whatever a plugin raises on damage: what was not reached does not count
        return 1


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read, as viewers do."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        return int(value)
    except Exception:  # noqa: BLE001 - damaged EXIF data raises anything; the picture itself is fine
        return 1


def _exif_bytes(image: Image.Image) -> bytes:
    try:
        return image.getexif().tobytes()
    except Exception:  # noqa: BLE001 - as above
        return b""


# ── What went wrong, in words ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever goes wrong inside leaves as a RowError."""
    try:
        with without_pillow_warnings():
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
    text = "".join(sign for sign in str(error) if sign.isprintable())[:120]
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

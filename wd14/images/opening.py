"""Opens pictures safely: any raster file that Pillow reads becomes 8-bit RGB on white, or a RowError that says why not.

Nothing in a file can end the process or start another program. Pillow's global settings are left alone: our pixel
limit is checked per picture, in any thread.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from wd14.errors import DamagedImageError, ImageTooLargeError, NotAnImageError, RowError
from wd14.images.colour import on_colour
from wd14.images.flatten import flattened, needs_flattening
from wd14.images.formats import ANIMATED, FORMATS
from wd14.input_spec import WHITE, Colour

#: Pixels of the longest side. Pillow keeps a pointer for each row: 250 million rows of one pixel would take 6 GB.
_LONGEST_SIDE = 10_000_000
#: Scans of a JPEG file, and pixels over all of them, of which a file must keep one. Each scan goes over the whole
#: picture, and a file may have any number; a progressive one has about ten.
_USUAL_SCANS = 16
_SCANNED_PIXELS = 4_000_000_000
#: Frames that are counted. Finding them takes long in a TIFF of a hundred thousand pages, and in a GIF that is larger
#: than this.
MOST_FRAMES = 1000
_LARGEST_GIF = 16 << 20

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
    """An encoded picture whose header was read. The file is opened once, and decoded once, when pixels are asked for.

    Not for use by several threads at once.

    Args:
        data: the encoded picture.
        max_pixels: larger pictures are refused.

    Attributes:
        format: Pillow's name: "JPEG", "PNG", …
        size: width and height in pixels as stored, EXIF orientation not applied.
        mode: Pillow's name: "RGB", "P", "I;16", …
        needs_flattening: whether hosts cannot show it as it is, or it has transparency.

    Raises:
        NotAnImageError: empty, or of no format that can be opened.
        DamagedImageError: truncated or corrupt.
        ImageTooLargeError: more than `max_pixels` pixels.
    """

    def __init__(self, data: bytes, *, max_pixels: int) -> None:
        self._data = data
        self._max_pixels = max_pixels
        # Not `functools.cached_property`: before Python 3.12 it lets one thread at a time compute, over all pictures.
        self._opened: ImageFile.ImageFile | None = None
        self._decoded: Image.Image | None = None
        self.needs_flattening = False
        header = _jpeg_header(data)
        if header is not None:
            self.format, self.size, self.mode = header
            _check_size(self.size, max_pixels)
            return
        with _errors_as_row_errors():
            self.format, self.size, self.mode = self._image.format or "", self._image.size, self._image.mode
            self.needs_flattening = needs_flattening(self._image)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.size[0] * self.size[1]

    @property
    def frames(self) -> int:
        """Pictures in the file, `MOST_FRAMES` at most; the first is used. Ask last: counting may lose the first."""
        if self.format not in ANIMATED:
            return 1
        try:
            if self.format == "TIFF" or (self.format == "GIF" and len(self._data) > _LARGEST_GIF):
                return _frames_one_by_one(self._image)
            return min(max(1, int(getattr(self._image, "n_frames", 1))), MOST_FRAMES)
        except Exception:  # noqa: BLE001 - plugins raise anything on damage in later frames, which are not used
            return 1

    def rgb(self, *, upright: bool, at_least: int | None = None, background: Colour = WHITE) -> Image.Image:
        """The picture as 8-bit RGB, composited on white as kohya does it, or on another colour.

        16-bit grey is scaled to 8 bits; embedded ICC profiles are ignored.

        Args:
            upright: apply the EXIF orientation. (Pillow always applies it to TIFF files, while decoding.)
            at_least: pixels of the longer side that will do: a JPEG may be decoded at a fraction of its size, also for
                whatever is asked of it later. None = at its own size.
            background: what is seen through transparent pixels.

        Raises:
            DamagedImageError: truncated or corrupt.
            ImageTooLargeError: not enough memory for it.
        """
        with _errors_as_row_errors():
            if at_least is not None and self.format == "JPEG" and self._decoded is None:
                self._image.draft(None, (at_least, at_least))
            rgb = self._rgb  # first: decoding a TIFF turns it and takes the orientation away
            if background != WHITE and self._image.has_transparency_data:
                rgb = on_colour(self._image, self._data, background)
            turn = _TURNS.get(_orientation(self._image)) if upright else None
            return rgb if turn is None else rgb.transpose(turn)

    def flattened(self) -> tuple[bytes, str]:
        """The picture as RGB on white that looks the same in a viewer, and the format that it is in now.

        Raises:
            RowError: as `rgb`.
        """
        with _errors_as_row_errors():
            return flattened(self._rgb, self._image)

    @property
    def _image(self) -> ImageFile.ImageFile:
        if self._opened is None:
            self._opened = _open(self._data, self._max_pixels)
        return self._opened

    @property
    def _rgb(self) -> Image.Image:
        if self._decoded is None:
            if self.format in ("JPEG", "MPO"):
                _check_scans(self._data, self.pixels)
            self._image.load()
            self._decoded = on_colour(self._image, self._data, WHITE)
        return self._decoded


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    """`Image.open` with the formats of the table only, and without Pillow's pixel limit, which is global."""
    if not data:
        raise NotAnImageError("the file is empty")
    Image.preinit()
    for row in FORMATS:
        if row.name not in Image.OPEN:
            Image.init()
        factory, accept = Image.OPEN.get(row.name, (None, None))
        accepted = _looks_right(accept, data) if accept else factory is not None
        if factory is None or isinstance(accepted, str):  # this Pillow was built without it
            if kind := row.extension_of(data):
                raise NotAnImageError(f"it is {kind[1:].upper()}, which cannot be opened here: convert it to PNG")
        elif accepted:
            try:
                image = factory(io.BytesIO(data), "")
            except (SyntaxError, IndexError, TypeError, KeyError, ValueError, EOFError, OSError, struct.error) as error:
                if row.extension_of(data):
                    raise DamagedImageError(_damage(error)) from error
                continue  # the first bytes looked like this format by chance
            _check_size(image.size, max_pixels)
            return image
    raise NotAnImageError(_what_instead(data))


def _looks_right(accept: Callable[[bytes], bool | str], data: bytes) -> bool | str:
    """What a format's plugin says of a file's first bytes; some expect more of them than a short file has."""
    try:
        return accept(data[:16])
    except (IndexError, TypeError, struct.error):
        return False


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{width} x {height} pixels are {width * height / 1e6:.4g} megapixels;"
            f" the limit (Largest Picture) is {max_pixels / 1e6:.4g}"
        )
    if max(size) > _LONGEST_SIDE:
        raise ImageTooLargeError(f"{width} x {height} pixels: the limit of a side is {_LONGEST_SIDE:,}")


def _check_scans(data: bytes, pixels: int) -> None:
    scans = data.count(b"\xff\xda")  # the marker that begins a scan; within a scan it cannot occur
    most = max(_USUAL_SCANS, _SCANNED_PIXELS // pixels)
    if scans > most:
        raise ImageTooLargeError(
            f"it has {scans:,} scans, which would take minutes to decode; the limit for its size is {most:,}:"
            " save it again as an ordinary JPEG"
        )


def _frames_one_by_one(image: Image.Image) -> int:
    try:
        for number in range(1, MOST_FRAMES):
            image.seek(number)
    except EOFError:
        return number
    return MOST_FRAMES


#: Start-of-frame markers of JPEG (ITU-T T.81, table B.1); C4, C8 and CC mean something else.
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def _jpeg_header(data: bytes) -> tuple[str, tuple[int, int], str] | None:
    """Format, size and mode of a plain JPEG file, twenty times as fast as by Pillow; None = ask Pillow.

    A re-run from stored scores needs nothing else of a picture (benchmarks: rerun).
    """
    if data[:3] != b"\xff\xd8\xff":
        return None
    position = 2
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
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read, as in viewers."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF data raise anything; the picture itself is fine
        return 1


@contextmanager
def _errors_as_row_errors() -> Iterator[None]:
    """Turns whatever Pillow raises into a RowError."""
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


def _damage(error: Exception) -> str:
    text = "".join(character for character in str(error) if character.isprintable())[:120]
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "the file is cut short: its end is missing"
    return f"the file is damaged: {text or 'it cannot be decoded'}"


def _what_instead(data: bytes) -> str:
    """What a file that is no picture is, as far as its beginning tells."""
    head = data[:1024]
    if head.startswith(b"%PDF"):
        return "a PDF, not an image"
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    if "<svg" in text:
        return "an SVG drawing, not a picture of pixels: convert it to PNG"
    if text.startswith(("<!doctype html", "<html")):
        return "a web page, not an image"
    return "not an image of any format that can be opened here"

"""The one table of picture formats: file extensions, first bytes, and what Pillow calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Format:
    """A picture format. Files of a format that the installed Pillow lacks fail with a reason.

    A file that has a format's first bytes and cannot be opened is damaged; without `first_bytes`, it is no picture.
    """

    name: str  #: Pillow's name
    extensions: str  #: of its files, separated by spaces
    first_bytes: dict[str, bytes] = field(default_factory=dict)  #: extension -> regular expression
    animated: bool = False  #: whether frames are pictures of their own; those of a PSD are layers, of an MPO views

    def extension_of(self, data: bytes) -> str:
        """The extension that goes with the first bytes of a file; empty when it is not of this format."""
        return next((name for name, magic in self.first_bytes.items() if re.match(magic, data, re.DOTALL)), "")


#: In the order in which they are tried: first those that Pillow has at once (the others take an import of all its
#: plugins), last those that take almost any bytes for a picture. Left out are formats that start another program (EPS),
#: that Pillow only recognises (WMF, MPEG, BUFR, GRIB, HDF5), and oddities that no dataset has (FITS, IM, IPTC, PCD, …).
FORMATS = (
    Format("JPEG", ".jpg .jpeg .jpe .jfif .mpo", {".jpg": rb"\xff\xd8\xff"}),
    Format("PNG", ".png .apng", {".png": rb"\x89PNG\r\n\x1a\n"}, animated=True),
    Format("GIF", ".gif", {".gif": rb"GIF8[79]a"}, animated=True),
    Format("BMP", ".bmp", {".bmp": rb"BM.{4}\0{4}"}),
    Format("PPM", ".pbm .pgm .ppm .pnm .pfm", {".pbm": rb"P4\s", ".pgm": rb"P5\s", ".ppm": rb"P6\s"}),
    Format("WEBP", ".webp", {".webp": rb"RIFF....WEBP"}, animated=True),
    Format("TIFF", ".tif .tiff", {".tif": rb"II[*+]\0|MM\0[*+]"}, animated=True),
    Format("AVIF", ".avif .avifs", {".avif": rb"....ftypavi[fs]"}, animated=True),
    Format("HEIF", ".heic .heif", {".heic": rb"....ftyphe[iv]", ".heif": rb"....ftypmif1"}),
    Format("JXL", ".jxl", {".jxl": rb"\xff\x0a|\0\0\0\x0cJXL "}),
    Format("JPEG2000", ".jp2 .j2k .jpc .jpf .jpx .j2c", {".jp2": rb"\0\0\0\x0cjP  ", ".j2k": rb"\xff\x4f\xff\x51"}),
    Format("ICO", ".ico", {".ico": rb"\0\0\x01\0"}),
    Format("CUR", ".cur"),
    Format("PSD", ".psd", {".psd": rb"8BPS"}),
    Format("QOI", ".qoi", {".qoi": rb"qoif"}),
    Format("DIB", ".dib"),
    Format("DDS", ".dds", {".dds": rb"DDS "}),
    Format("ICNS", ".icns", {".icns": rb"icns"}),
    Format("SGI", ".sgi .rgb .rgba .bw"),
    Format("SUN", ".ras"),
    Format("PCX", ".pcx"),
    Format("DCX", ".dcx", animated=True),
    Format("MSP", ".msp"),
    Format("BLP", ".blp"),
    Format("FTEX", ".ftc .ftu"),
    Format("FLI", ".fli .flc", animated=True),
    Format("GBR", ".gbr"),
    Format("PIXAR", ".pxr"),
    Format("XBM", ".xbm"),
    Format("XPM", ".xpm"),
    Format("TGA", ".tga .icb .vda .vst"),
)
IMAGE_EXTENSIONS = frozenset(extension for row in FORMATS for extension in row.extensions.split())
ANIMATED = frozenset(row.name for row in FORMATS if row.animated)


def extension(name: str) -> str:
    """The lower-case extension of a file name, with its dot; empty when there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_picture(name: str) -> bool:
    """Whether a file of this name should be a picture."""
    return extension(name) in IMAGE_EXTENSIONS


def sniff_extension(data: bytes) -> str:
    """The extension for an encoded picture, by its first bytes; empty when they say nothing."""
    return next((found for row in FORMATS if (found := row.extension_of(data))), "")

"""The one table of picture formats: what is opened, how its files are named, and how their bytes begin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A format of pictures.

    Attributes:
        name: Pillow's name.
        extensions: of its files, lower case, the usual one first.
        magic: how its files begin: (offset, bytes) or (offset, bytes, extension where it is not the usual one).
        unmistakable: whether the first bytes leave no doubt: a broken file is damaged, not "no image".
        framed: whether a file can hold one picture after another. (The "frames" of a PSD are layers, those of an MPO
            views.)
        opened: whether it is opened here. A file of a format that is not fails with a reason.
    """

    name: str
    extensions: tuple[str, ...] = ()
    magic: tuple[tuple[int, bytes] | tuple[int, bytes, str], ...] = ()
    unmistakable: bool = False
    framed: bool = False
    opened: bool = True


#: In the order in which they are tried: first those that Pillow loads at once, the others cost an import of all its
#: plugins. Left out are formats that run another program (EPS), that Pillow cannot decode by itself (WMF, MPEG, GRIB,
#: HDF5), that take almost any bytes for a picture (SPIDER, FITS, MIC), or that hardly anyone has (IM, PCD).
FORMATS = (
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ((0, b"\xff\xd8\xff"),), unmistakable=True),
    Format("PNG", (".png", ".apng"), ((0, b"\x89PNG\r\n\x1a\n"),), unmistakable=True, framed=True),
    Format("GIF", (".gif",), ((0, b"GIF87a"), (0, b"GIF89a")), unmistakable=True, framed=True),
    Format("BMP", (".bmp",), ((0, b"BM"),)),
    Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), ((0, b"P6"), (0, b"P5", ".pgm"), (0, b"P4", ".pbm"))),
    Format("WEBP", (".webp",), ((8, b"WEBP"),), unmistakable=True, framed=True),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        unmistakable=True,
        framed=True,
    ),
    Format("AVIF", (".avif", ".avifs"), ((4, b"ftypavif"), (4, b"ftypavis")), unmistakable=True, framed=True),
    Format(
        "JPEG2000",
        (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
        ((0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51", ".j2k")),
        unmistakable=True,
    ),
    Format("MPO", (".mpo",)),
    Format("ICO", (".ico",), ((0, b"\0\0\1\0"),)),
    Format("CUR", (".cur",)),
    Format("PSD", (".psd",), ((0, b"8BPS"),), unmistakable=True),
    Format("QOI", (".qoi",), ((0, b"qoif"),), unmistakable=True),
    Format("DIB", (".dib",)),
    Format("DDS", (".dds",), ((0, b"DDS "),)),
    Format("ICNS", (".icns",), ((0, b"icns"),)),
    Format("SGI", (".sgi", ".rgb", ".rgba", ".bw")),
    Format("SUN", (".ras",)),
    Format("PCX", (".pcx",)),
    Format("DCX", (".dcx",), framed=True),
    Format("MSP", (".msp",)),
    Format("BLP", (".blp",)),
    Format("FTEX", (".ftc", ".ftu")),
    Format("FLI", (".fli", ".flc"), framed=True),
    Format("GBR", (".gbr",)),
    Format("PIXAR", (".pxr",)),
    Format("XBM", (".xbm",)),
    Format("XPM", (".xpm",)),
    Format("TGA", (".tga", ".icb", ".vda", ".vst")),
    # What people have and Pillow does not open: their rows fail with a reason, instead of being passed over.
    Format("HEIF", (".heic", ".heif"), ((4, b"ftyphei"), (4, b"ftypmif1", ".heif")), opened=False),
    Format("JPEG XL", (".jxl",), ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL ")), opened=False),
)

_EXTENSIONS = frozenset(extension for kind in FORMATS for extension in kind.extensions)
_MAGIC = tuple(
    (entry[0], entry[1], entry[2] if len(entry) == 3 else kind.extensions[0])
    for kind in FORMATS
    for entry in kind.magic
)


def extension(name: str) -> str:
    """The extension of a file name, lower case and with its dot; empty when there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_picture(name: str) -> bool:
    """Whether a file of this name should be a picture."""
    return extension(name) in _EXTENSIONS


def sniff_extension(data: bytes) -> str:
    """The extension that belongs to an encoded picture, by its first bytes; empty when they are of no known kind."""
    return next((found for start, magic, found in _MAGIC if data[start : start + len(magic)] == magic), "")

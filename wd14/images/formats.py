"""The one table of picture formats: what is opened, how files of them are named, and how their bytes begin."""

from __future__ import annotations

from collections.abc import Iterable

#: Endings of the pictures that Pillow opens, as its plugins register them, without what is no picture or needs a
#: program of its own: EPS and PS (Ghostscript), WMF and EMF (Windows), MPEG, BUFR, GRIB and HDF5 (no reader in Pillow).
_PILLOW_ENDINGS = (
    ".apng .blp .bmp .bw .cur .dcx .dds .dib .fit .fits .flc .fli .ftc .ftu .gbr .gif .icb .icns .ico .iim .im .j2c"
    " .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm .psd .pxr .qoi"
    " .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst .webp .xbm .xpm"
)
#: Pictures that some Pillow versions cannot open: a row that fails with a reason, not a file that nobody mentions.
_OTHER_ENDINGS = ".avif .avifs .heic .heif .jxl"
IMAGE_ENDINGS = frozenset(f"{_PILLOW_ENDINGS} {_OTHER_ENDINGS}".split())


def ending(name: str) -> str:
    """The lower-case ending of a file name, with its dot; empty when there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_picture(name: str) -> bool:
    """Whether a file of this name should be a picture."""
    return ending(name) in IMAGE_ENDINGS


#: (bytes at an offset, ending), from the formats' specifications.
_MAGIC: Iterable[tuple[int, bytes, str]] = (
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"GIF87a", ".gif"),
    (0, b"GIF89a", ".gif"),
    (8, b"WEBP", ".webp"),
    (0, b"BM", ".bmp"),
    (0, b"II*\0", ".tif"),
    (0, b"MM\0*", ".tif"),
    (0, b"II+\0", ".tif"),
    (0, b"MM\0+", ".tif"),
    (4, b"ftypavif", ".avif"),
    (4, b"ftypavis", ".avif"),
    (4, b"ftyphei", ".heic"),
    (4, b"ftypmif1", ".heif"),
    (0, b"\0\0\0\x0cjP  ", ".jp2"),
    (0, b"\xff\x4f\xff\x51", ".j2k"),
    (0, b"\xff\x0a", ".jxl"),
    (0, b"\0\0\0\x0cJXL ", ".jxl"),
    (0, b"8BPS", ".psd"),
    (0, b"qoif", ".qoi"),
    (0, b"DDS ", ".dds"),
    (0, b"\0\0\1\0", ".ico"),
    (0, b"icns", ".icns"),
    (0, b"P4", ".pbm"),
    (0, b"P5", ".pgm"),
    (0, b"P6", ".ppm"),
)


def sniff_ending(data: bytes) -> str:
    """The ending that belongs to encoded bytes, by their first ones; empty when they are of no known kind."""
    return next((found for start, magic, found in _MAGIC if data[start : start + len(magic)] == magic), "")

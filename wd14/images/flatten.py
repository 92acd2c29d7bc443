"""Flattening: pictures that hosts cannot show become RGB on white.

Hosts show every picture as JPEG, so what JPEG cannot hold (transparency, palettes, more than 8 bits) is an error there.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, features

#: Modes that Pillow saves as JPEG.
_SHOWN_MODES = frozenset(("1", "L", "RGB", "RGBX", "CMYK", "YCbCr"))

#: Formats that hold RGB without loss, with Pillow's options for it: such a picture keeps its format and its name.
_KEPT_FORMATS: Mapping[str, Mapping[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True, "quality": 20, "method": 1},  # a third of the full effort's time, and as small
    "TIFF": {"compression": "tiff_deflate"},
}


def needs_flattening(image: Image.Image) -> bool:
    """Whether a picture whose header was read is one that hosts cannot show, or has transparency."""
    return image.mode not in _SHOWN_MODES or image.has_transparency_data


def flattened(rgb: Image.Image, original: Image.Image) -> tuple[bytes, str]:
    """`rgb` as a file that looks like the original: with its EXIF data and its ICC profile, if that is for RGB.

    Args:
        rgb: the original's pixels as RGB on white.
        original: the picture as it was opened.

    Returns:
        The encoded picture, and its format: the original's where that holds RGB without loss, else "PNG".
    """
    format_ = original.format or ""
    if format_ not in _KEPT_FORMATS or (format_ == "WEBP" and not features.check("webp")):
        format_ = "PNG"
    # The EXIF data of a TIFF describe its own pixels, which Pillow has turned upright already.
    exif = b"" if original.format == "TIFF" else _exif(original)
    profile = original.info.get("icc_profile")
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        profile = None  # of grey or CMYK pixels
    rgb.info = {}  # or a transparent colour would be written again
    out = io.BytesIO()
    rgb.save(out, format_, exif=exif, icc_profile=profile, **_KEPT_FORMATS[format_])
    return out.getvalue(), format_


def _exif(image: Image.Image) -> bytes:
    try:
        return image.getexif().tobytes()
    except Exception:  # noqa: BLE001 - damaged EXIF data raise anything; the picture itself is fine
        return b""

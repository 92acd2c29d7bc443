"""Flattening: pictures with transparency or a palette become RGB PNG on white, since hosts show no others."""

from __future__ import annotations

import io

from PIL import Image

_ALPHA_OR_PALETTE = frozenset(("P", "PA", "LA", "La", "RGBA", "RGBa"))


def needs_flattening(image: Image.Image) -> bool:
    """Whether a picture whose header was read has transparency or a palette."""
    return image.mode in _ALPHA_OR_PALETTE or image.has_transparency_data


def flattened_png(rgb: Image.Image, original: Image.Image) -> bytes:
    """`rgb` as a PNG file that looks like the original: with its EXIF data and its ICC profile, if that is for RGB.

    Args:
        rgb: the original's pixels as RGB on white.
        original: the picture as it was opened.
    """
    # The EXIF data of a TIFF describe its own pixels, which Pillow has turned upright already.
    exif = b"" if original.format == "TIFF" else _exif(original)
    profile = original.info.get("icc_profile")
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        profile = None  # of grey or CMYK pixels
    rgb.info = {}  # or a transparent colour would be written again
    out = io.BytesIO()
    rgb.save(out, "PNG", exif=exif, icc_profile=profile)
    return out.getvalue()


def _exif(image: Image.Image) -> bytes:
    try:
        return image.getexif().tobytes()
    except Exception:  # noqa: BLE001 - damaged EXIF data raise anything; the picture itself is fine
        return b""

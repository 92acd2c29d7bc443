"""Flattening: pictures with transparency or a palette are saved as RGB on white, since the host cannot show them."""

from __future__ import annotations

import io

from PIL import Image

_ALPHA_OR_PALETTE = frozenset(("P", "PA", "LA", "La", "RGBA", "RGBa"))


def needs_flattening(image: Image.Image) -> bool:
    """Whether a picture, as its file has it, has transparency or a palette."""
    return image.mode in _ALPHA_OR_PALETTE or image.has_transparency_data


def encode_flat(flat: Image.Image, original: Image.Image) -> bytes:
    """A flattened picture as the bytes of a PNG.

    Args:
        flat: the picture as RGB on white, not turned.
        original: as its file has it; its EXIF data and an RGB ICC profile go along, so that both look the same.
    """
    # A TIFF's EXIF data are its own directory, which would be wrong in a PNG; Pillow has turned it upright already.
    exif = b"" if original.format == "TIFF" else _exif_bytes(original)
    profile = original.info.get("icc_profile")
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        profile = None  # a grey or CMYK profile does not fit RGB pixels
    flat.info = {}  # or a transparent colour would be written again
    out = io.BytesIO()
    flat.save(out, "PNG", exif=exif, icc_profile=profile)
    return out.getvalue()


def _exif_bytes(image: Image.Image) -> bytes:
    try:
        return image.getexif().tobytes()
    except Exception:  # noqa: BLE001 - damaged EXIF data raises anything; the picture itself is fine
        return b""

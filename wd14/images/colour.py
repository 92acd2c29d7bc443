"""Converts pictures of any mode to 8-bit RGB on one colour, white for most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wd14.input_spec import Colour

_WIDE_GREY = frozenset(("I;16", "I;16L", "I;16B", "I;16N", "I", "F"))
# Values that are scaled at once: scaling takes several times their memory.
_VALUES_AT_ONCE = 1 << 22


def on_colour(image: Image.Image, data: bytes, background: Colour) -> Image.Image:
    """A loaded picture as RGB, composited on a colour as kohya does it on white.

    Wide grey is scaled, not clipped. ICC profiles are ignored.

    Args:
        image: of any mode.
        data: the file it was loaded from; a PNG's header has the bit depth of the transparent colour.
        background: the colour, RGB.

    Raises:
        Exception: whatever Pillow raises on damaged data.
    """
    key = image.info.get("transparency")
    if image.mode in _WIDE_GREY:
        values = np.asarray(image)
        rgb = Image.fromarray(_to_8_bit(values, image.format)).convert("RGB")
        return _key_to_colour(rgb, values == key, background) if isinstance(key, int) else rgb
    if image.mode in ("L", "RGB") and isinstance(key, int | tuple):
        transparent = np.asarray(image) == np.array(_key_in_8_bits(key, image.format, data))
        transparent = transparent if transparent.ndim == 2 else transparent.all(axis=2)
        return _key_to_colour(image.convert("RGB"), transparent, background)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")  # which would copy a gigabyte
        canvas = Image.new("RGB", image.size, background)
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _key_to_colour(rgb: Image.Image, transparent: NDArray[np.bool_], colour: Colour) -> Image.Image:
    rgb.paste(colour, mask=Image.fromarray(transparent.astype(np.uint8) * np.uint8(255)))
    return rgb


def _key_in_8_bits(key: int | tuple[int, ...], file_format: str | None, data: bytes) -> int | tuple[int, ...]:
    """The transparent colour on the scale of the pixels: of a PNG, Pillow scales the pixels to 8 bits, but not this."""
    if file_format != "PNG":
        return key
    depth = data[24]  # of the IHDR chunk, which is always first
    if isinstance(key, tuple):
        return tuple(part >> 8 for part in key) if depth == 16 else key
    return key * {2: 85, 4: 17}.get(depth, 1)


def _to_8_bit(values: NDArray[Any], file_format: str | None) -> NDArray[np.uint8]:
    """Grey of more than 8 bits, scaled to 0..255.

    16-bit files (PNG, PGM, TIFF) are divided by 257 and rounded. 32-bit integers and floats have no fixed range, so
    their largest value decides: up to 1 (floats only) the range is 0..1, up to 255 it is 8 bits, up to 65535 16 bits;
    above that the largest value becomes white. Negative values and NaN become black.
    """
    out = np.empty(values.shape, np.uint8)
    factor = 1 / 257 if values.dtype.itemsize == 2 or file_format in ("PNG", "PPM") else _factor(values)
    rows = max(1, _VALUES_AT_ONCE // values.shape[1])
    for start in range(0, len(values), rows):
        part = np.nan_to_num(values[start : start + rows].astype(np.float64), nan=0.0, posinf=np.inf, neginf=0.0)
        out[start : start + rows] = np.clip(np.rint(part * factor), 0, 255)
    return out


def _factor(values: NDArray[Any]) -> float:
    """What 32-bit values are multiplied by."""
    top = float(values.max(where=np.isfinite(values), initial=0))
    if top <= 1 and values.dtype.kind == "f":
        return 255.0
    if top <= 255:
        return 1.0
    return 1 / 257 if top <= 65535 else 255 / top

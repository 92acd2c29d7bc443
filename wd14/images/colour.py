"""Pictures of any mode as 8-bit RGB on white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WHITE = (255, 255, 255)
_WIDE_GREY = frozenset(("I;16", "I;16L", "I;16B", "I;16N", "I", "F"))
# Rows of wide pictures are scaled a part at a time: the scaling needs several times a part's memory.
_AT_ONCE = 1 << 22


def on_white(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded picture as RGB; what is transparent lets white through, as kohya composites it.

    Wide grey is scaled, not clipped. ICC profiles are left alone.

    Args:
        image: of any mode.
        data: the file it was loaded from; its header says the depth of a PNG's transparent colour.

    Raises:
        Exception: whatever Pillow raises on data that are not what the mode says.
    """
    key = image.info.get("transparency")
    if image.mode in _WIDE_GREY:
        values = np.asarray(image)
        rgb = Image.fromarray(_to_8_bit(values, image.format)).convert("RGB")
        return _key_to_white(rgb, values == key) if isinstance(key, int) else rgb
    if image.mode in ("1", "L", "RGB") and isinstance(key, int | tuple):
        pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
        hit = pixels == np.array(_scaled_key(key, image.format, data))
        return _key_to_white(image.convert("RGB"), hit if hit.ndim == 2 else hit.all(axis=2))
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        background = Image.new("RGB", image.size, _WHITE)
        background.paste(rgba, mask=rgba.getchannel("A"))
        return background
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _key_to_white(rgb: Image.Image, hit: NDArray[np.bool_]) -> Image.Image:
    """White where a colour stands for "transparent"."""
    rgb.paste(_WHITE, mask=Image.fromarray(hit.astype(np.uint8) * np.uint8(255)))
    return rgb


def _scaled_key(key: int | tuple[int, ...], kind: str | None, data: bytes) -> int | tuple[int, ...]:
    """A PNG's transparent colour in 8 bits: the file has it in its own depth, and Pillow scales the pixels only."""
    if kind != "PNG":
        return key
    depth = data[24]  # of the IHDR chunk, which is always first
    if isinstance(key, tuple):
        return tuple(part >> 8 for part in key) if depth == 16 else key
    return key * {1: 255, 2: 85, 4: 17}.get(depth, 1)


def _to_8_bit(values: NDArray[Any], kind: str | None) -> NDArray[np.uint8]:
    """Grey of more than 8 bits, scaled to 0..255 and not clipped.

    16-bit files (PNG, PGM, TIFF) are divided by 257, rounded. 32-bit integers and floats say nothing about their
    range, so the largest value decides: up to 1 (floats only) is 0..1, up to 255 is 8-bit, up to 65535 is 16-bit, and
    above that the largest value becomes white. Negative values and NaN are black.
    """
    out = np.empty(values.shape, np.uint8)
    factor = 1 / 257 if values.dtype.itemsize == 2 or kind in ("PNG", "PPM") else _factor(values)
    step = max(1, _AT_ONCE // values.shape[1])
    for start in range(0, len(values), step):
        part = np.nan_to_num(values[start : start + step].astype(np.float64), nan=0.0, posinf=np.inf, neginf=0.0)
        out[start : start + step] = np.clip(np.rint(part * factor), 0, 255)
    return out


def _factor(values: NDArray[Any]) -> float:
    """What a value of the wide kinds is multiplied by."""
    finite = np.isfinite(values)
    top = float(values.max(where=finite, initial=0))
    if top <= 1 and values.dtype.kind == "f":
        return 255.0
    if top <= 255:
        return 1.0
    return 1 / 257 if top <= 65535 else 255 / top


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("its LAB colours cannot be converted")
    return converted

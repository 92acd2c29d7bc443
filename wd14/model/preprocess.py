"""A picture becomes the array that a model reads, pixel for pixel as its users expect.

Two profiles: `kohya` is what kohya-ss/sd-scripts does (pad to a square with white; area averaging down, Lanczos up),
`reference` what the models' author does (the same pad, then Pillow's bicubic filter both ways). The padded square is
never built where it could be large: a 20000 x 200 picture would need 1.1 GiB for it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wd14.model.area_resize import shrink_by_area
from wd14.types import FloatArray, InputSpec

_WHITE = (255, 255, 255)

#: Part of every stored score's key: raise it with any change that moves a pixel.
PREPROCESS_VERSION = 1

# Beyond this side the long direction is averaged down by a whole number first: Pillow's table of weights would fill
# the memory, and each output pixel stands for hundreds anyway.
_LONGEST = 1 << 16
# Longest side up to which whole rows are worked on, white and all.
_EXACT_UP_TO = 4096
# How far Pillow's widest filter (Lanczos) reaches, in output pixels, and one more for rounding.
_REACH = 4
# Pixels of a band of rows that is padded and resized at once: 12 MB.
_BAND_PIXELS = 1 << 22


def prepare(image: Image.Image, spec: InputSpec, *, profile: str, image_size: int) -> FloatArray:
    """The input of one picture: float32, C-contiguous, (size, size, 3), or (3, size, size) where `spec` says NCHW.

    Args:
        image: RGB, 8 bits a channel.
        spec: what the model wants.
        profile: "kohya" or "reference". Models that squash ("fit") have one way only.
        image_size: shrink the shorter side to this many pixels first, with Pillow's Lanczos filter; never enlarges,
            0 leaves the picture alone.

    Raises:
        ValueError: the profile is neither, or the image is not RGB.
    """
    if image.mode != "RGB":
        raise ValueError(f"an RGB image is needed, this one is {image.mode}")
    if profile not in ("kohya", "reference"):
        raise ValueError(f"profile is {profile!r}; allowed: kohya or reference")
    pixels = _square(_shrink_shorter_side(image, image_size), spec, profile)
    if spec.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    if spec.layout == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    values = pixels.astype(np.float32, order="C")
    if spec.value_range == "-1..1":
        values /= np.float32(127.5)
        values -= np.float32(1)
    return values


def _shrink_shorter_side(image: Image.Image, image_size: int) -> Image.Image:
    shorter = min(image.size)
    if image_size <= 0 or shorter <= image_size:
        return image
    scale = image_size / shorter
    width, height = (max(image_size, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _square(image: Image.Image, spec: InputSpec, profile: str) -> NDArray[np.uint8]:
    """(size, size, 3) uint8, RGB."""
    if spec.fit == "squash":
        # As torchvision's Resize, which these models were trained with: Pillow's bilinear filter.
        return _pixels(image.resize((spec.size, spec.size), Image.Resampling.BILINEAR))
    if profile == "reference":
        return _pixels(_resize_padded(image, spec.size, Image.Resampling.BICUBIC))
    if max(image.size) >= spec.size:
        return shrink_by_area(image, spec.size)
    return _pixels(_resize_padded(image, spec.size, Image.Resampling.LANCZOS))


def _resize_padded(image: Image.Image, size: int, filter_: Image.Resampling) -> Image.Image:
    """Pillow's resize of the picture in the middle of a white square; an odd pixel goes right and below.

    Pillow resizes across first and then down, so a band of rows at a time can be padded and resized across: the result
    is the same to the byte, and a large square is never built. Above `_EXACT_UP_TO` only the columns that see the
    picture are worked out, which may differ by 1 of 255: Pillow takes the place of a column in single precision.
    """
    longer = max(image.size)
    if longer > _LONGEST:
        factor = math.ceil(longer / _LONGEST)
        image = image.reduce((factor if image.width == longer else 1, factor if image.height == longer else 1))
    side = max(image.size)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    first, last, low, high = 0, size, 0, side  # columns of the result, and the part of a row that they see
    scale = side / size
    if side > _EXACT_UP_TO:
        reach = _REACH * scale
        first, last = max(0, int((left - reach) / scale)), min(size, math.ceil((left + image.width + reach) / scale))
        low, high = max(0, int(first * scale - reach)), min(side, math.ceil(last * scale + reach))
    narrow = Image.new("RGB", (size, side), _WHITE)
    step = max(1, _BAND_PIXELS // (high - low))
    for start in range(0, image.height, step):
        rows = min(step, image.height - start)
        band = Image.new("RGB", (high - low, rows), _WHITE)
        band.paste(image.crop((0, start, image.width, start + rows)), (left - low, 0))
        box = (first * scale - low, 0, last * scale - low, rows)
        narrow.paste(band.resize((last - first, rows), filter_, box), (first, top + start))
    return narrow.resize((size, size), filter_)


def _pixels(image: Image.Image) -> NDArray[Any]:
    return np.asarray(image)

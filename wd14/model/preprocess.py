"""A picture becomes the array that a model reads, pixel for pixel as its users expect.

Two profiles: `kohya` is what kohya-ss/sd-scripts does (pad to a square with white; area averaging down, Lanczos up),
`reference` what the models' author does (the same pad, then Pillow's bicubic filter both ways). The padded square is
never built where it could be large: a 20000 x 200 picture would need 1.1 GiB for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wd14.model.area_resize import shrink_by_area
from wd14.model.bicubic import shrink_by_bicubic
from wd14.types import FloatArray, InputSpec

#: Part of every stored score's key: raise it with any change that moves a pixel.
PREPROCESS_VERSION = 1

# Up to this side the reference profile builds the padded square: 64 MiB at most while Pillow works on it.
_LARGEST_SQUARE = 4096


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
    side = max(image.size)
    if spec.fit == "squash":
        # As torchvision's Resize, which these models were trained with: Pillow's bilinear filter.
        return _pixels(image.resize((spec.size, spec.size), Image.Resampling.BILINEAR))
    if profile == "kohya":
        if side >= spec.size:
            return shrink_by_area(image, spec.size)
        return _pixels(_pad(image).resize((spec.size, spec.size), Image.Resampling.LANCZOS))
    if side <= _LARGEST_SQUARE:
        return _pixels(_pad(image).resize((spec.size, spec.size), Image.Resampling.BICUBIC))
    return shrink_by_bicubic(image, spec.size)


def _pad(image: Image.Image) -> Image.Image:
    """The picture in the middle of a white square; an odd pixel goes right and below."""
    side = max(image.size)
    if image.size == (side, side):
        return image
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _pixels(image: Image.Image) -> NDArray[Any]:
    return np.asarray(image)

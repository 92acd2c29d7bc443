"""Turns a picture into the array that a model reads, pixel for pixel as its users expect.

Two profiles, which both pad to a square with white first: `kohya` is what kohya-ss/sd-scripts does (area averaging
down, Lanczos up), `reference` what the models' author does (Pillow's bicubic filter both ways).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wd14.model.area_resize import shrink_by_area
from wd14.model.padded_square import PaddedSquare
from wd14.types import FloatArray, InputSpec

#: Part of every stored score's key: raise it with any change that moves a pixel.
PREPROCESS_VERSION = 1


def prepare(image: Image.Image, spec: InputSpec, *, profile: str, image_size: int) -> FloatArray:
    """The model's input for one picture: float32, C-contiguous, (size, size, 3), or (3, size, size) for NCHW models.

    Args:
        image: RGB, 8 bits a channel.
        spec: what the model wants.
        profile: "kohya" or "reference"; ignored for models that squash (`spec.fit`).
        image_size: first shrink the shorter side to this many pixels, with Pillow's Lanczos filter; never enlarges,
            0 leaves the picture alone.

    Raises:
        ValueError: another profile, or the image is not RGB.
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
    """(size, size, 3), RGB."""
    size = spec.size
    if spec.fit == "squash":
        # As torchvision's Resize, which these models were trained with: Pillow's bilinear filter.
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    square = PaddedSquare(image)
    if profile == "reference":
        return np.asarray(square.resized(size, Image.Resampling.BICUBIC))
    if square.side < size:
        return np.asarray(square.resized(size, Image.Resampling.LANCZOS))
    return shrink_by_area(square, size)

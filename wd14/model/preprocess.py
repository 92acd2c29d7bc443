"""Turns a picture into the array that a model reads, pixel for pixel as its users expect.

In two steps: `pixels` are bytes, which take a quarter of the memory while they wait; `values` are the numbers that the
model computes with, made when its turn has come, or inside the graph (`graph.pixels`).

Two profiles, which both pad to a square with white first: `kohya` is what kohya-ss/sd-scripts does (area averaging
down, Lanczos up), `reference` what the models' author does (Pillow's bicubic filter both ways).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from wd14.input_spec import InputSpec
from wd14.model.area_resize import shrink_by_area
from wd14.model.padded_square import PaddedSquare
from wd14.types import FloatArray, PixelArray

#: Part of every stored score's key: raise it with any change that moves a pixel.
PREPROCESS_VERSION = 1


def pixels(image: Image.Image, spec: InputSpec, *, profile: str, image_size: int) -> PixelArray:
    """The pixels that a model sees of a picture, 0..255, in its layout and its order of channels.

    Args:
        image: RGB, 8 bits a channel.
        spec: what the model wants.
        profile: "kohya" or "reference"; ignored for models that squash (`spec.fit`).
        image_size: first shrink the shorter side to this many pixels, with Pillow's Lanczos filter; never enlarges,
            0 leaves the picture alone.

    Raises:
        ValueError: another profile, or the image is not RGB.

    Returns:
        (size, size, 3), or (3, size, size) for NCHW models; C-contiguous.
    """
    if image.mode != "RGB":
        raise ValueError(f"an RGB image is needed, this one is {image.mode}")
    if profile not in ("kohya", "reference"):
        raise ValueError(f"profile is {profile!r}; allowed: kohya or reference")
    square = _square(_shrink_shorter_side(image, image_size), spec, profile)
    if spec.channels == "BGR":
        square = square[:, :, ::-1]
    if spec.layout == "NCHW":
        square = square.transpose(2, 0, 1)
    return np.ascontiguousarray(square)


def values(pixels: PixelArray, spec: InputSpec) -> FloatArray:
    """The numbers that a model computes with, for pixels of any shape: float32 of the same shape."""
    numbers = pixels.astype(np.float32)
    if spec.value_range == "-1..1":
        numbers /= np.float32(127.5)
        numbers -= np.float32(1)
    return numbers


def _shrink_shorter_side(image: Image.Image, image_size: int) -> Image.Image:
    shorter = min(image.size)
    if image_size <= 0 or shorter <= image_size:
        return image
    scale = image_size / shorter
    width, height = (max(image_size, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _square(image: Image.Image, spec: InputSpec, profile: str) -> PixelArray:
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

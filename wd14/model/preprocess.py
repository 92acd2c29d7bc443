"""Turns a picture into the array that a model reads, pixel for pixel as its users expect.

In two steps: `pixels` are bytes, which take a quarter of the memory while they wait; `values` are the numbers that the
model computes with, made when its turn has come, or inside the graph (`graph.pixels`).

Two profiles, which both pad to a square with white first: `kohya` is what kohya-ss/sd-scripts does (area averaging
down, Lanczos up), `reference` what the models' author does (Pillow's bicubic filter both ways). Models whose spec has
stages get what these say, by Pillow.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from wd14.errors import ImageTooLargeError
from wd14.input_spec import CenterCrop, InputSpec, PadToSize, PadToSquare, Resize, Stage
from wd14.model.area_resize import shrink_by_area
from wd14.model.geometry import Size, placing, shrunk
from wd14.model.padded_square import PaddedSquare
from wd14.types import FloatArray, PixelArray

#: Part of every stored score's key: raise it with any change that moves a pixel.
PREPROCESS_VERSION = 1

#: Pixels that a stage may make of a picture that has fewer: 200 MB.
_MOST_PIXELS = 1 << 26
_BLACK = (0, 0, 0)


def pixels(image: Image.Image, spec: InputSpec, *, profile: str, image_size: int) -> PixelArray:
    """The pixels that a model sees of a picture, 0..255, in its layout and its order of channels.

    Args:
        image: RGB, 8 bits a channel.
        spec: what the model wants.
        profile: "kohya" or "reference"; has no say unless the model pads (`spec.fit`).
        image_size: first shrink the shorter side to this many pixels, with Pillow's Lanczos filter; never enlarges,
            0 leaves the picture alone.

    Raises:
        ValueError: another profile, the image is not RGB, or the stages do not end with the spec's size.
        ImageTooLargeError: its sides are so unequal that a stage would make too large a picture of it.

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
    """The numbers that a model computes with, for pixels in its layout, one picture or several: float32."""
    numbers = pixels.astype(np.float32)
    if spec.value_range == "-1..1":
        numbers /= np.float32(127.5)
        numbers -= np.float32(1)
    elif spec.value_range == "normalized":
        mean, deviation = by_channel(spec.mean, spec), by_channel(spec.deviation, spec)
        numbers /= np.float32(255)
        if spec.scale != 1:
            numbers *= np.float32(spec.scale)
        numbers -= mean
        numbers /= deviation
    return numbers


def by_channel(numbers: tuple[float, float, float], spec: InputSpec) -> FloatArray:
    """Three numbers, float32, in the shape in which they meet the channels of pictures."""
    return np.array(numbers, np.float32).reshape((3,) if spec.layout == "NHWC" else (3, 1, 1))


def _shrink_shorter_side(image: Image.Image, image_size: int) -> Image.Image:
    size = shrunk(image.size, image_size)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _square(image: Image.Image, spec: InputSpec, profile: str) -> PixelArray:
    """(size, size, 3), RGB."""
    size = spec.size
    if spec.fit == "squash":
        # As torchvision's Resize, which these models were trained with: Pillow's bilinear filter.
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    if spec.fit == "stages":
        return _staged(image, spec)
    square = PaddedSquare(image)
    if profile == "reference":
        return np.asarray(square.resized(size, Image.Resampling.BICUBIC))
    if square.side < size:
        return np.asarray(square.resized(size, Image.Resampling.LANCZOS))
    return shrink_by_area(square, size)


def _staged(image: Image.Image, spec: InputSpec) -> PixelArray:
    """(size, size, 3), RGB: what the stages make of it, one after the other."""
    stages = list(spec.stages)
    while stages:
        stage = stages.pop(0)
        if isinstance(stage, PadToSquare) and stages and (then := _to_square(stages[0])) is not None:
            stages.pop(0)
            square = PaddedSquare(image, stage.colour)
            image = square.resized(then.size[0], _filter(then)) if square.side != then.size[0] else square.whole()
        else:
            image = _after(stage, image)
    if image.size != (spec.size, spec.size):
        raise ValueError(f"the stages make {image.width} x {image.height} pixels of a picture, expected {spec.size}")
    return np.asarray(image)


def _to_square(stage: Stage) -> Resize | None:
    """A resize that can be had of a square without building it."""
    if not isinstance(stage, Resize) or stage.filter == "nearest" or not stage.antialias:
        return None
    return stage if len(set(stage.size)) == 1 and stage.longest is None else None


def _after(stage: Stage, image: Image.Image) -> Image.Image:
    inner, outer, left, top = placing(stage, image.size)
    _check_pixels(image.size, inner, outer)
    if isinstance(stage, Resize | PadToSize) and inner != image.size:
        # As the peers do where they are told to do without antialiasing: whole pixels are averaged first.
        coarse = isinstance(stage, Resize) and not stage.antialias and stage.filter in ("bilinear", "bicubic")
        image = image.resize(inner, _filter(stage), reducing_gap=1.0 if coarse else None)
    if outer == inner:
        return image
    canvas = Image.new("RGB", outer, _BLACK if isinstance(stage, CenterCrop | Resize) else stage.colour)
    canvas.paste(image, (left, top))
    return canvas


def _check_pixels(before: Size, *after: Size) -> None:
    for width, height in after:
        if width * height > max(_MOST_PIXELS, before[0] * before[1]):
            raise ImageTooLargeError(
                f"its sides are too unequal for this model, which would make {width:,} x {height:,} pixels of it:"
                " crop it, or choose another model"
            )


def _filter(stage: Resize | PadToSize) -> Image.Resampling:
    return Image.Resampling[stage.filter.upper()]

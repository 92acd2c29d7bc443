"""Where a picture comes to lie in the square that a model sees. Whole numbers only: no picture is opened here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wd14.input_spec import CenterCrop, InputSpec, PadToSize, PadToSquare, Resize, Stage
from wd14.types import Box

Size = tuple[int, int]
"""(width, height), in pixels."""

#: Stages whose result has one size for all of these pictures has it for every picture.
_PROBES: tuple[Size, ...] = ((1, 1), (50, 37), (37, 50), (512, 512), (3000, 1001), (1001, 3000), (2000, 1999))


class Placing(NamedTuple):
    """What a stage does with a picture of a known size."""

    inner: Size  #: what the picture is resized to
    outer: Size  #: of the result
    left: int  #: where the resized picture begins in the result; below 0, so many columns are cut off
    top: int  #: likewise, rows


def placing(stage: Stage, size: Size) -> Placing:
    """What a stage does with a picture of this size."""
    match stage:
        case Resize():
            inner = _resized(stage, size)
            return Placing(inner, inner, 0, 0)
        case PadToSize():
            return _centred(_fitted(stage, size), stage.size)
        case PadToSquare():
            side = max(size)
            return _centred(size, (side, side))
        case CenterCrop():
            return _centred(size, stage.size)


def shrunk(size: Size, image_size: int) -> Size:
    """A size whose shorter side is `image_size` at most; 0 = any."""
    shorter = min(size)
    if image_size <= 0 or shorter <= image_size:
        return size
    scale = image_size / shorter
    width, height = (max(image_size, round(side * scale)) for side in size)
    return width, height


def picture_box(size: Size, spec: InputSpec, *, image_size: int = 0) -> Box:
    """Where the picture lies in the square; a pixel that shows some of it counts. Takes a few microseconds.

    Args:
        size: of the picture, (width, height).
        spec: what the model wants.
        image_size: as `preprocess.pixels` has it.
    """
    size = shrunk(size, image_size)
    left, top, right, bottom = 0, 0, *size
    for stage in _stages(spec):
        (width, height), outer, right_by, down_by = placing(stage, size)
        left, top = left * width // size[0] + right_by, top * height // size[1] + down_by
        right, bottom = -(-right * width // size[0]) + right_by, -(-bottom * height // size[1]) + down_by
        left, top, right, bottom = max(0, left), max(0, top), min(outer[0], right), min(outer[1], bottom)
        size = outer
    return left, top, right, bottom


def side_of(stages: Sequence[Stage]) -> int:
    """The side of the square that stages make of every picture.

    Raises:
        ValueError: they make no square, or not the same of every picture; the message says what they make.
    """
    found = []
    for size in _PROBES:
        for stage in stages:
            size = placing(stage, size).outer
        found.append(size)
    width, height = found[0]
    if any(size != found[0] for size in found):
        other = next(size for size in reversed(found) if size != found[0])
        raise ValueError(f"pictures of several sizes: {width} x {height}, {other[0]} x {other[1]}")
    if width != height:
        raise ValueError(f"pictures of {width} x {height} pixels, which is no square")
    return width


def _stages(spec: InputSpec) -> Sequence[Stage]:
    whole = Resize((spec.size, spec.size))
    return {"pad": (PadToSquare(), whole), "squash": (whole,), "stages": spec.stages}[spec.fit]


def _centred(inner: Size, outer: Size) -> Placing:
    """In the middle; an odd pixel of what is added or cut off is on the right or below."""
    left, top = map(_half, (outer[0] - inner[0], outer[1] - inner[1]))
    return Placing(inner, outer, left, top)


def _half(difference: int) -> int:
    """Half of it, cut off towards 0."""
    return difference // 2 if difference > 0 else -(-difference // 2)


def _resized(stage: Resize, size: Size) -> Size:
    if len(stage.size) == 2:
        return stage.size[0], stage.size[1]
    # In the peers' order of operations, since the quotients are cut off: int(a * b / c), and not a * b // c.
    short, (width, height) = stage.size[0], size
    width, height = (short, int(short * height / width)) if width < height else (int(short * width / height), short)
    if stage.longest is not None and max(width, height) > stage.longest:
        if height > width:
            width, height = int(stage.longest * width / height), stage.longest
        else:
            width, height = stage.longest, int(stage.longest * height / width)
    return max(1, width), max(1, height)


def _fitted(stage: PadToSize, size: Size) -> Size:
    (width, height), (most_wide, most_high) = size, stage.size
    if not stage.enlarge and width <= most_wide and height <= most_high:
        return size
    if stage.rounding == "down":
        if most_wide * height <= most_high * width:
            return most_wide, max(1, height * most_wide // width)
        return max(1, width * most_high // height), most_high
    ratio = min(most_wide / width, most_high / height)
    rounded = round if stage.rounding == "nearest" else int
    return max(1, rounded(width * ratio)), max(1, rounded(height * ratio))

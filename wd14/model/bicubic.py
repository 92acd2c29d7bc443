"""Pillow's bicubic filter on a picture padded to a white square, without the square.

The filter works in one direction after the other. Across the padding its weights are worked out here, as Pillow does,
for the picture's own rows or columns only: the border is white, so it adds nothing to the darkness (255 - value).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_SUPPORT = 2.0  # of the filter, in output pixels
_A = -0.5  # Pillow's coefficient of the cubic
_PRECISION = 22  # bits after the point in Pillow's 8-bit resampling
# Beyond this side the long direction is averaged down by a whole number first: Pillow's table of weights would fill
# the memory, and each output pixel stands for hundreds anyway.
_LONGEST = 1 << 16
_AT_ONCE = 1 << 20  # values worked on together, 8 bytes each


def shrink_by_bicubic(image: Image.Image, size: int) -> Pixels:
    """(size, size, 3): the picture, padded to a white square and shrunk."""
    side = max(image.size)
    wide = image.width == side
    shorter = image.height if wide else image.width
    before = (side - shorter) // 2
    if side > _LONGEST:
        factor = math.ceil(side / _LONGEST)
        image = image.reduce((factor, 1) if wide else (1, factor))
    if wide:
        strip = np.asarray(image.resize((size, shorter), Image.Resampling.BICUBIC))
        return _across_padding(strip, side, before, size)
    # Across first here too: between the two directions Pillow rounds to 8 bits, so their order can be seen.
    narrow = _across_padding(np.asarray(image).transpose(1, 0, 2), side, before, size).transpose(1, 0, 2)
    return np.asarray(Image.fromarray(np.ascontiguousarray(narrow)).resize((size, size), Image.Resampling.BICUBIC))


def _across_padding(strip: Pixels, side: int, before: int, size: int) -> Pixels:
    """Along the first axis, where `strip` is rows `before`, … of `side` rows that are else white."""
    count, length = strip.shape[:2]
    reach = _SUPPORT + 1
    first_out = max(0, int(before * size / side - reach))
    last_out = min(size, int((before + count) * size / side + reach) + 1)
    taps = [(i, *_weights(i, side, size)) for i in range(first_out, last_out)]  # the others see the border only
    out = np.full((size, length, 3), 255, np.uint8)
    step = max(1, _AT_ONCE // (3 * count))
    for start in range(0, length, step):
        part = strip[:, start : start + step]
        dark = np.subtract(255.0, part, order="C").reshape(count, -1)
        for i, low, weights, total in taps:
            first, last = max(low, before), min(low + len(weights), before + count)
            if first >= last:
                continue
            darkness = np.einsum("k,kx->x", weights[first - low : last - low], dark[first - before : last - before])
            rounded = np.floor((255 * total - darkness + (1 << (_PRECISION - 1))) / (1 << _PRECISION))
            out[i, start : start + step] = rounded.clip(0, 255).reshape(-1, 3)
    return out


def _weights(i: int, side: int, size: int) -> tuple[int, NDArray[np.float64], float]:
    """First source pixel of output pixel `i`, the weights from there on in units of 2^-22, and their sum.

    As Pillow's `precompute_coeffs`; sums of such whole numbers are exact in double precision.
    """
    scale = side / size
    center = (i + 0.5) * scale
    reach = _SUPPORT * scale
    low = max(0, int(center - reach + 0.5))
    high = min(side, int(center + reach + 0.5))
    x = np.abs((np.arange(low, high) - center + 0.5) / scale)
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _A
    cubic = np.where(x < 1, near, np.where(x < _SUPPORT, far, 0.0))
    weights = np.rint(cubic / cubic.sum() * (1 << _PRECISION))
    return low, weights, float(weights.sum())

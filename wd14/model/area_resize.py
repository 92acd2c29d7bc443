"""OpenCV's area averaging (`cv2.INTER_AREA`) of a picture padded to a white square, without OpenCV.

Equal to OpenCV's result to the byte. OpenCV adds in single precision, so how an average near a half is rounded depends
on the order of the additions; it is OpenCV's here: along the rows first, left to right, then down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.model.padded_square import PaddedSquare

# Source values worked on at once: what fits a core's own cache.
_VALUES_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class _Weights:
    """One direction of the resize: result[first + i] is the sum over k of weights[i, k] * source[start[i] + k].

    Results that see nothing but white are left out. Weights that are not needed are 0, and their sources may lie
    beyond the square.
    """

    first: int
    start: NDArray[np.intp]  #: (results,)
    weights: NDArray[np.float32]  #: (results, k)


def shrink_by_area(square: PaddedSquare, size: int) -> NDArray[np.uint8]:
    """The square shrunk to (size, size, 3).

    Args:
        square: RGB, its side at least `size`.
        size: side of the result in pixels.
    """
    # OpenCV adds integers and weighs once, at the end, when a result is the average of whole pixels.
    whole = square.side // size if square.side % size == 0 else 0
    across = _weights(square.side, square.left, square.width, size, whole > 0)
    down = _weights(square.side, square.top, square.height, size, whole > 0)
    left, right = int(across.start[0]), int(across.start[-1]) + across.weights.shape[1]
    columns = slice(across.first, across.first + len(across.start))
    result = np.full((size, size, 3), 255, np.uint8)
    taps = down.weights.shape[1]
    rows = max(1, _VALUES_AT_ONCE // (len(across.start) * 3) // taps)
    for i in range(0, len(down.start), rows):
        start = down.start[i : i + rows]
        band = np.asarray(square.part(left, int(start[0]), right, int(start[-1]) + taps))
        narrow = _add_across(band, across.start - left, across.weights)
        total = _add_down(narrow, start - start[0], down.weights[i : i + rows])
        result[down.first + i :, columns][: len(start)] = _rounded(total, whole).reshape(len(start), -1, 3)
    return result


def _rounded(total: NDArray[np.float32], whole: int) -> NDArray[np.uint8]:
    """OpenCV's rounding: halves go to the even value, but up where four pixels become one."""
    if whole == 2:
        rounded = np.floor((total + 2) / 4)
    elif whole:
        rounded = np.rint(total * np.float32(1 / (whole * whole)))
    else:
        rounded = np.rint(total)
    values: NDArray[np.uint8] = rounded.astype(np.uint8)
    return values


def _weights(side: int, before: int, length: int, size: int, whole: bool) -> _Weights:
    """OpenCV's table (`computeResizeAreaTab`) for the results that see any of `length` pixels after `before`."""
    scale = 1 / (size / side)
    begin = np.arange(size) * scale
    end = begin + scale
    cell = np.minimum(scale, side - begin)
    last = np.minimum(np.floor(end), side - 1)
    first = np.minimum(np.ceil(begin), last)
    head = first - begin > 1e-3  # part of a pixel at the beginning
    tail = end - last > 1e-3  # and at the end
    start = (first - head).astype(np.intp)
    count = (last - first + head + tail).astype(np.intp)
    k = np.arange(count.max())
    if whole:
        weights = np.where(k < count[:, None], 1.0, 0.0)
    else:
        weights = np.where(k < count[:, None], 1 / cell[:, None], 0.0)
        weights[head, 0] = ((first - begin) / cell)[head]
        weights[tail, count[tail] - 1] = (np.minimum(np.minimum(end - last, 1), cell) / cell)[tail]
    seen = np.flatnonzero((start < before + length) & (start + count > before))
    return _Weights(int(seen[0]), start[seen], weights[seen].astype(np.float32))


def _add_across(band: NDArray[np.uint8], start: NDArray[np.intp], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows, width, 3) -> (rows, results * 3)."""
    flat = band.reshape(len(band), -1)
    total = np.zeros((len(band), len(start) * 3), np.float32)
    part = np.empty_like(total)
    for k in range(weights.shape[1]):
        values = flat.take(((start + k)[:, None] * 3 + np.arange(3)).ravel(), axis=1)
        np.multiply(values, np.repeat(weights[:, k], 3), out=part)
        total += part
    return total


def _add_down(
    narrow: NDArray[np.float32], start: NDArray[np.intp], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(rows, n) -> (results, n)."""
    total = np.zeros((len(start), narrow.shape[1]), np.float32)
    for k in range(weights.shape[1]):
        part = narrow.take(start + k, axis=0)
        part *= weights[:, k : k + 1]
        total += part
    return total

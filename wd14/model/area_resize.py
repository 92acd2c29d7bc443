"""OpenCV's area averaging (`cv2.INTER_AREA`) of a picture padded to a white square, without OpenCV and the square.

The averages are taken separably, over the picture's own pixels and one white pixel that stands for the border. OpenCV
adds up in single precision, so the rounding of an average near a half depends on the order of the additions: it is
OpenCV's here (across first, left to right, then down), which makes the result equal to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# Source values worked on at once: what fits a core's own cache.
_BAND = 1 << 18
# Up to this many pixels NumPy gets all of them at once; above, a copy of the picture would be felt.
_COPIED_WHOLE = 1 << 24


@dataclass(frozen=True, slots=True)
class _Taps:
    """One direction of the resize.

    Output pixel `first + i` is the sum over k of weights[i, k] * source[index[i, k]]. Outputs that see the border
    only are not in the table; taps that are not needed weigh 0.
    """

    first: int
    index: NDArray[np.intp]  #: (outputs, taps), in the picture's own coordinates; its length stands for the border
    weights: NDArray[np.float32]  #: (outputs, taps)


def shrink_by_area(image: Image.Image, size: int) -> Pixels:
    """The picture, padded to a white square and shrunk to (size, size, 3).

    Args:
        image: RGB, the longer side at least `size`.
        size: side of the result.
    """
    width, height = image.size
    side = max(image.size)
    result = np.full((size, size, 3), 255, np.uint8)
    if side == size:
        top, left = (side - height) // 2, (side - width) // 2
        result[top : top + height, left : left + width] = np.asarray(image)
        return result
    # A whole number of pixels each: OpenCV adds up integers, and weighs once, at the end.
    whole = side // size if side % size == 0 else 0
    across, down = (_taps(side, length, size, whole > 0) for length in (width, height))
    columns = slice(across.first, across.first + len(across.index))
    # Sums of integers are exact in single precision up to 2^24.
    exact: Any = np.float64 if whole > 256 else np.float32
    pixels = np.asarray(image) if width * height <= _COPIED_WHOLE else None
    for start, stop in _bands(down, len(across.index)):
        rows = down.index[start:stop]
        low, high = _range(rows, height)
        band = np.asarray(image.crop((0, low, width, high))) if pixels is None else pixels[low:high]
        narrow = _add_across(band, across, exact)
        local = np.where(rows == height, high - low, rows - low)
        total = _add_down(narrow, local, down.weights[start:stop])
        values = _rounded(total, whole).reshape(stop - start, -1, 3)
        result[down.first + start : down.first + stop, columns] = values
    return result


def _rounded(total: NDArray[Any], whole: int) -> Pixels:
    """OpenCV's rounding: halves go to the even value, but up where four pixels become one."""
    if whole == 2:
        rounded = np.floor((total + 2) / 4)
    elif whole:
        rounded = np.rint(total.astype(np.float32) * np.float32(1 / (whole * whole)))
    else:
        rounded = np.rint(total)
    values: Pixels = rounded.astype(np.uint8)
    return values


def _taps(side: int, length: int, size: int, whole: bool) -> _Taps:
    """OpenCV's table (`computeResizeAreaTab`) for the outputs that see any of the picture's `length` pixels."""
    before = (side - length) // 2
    scale = 1 / (size / side)
    out = np.arange(size)
    start = out * scale
    end = start + scale
    cell = np.minimum(scale, side - start)
    last = np.minimum(np.floor(end), side - 1)
    first = np.minimum(np.ceil(start), last)
    head = first - start > 1e-3  # part of a pixel at the beginning
    tail = end - last > 1e-3  # and at the end
    low = (first - head).astype(np.intp)
    count = (last - first + head + tail).astype(np.intp)
    seen = (low < before + length) & (low + count > before)
    k = np.arange(count[seen].max())
    index = low[seen, None] + k
    weights = np.where(k < count[seen, None], 1 / cell[seen, None], 0)
    weights[head[seen], 0] = ((first - start) / cell)[head & seen]
    part = np.minimum(np.minimum(end - last, 1), cell) / cell
    weights[np.flatnonzero(tail[seen]), count[tail & seen] - 1] = part[tail & seen]
    if whole:
        weights = (weights > 0).astype(np.float64)
    index -= before
    index[(index < 0) | (index >= length)] = length
    return _Taps(int(np.argmax(seen)), index, weights.astype(np.float32))


def _bands(down: _Taps, width: int) -> list[tuple[int, int]]:
    """Ranges of output rows that are worked out together."""
    count, taps = down.index.shape
    rows = max(1, _BAND // (width * 3) // taps)
    return [(start, min(start + rows, count)) for start in range(0, count, rows)]


def _range(index: NDArray[np.intp], border: int) -> tuple[int, int]:
    """The picture's rows that `index` reaches."""
    own = index[index != border]
    return int(own.min()), int(own.max()) + 1


def _add_across(rows: Pixels, taps: _Taps, dtype: Any) -> NDArray[Any]:
    """(rows, width, 3) -> (rows + 1, outputs * 3); the last row is the border's."""
    count, width = rows.shape[:2]
    source = np.full((count + 1, width + 1, 3), 255, np.uint8)
    source[:-1, :-1] = rows
    flat = source.reshape(count + 1, -1)
    total = np.zeros((count + 1, len(taps.index) * 3), dtype)
    part = np.empty_like(total)
    for index, weights in zip(taps.index.T, taps.weights.T, strict=True):
        values = flat.take((index[:, None] * 3 + np.arange(3)).ravel(), axis=1)
        np.multiply(values, np.repeat(weights, 3), out=part)
        total += part
    return total


def _add_down(narrow: NDArray[Any], index: NDArray[np.intp], weights: NDArray[np.float32]) -> NDArray[Any]:
    """(rows, n) -> (outputs, n)."""
    total = np.zeros((len(index), narrow.shape[1]), narrow.dtype)
    for k in range(index.shape[1]):
        part = narrow.take(index[:, k], axis=0)
        part *= weights[:, k : k + 1]
        total += part
    return total

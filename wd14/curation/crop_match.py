"""Whether one picture is a part of another, and which: their pixels compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wd14.types import FloatArray, IndexArray

#: Side, in pixels, of the squares that `find_regions` compares.
SIDE = 64
#: Correlation from which on one is a part of the other: of their grey values, and of the detail in them.
CONFIRMED, CONFIRMED_DETAIL = 0.97, 0.9
#: Cells along a window's side that are compared in squares of SIDE, and the frequencies that are no detail.
_CELLS, _SMOOTH = 24, 8
_STEPS = (0.08, 0.04, 0.02, 0.01)
_ROUNDS = 2  #: of each step


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture as fractions of its sides, from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Matches:
    """Windows of wholes, each with its correlation with the part: arrays of C."""

    centre: FloatArray  #: (C, 2) x and y, fractions
    scale: FloatArray  #: (C,) square root of the window's share of the whole
    correlation: FloatArray  #: (C,) -1..1

    def region(self, number: int, shape: float) -> Region:
        """One window; `shape` as in `refined`."""
        half = self.scale[number] * np.array([shape**0.5, shape**-0.5]) / 2
        low, high = np.clip(self.centre[number] - half, 0, 1), np.clip(self.centre[number] + half, 0, 1)
        return Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def find_regions(
    parts: FloatArray, wholes: FloatArray, shape: FloatArray, near: Sequence[Region]
) -> list[Region | None]:
    """Where pictures are parts of others, looked for near a region of each; None = it is no part.

    For pictures that were opened anew, as grey values of the upright picture stretched to a square of `SIDE` pixels.
    Measured: 0.7 ms of a core a pair.

    Args:
        parts: (C, SIDE, SIDE).
        wholes: (C, SIDE, SIDE).
        shape: (C,) aspect ratio (width / height, in pixels) of the part, divided by the whole's.
        near: C regions.
    """
    edges = np.array([(each.left, each.top, each.right, each.bottom) for each in near], np.float32).reshape(-1, 2, 2)
    centre = edges.mean(axis=1)
    scale = np.sqrt((edges[:, 1] - edges[:, 0]).prod(axis=1))
    found = refined(parts, wholes, shape, centre, scale, _CELLS, _ROUNDS)
    ones = np.ones_like(scale)
    wanted = _normalised(_detail(_cells(parts, np.full_like(centre, 0.5), ones, ones, _CELLS)))
    there = _normalised(_detail(_cells(wholes, found.centre, found.scale, shape, _CELLS)))
    detail = np.einsum("ci,ci->c", wanted, there)
    is_part = (found.correlation >= CONFIRMED) & (detail >= CONFIRMED_DETAIL)
    return [found.region(number, float(shape[number])) if is_part[number] else None for number in range(len(near))]


def _detail(cells: FloatArray) -> FloatArray:
    """(C, n, n) without what is smooth in it: its lowest frequencies."""
    side = cells.shape[1]
    waves = np.cos(np.pi * np.outer(np.arange(_SMOOTH), np.arange(side) + 0.5) / side).astype(np.float32)
    waves /= np.sqrt((waves * waves).sum(axis=1, keepdims=True))
    smooth = waves.T @ waves
    return np.asarray(cells - smooth @ cells @ smooth, np.float32)


def refined(
    parts: FloatArray,
    wholes: FloatArray,
    shape: FloatArray,
    centre: FloatArray,
    scale: FloatArray,
    cells: int,
    rounds: int,
) -> Matches:
    """Moves windows to where they correlate best with the parts, by steps down to a hundredth of the side.

    `parts` and `wholes` are (C, S, S); `shape` (C,) is width / height of the windows in fractions of the whole's sides;
    `centre` (C, 2) and `scale` (C,) say where to begin; `cells` along a side are compared, each step is tried `rounds`
    times.
    """
    wanted = _normalised(_cells(parts, np.full_like(centre, 0.5), np.ones_like(scale), np.ones_like(shape), cells))
    centre, scale = _inside(centre, scale, shape)
    best = _correlation(wanted, wholes, centre, scale, shape)
    moves = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    for step in (step for step in _STEPS for _ in range(rounds)):
        for x, y, larger in moves:
            moved = centre + np.float32(step) * scale[:, None] * np.array([x, y], np.float32)
            tried_centre, tried_scale = _inside(moved, scale * np.float32(1 + step * larger), shape)
            correlation = _correlation(wanted, wholes, tried_centre, tried_scale, shape)
            better = correlation > best
            best = np.where(better, correlation, best)
            centre = np.where(better[:, None], tried_centre, centre)
            scale = np.where(better, tried_scale, scale)
    return Matches(centre, scale, best)


def _inside(centre: FloatArray, scale: FloatArray, shape: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Windows that do not leave the whole."""
    stretch = np.stack([np.sqrt(shape), 1 / np.sqrt(shape)], axis=1)
    scale = np.minimum(scale, 1 / stretch.max(axis=1))
    half = scale[:, None] * stretch / 2
    return np.clip(centre, half, 1 - half), scale


def _correlation(
    wanted: FloatArray, wholes: FloatArray, centre: FloatArray, scale: FloatArray, shape: FloatArray
) -> FloatArray:
    cells = round(wanted.shape[1] ** 0.5)
    found = _normalised(_cells(wholes, centre, scale, shape, cells))
    return np.asarray(np.einsum("ci,ci->c", wanted, found), np.float32)


def _cells(pixels: FloatArray, centre: FloatArray, scale: FloatArray, shape: FloatArray, cells: int) -> FloatArray:
    """Mean grey values of a window's cells, (C, cells, cells)."""
    columns = _overlap(centre[:, 0], (scale * np.sqrt(shape)).astype(np.float32), cells, pixels.shape[2])
    rows = _overlap(centre[:, 1], (scale / np.sqrt(shape)).astype(np.float32), cells, pixels.shape[1])
    return np.asarray(np.matmul(np.matmul(rows, pixels), columns.transpose(0, 2, 1)), np.float32)


def _overlap(centre: FloatArray, length: FloatArray, cells: int, side: int) -> FloatArray:
    """(C, cells, side): share of each pixel in each cell of an interval."""
    edges = (centre - length / 2)[:, None] + length[:, None] * np.linspace(0, 1, cells + 1, dtype=np.float32)
    pixel = np.arange(side, dtype=np.float32)
    covered = np.clip(edges[:, :, None] * side - pixel, 0, 1)
    shares = np.diff(covered, axis=1)
    return np.asarray(shares / np.maximum(shares.sum(axis=2, keepdims=True), 1e-6), np.float32)


def _normalised(values: FloatArray) -> FloatArray:
    """(C, …) -> (C, D): mean 0, length 1."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.sqrt((flat * flat).sum(axis=1, keepdims=True)), 1e-6), np.float32)


def best_wholes(part: IndexArray, likeness: FloatArray, most: int) -> IndexArray:
    """Positions of the `most` likeliest candidates of each part."""
    order = np.lexsort((-likeness, part))
    first = np.searchsorted(part[order], part[order])
    return order[np.arange(len(order)) - first < most]

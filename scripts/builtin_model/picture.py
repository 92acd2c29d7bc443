"""Where the picture is within the model's square: white padding and frames found, colours averaged in cells.

Shapes: the square is SIDE x SIDE pixels, cut into GRID x GRID cells; P = GRID * GRID. Lengths and places are in
pixels from the top or left, (N, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.builtin_model import palette
from scripts.builtin_model.expr import Tensor, above, concat, under

SIDE = 448
CELL = 8
GRID = SIDE // CELL

#: A pixel is white when no channel is below this: resampling rings a little into the padding.
WHITE = 250.0
#: A pixel is black when no channel is above this: what JPEG leaves of black bars.
BLACK = 20.0


@dataclass(frozen=True)
class Span:
    """What lies between two margins: `marks` is the number of marked pixels in each row or column, (N, SIDE)."""

    marks: Tensor
    start: Tensor  #: first row or column that has marks
    stop: Tensor  #: one past the last
    width: Tensor  #: how many pixels of a row or column could be marked

    @classmethod
    def of(cls, marks: Tensor, width: Tensor, tolerance: float) -> Span:
        """Finds the margins; up to `tolerance` marks in a row do not count."""
        index = marks.graph.constant(np.arange(SIDE)[None])
        empty = marks.below(tolerance + 0.5) * float(SIDE)
        start = (index + empty).min(1).minimum(float(SIDE))
        stop = ((index - empty).max(1) + 1.0).maximum(0.0)
        return cls(marks, start, stop, width)

    def fullness(self) -> Tensor:
        """How much of the first and last dozen rows inside the margins is marked, the lesser of the two, 0..1."""
        index = self.marks.graph.constant(np.arange(SIDE)[None])
        first = _inside(index, self.start + 2.0, self.start + 14.0)
        last = _inside(index, self.stop - 14.0, self.stop - 2.0)
        share = self.marks / self.width.maximum(1.0)
        means = [(share * part).sum(1) / part.sum(1).maximum(1.0) for part in (first, last)]
        return means[0].minimum(means[1])


@dataclass(frozen=True)
class Box:
    """A rectangle of the square."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    def shrunk(self, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor, yes: Tensor) -> Box:
        """The box of the four new sides where `yes` is above 1/2, itself elsewhere."""
        no = yes.below(0.5)
        pairs = [(self.top, top), (self.bottom, bottom), (self.left, left), (self.right, right)]
        return Box(*(old * no + new * (1.0 - no) for old, new in pairs))

    def rows(self) -> Tensor:
        """Coverage of each row by the box, (N, SIDE), 0..1."""
        return _inside(self.top.graph.constant(np.arange(SIDE)[None]), self.top, self.bottom)

    def columns(self) -> Tensor:
        """Coverage of each column by the box, (N, SIDE), 0..1."""
        return _inside(self.top.graph.constant(np.arange(SIDE)[None]), self.left, self.right)


def _inside(index: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Share of each pixel that lies between start and stop."""
    return (index + 1.0 - start).clip(0.0, 1.0) * (stop - index).clip(0.0, 1.0)


def _counts(marks: Tensor) -> tuple[Tensor, Tensor]:
    """Marked pixels of each row and of each column of (N, 1, SIDE, SIDE): two of (N, SIDE)."""
    return marks.sum(3).reshape(-1, SIDE), marks.sum(2).reshape(-1, SIDE)


def channels(bgr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Blue, green, red; faster, taken apart, than reductions over an axis of three."""
    blue, green, red = (bgr.part(1, index, index + 1) for index in range(3))
    return blue, green, red


def find_padding(bgr: Tensor) -> tuple[Box, Tensor]:
    """The picture without its white padding, and the probability of a white frame around it.

    A tagger's input is padded to a square on two opposite sides, by the same amount. White on all four sides is
    the picture's own; where it surrounds a filled rectangle, it is a frame.
    """
    blue, green, red = channels(bgr)
    marks = blue.minimum(green).minimum(red).below(WHITE)
    row_marks, column_marks = _counts(marks)
    side = bgr.graph.constant([[float(SIDE)]])
    rows = Span.of(row_marks, side, 0.0)
    columns = Span.of(column_marks, side, 0.0)
    vertical = rows.start.minimum(side - rows.stop)
    horizontal = columns.start.minimum(side - columns.stop)
    box = _without(vertical * horizontal.below(0.5), horizontal * vertical.below(0.5), side)

    rows = Span(row_marks, rows.start, rows.stop, columns.stop - columns.start)
    columns = Span(column_marks, columns.start, columns.stop, rows.stop - rows.start)
    filled = rows.fullness().minimum(columns.fullness())
    frame = above(filled, 0.65, 0.04) * above(vertical.minimum(horizontal), 5.0, 1.0)
    inner = (rows.start + 3.0, rows.stop - 3.0, columns.start + 3.0, columns.stop - 3.0)
    return box.shrunk(*inner, yes=frame), frame


def _without(vertical: Tensor, horizontal: Tensor, side: Tensor) -> Box:
    """The square without its padding, and without the few pixels where resampling mixes the two."""

    def ends(padding: Tensor) -> tuple[Tensor, Tensor]:
        blend = ((side - 2.0 * padding) * 0.25).minimum(4.0).minimum(padding)
        return padding + blend, side - padding - blend

    return Box(*ends(vertical), *ends(horizontal))


def find_black_bars(bgr: Tensor, box: Box) -> tuple[Box, dict[str, Tensor]]:
    """The picture inside black bars, and the probabilities of bars above and below, beside, and all around."""
    mask = box.rows().reshape(-1, 1, SIDE, 1) * box.columns().reshape(-1, 1, 1, SIDE)
    blue, green, red = channels(bgr)
    marks = (1.0 - blue.maximum(green).maximum(red).below(BLACK)) * mask
    row_marks, column_marks = _counts(marks)
    height, width = box.bottom - box.top, box.right - box.left
    rows, columns = Span.of(row_marks, width, 2.0), Span.of(column_marks, height, 2.0)
    above_bar, below_bar = (rows.start - box.top) / height, (box.bottom - rows.stop) / height
    left_bar, right_bar = (columns.start - box.left) / width, (box.right - columns.stop) / width

    def bars(first: Tensor, second: Tensor) -> Tensor:
        alike = under((first - second).abs() / (first + second).maximum(0.01), 0.25, 0.05)
        return above(first.minimum(second), 0.025, 0.004) * under(first.maximum(second), 0.42, 0.01) * alike

    def none(first: Tensor, second: Tensor) -> Tensor:
        return under(first.maximum(second), 0.02, 0.003)

    tall, wide = bars(above_bar, below_bar), bars(left_bar, right_bar)
    inner_rows = Span(row_marks, rows.start, rows.stop, columns.stop - columns.start)
    inner_columns = Span(column_marks, columns.start, columns.stop, rows.stop - rows.start)
    full_rows, full_columns = above(inner_rows.fullness(), 0.5, 0.04), above(inner_columns.fullness(), 0.5, 0.04)
    found = {
        "letterboxed": tall * full_rows * none(left_bar, right_bar),
        "pillarboxed": wide * full_columns * none(above_bar, below_bar),
        "black_border": tall * wide * full_rows * full_columns,
    }
    any_bars = found["letterboxed"].maximum(found["pillarboxed"]).maximum(found["black_border"])
    inner = (
        (rows.start + 2.0).maximum(box.top),
        (rows.stop - 2.0).minimum(box.bottom),
        (columns.start + 2.0).maximum(box.left),
        (columns.stop - 2.0).minimum(box.right),
    )
    return box.shrunk(*inner, yes=any_bars), found


@dataclass(frozen=True)
class Cells:
    """The picture in cells. Weights are (N, 1, P), values (N, P, channels)."""

    weight: Tensor  #: share of the cell that is picture, 0..1
    whole: Tensor  #: 1 where the cell is all picture, else 0
    depth: Tensor  #: distance to the picture's nearest edge, in units of its shorter side; (N, 1, P)
    place: Tensor  #: (x, y), each -1..1 over the picture; (N, P, 2)
    lab: Tensor  #: mean colour in OKLab; (N, P, 3)
    texture: Tensor  #: standard deviation of luma within the cell, 0..1; (N, P, 1)
    steepest: Tensor  #: greatest step between neighbouring pixels' luma, 0..1; (N, P, 1)
    spread: Tensor  #: greatest less least luma, 0..1; (N, P, 1)


def measure(bgr: Tensor, box: Box) -> Cells:
    """Averages the picture inside the box."""
    graph = bgr.graph
    cells = GRID * GRID
    rows, columns = box.rows().reshape(-1, 1, SIDE, 1), box.columns().reshape(-1, 1, 1, SIDE)
    weight = rows.average_pool(CELL, 1) * columns.average_pool(1, CELL)
    mean = (bgr * (rows * columns)).average_pool(CELL, CELL) / (weight.maximum(1e-6) * 255.0)
    weight = weight.reshape(-1, 1, cells)

    blue, green, red = channels(bgr)
    luma = blue * (0.114 / 255) + green * (0.587 / 255) + red * (0.299 / 255)
    across = (luma.part(3, 1, SIDE) - luma.part(3, 0, SIDE - 1)).abs().max_pool(CELL, CELL, missing=(0, 1))
    down = (luma.part(2, 1, SIDE) - luma.part(2, 0, SIDE - 1)).abs().max_pool(CELL, CELL, missing=(1, 0))
    luma_mean = luma.average_pool(CELL, CELL)
    variance = (luma * luma).average_pool(CELL, CELL) - luma_mean * luma_mean
    spread = luma.max_pool(CELL, CELL) + (luma * -1.0).max_pool(CELL, CELL)

    centre = (np.arange(GRID) + 0.5) * CELL
    down_to = graph.constant(np.repeat(centre, GRID).reshape(1, 1, cells))
    across_to = graph.constant(np.tile(centre, GRID).reshape(1, 1, cells))
    top, bottom, left, right = (x.reshape(-1, 1, 1) for x in (box.top, box.bottom, box.left, box.right))
    height, width = bottom - top, right - left
    nearest = (down_to - top).minimum(bottom - down_to).minimum(across_to - left).minimum(right - across_to)
    x = (across_to - left) / width * 2.0 - 1.0
    y = (down_to - top) / height * 2.0 - 1.0
    return Cells(
        weight=weight,
        whole=1.0 - weight.below(0.999),
        depth=nearest / height.minimum(width),
        place=concat([x, y], 1).transpose(0, 2, 1),
        lab=oklab(mean.reshape(-1, 3, cells).transpose(0, 2, 1)),
        texture=variance.sqrt().reshape(-1, cells, 1),
        steepest=across.maximum(down).reshape(-1, cells, 1),
        spread=spread.reshape(-1, cells, 1),
    )


def oklab(bgr: Tensor) -> Tensor:
    """BGR in [0, 1], (N, P, 3), to OKLab."""
    graph = bgr.graph
    low = bgr.below(0.04045)
    linear = low * bgr / 12.92 + (1.0 - low) * (((bgr + 0.055) / 1.055) ** 2.4)
    lms = linear @ graph.constant(palette.RGB_TO_LMS[:, ::-1].T)
    return (lms.maximum(0.0) ** (1 / 3)) @ graph.constant(palette.LMS_TO_LAB.T)

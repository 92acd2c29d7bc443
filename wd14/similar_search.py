"""Finds pictures that look alike, for a check of a dataset.

Thumbnails do not tell parts from what only looks like them, so the pictures of likely parts are opened again:

likely parts (the most alike first) ─▶ their pictures, opened in threads, as small squares ─▶ the parts
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from PIL import Image

from wd14.config import CaptionConfig
from wd14.curation.checks.gathered import Similar
from wd14.curation.crop_match import SIDE, find_regions
from wd14.curation.crops import Crop
from wd14.curation.duplicates import MOST_FOR_CROPS, find_duplicates
from wd14.decoding import PictureLimits
from wd14.errors import RowError
from wd14.images.opening import PictureFile
from wd14.images.reading import bytes_to_read, read_picture
from wd14.stop import StopToken
from wd14.threads import Exhausted, OrderedMap
from wd14.types import FloatArray, InputRow, Log, PictureFacts

#: Likely parts whose pictures are opened, at most.
MOST_LIKELY = 2_000
#: Pairs that are compared between two ticks.
_AT_ONCE = 64
_TICK = 0.25  #: seconds that a picture is waited for between two ticks

#: Pictures, or pairs, from which on the search takes long enough to say so.
_MANY, _MANY_PAIRS = 10_000, 1_000

#: A picture as grey values, (SIDE, SIDE), and its width / height.
_Square = tuple[FloatArray, float]


class SimilarSearch:
    """Told of every row, in order; called with their facts, it yields the pictures that look alike.

    Args:
        config: says how large a picture may be.
        remarks: is told what was not looked for.
        log: is told what takes long.
        stop: ends the search.
    """

    def __init__(self, config: CaptionConfig, remarks: list[str], log: Log, stop: StopToken) -> None:
        self._limits = PictureLimits(config)
        self._remarks = remarks
        self._log = log
        self._stop = stop
        self._count = 0
        self._files: dict[int, InputRow] = {}  # the rows that can be opened again, by number

    def add(self, row: InputRow) -> None:
        """Adds a row. Where there are too many to look for parts, none is kept."""
        if self._count == MOST_FOR_CROPS:
            self._files.clear()
        elif self._count < MOST_FOR_CROPS and row.path is not None:
            self._files[self._count] = InputRow(row.index, row.name, row.source, path=row.path)
        self._count += 1

    def __call__(self, facts: Sequence[PictureFacts | None]) -> Iterator[Similar]:
        """Pictures that look alike; raises what the stop raises."""
        if len(facts) >= _MANY:
            self._log(f"Looking for pictures that look alike among {len(facts):,}.")
        crops = len(facts) <= MOST_FOR_CROPS
        if not crops:
            self._remarks.append(f"whether pictures are parts of others: there are more than {MOST_FOR_CROPS:,}")
        found = find_duplicates(facts, crops=crops, tick=self._stop.check)
        yield from ((group.kind, group.rows) for group in found.groups)
        yield from (("crop", (crop.part, crop.whole)) for crop in self._crops(found.likely_crops))

    def _crops(self, likely: Sequence[Crop]) -> Iterator[Crop]:
        at_hand = [crop for crop in likely if crop.part in self._files and crop.whole in self._files]
        if len(at_hand) < len(likely):
            self._remarks.append("whether pictures without a file of their own are parts of others")
        if len(at_hand) > MOST_LIKELY:
            self._remarks.append(
                f"{len(at_hand) - MOST_LIKELY:,} pairs of which one picture might be a part of the other: only the"
                f" {MOST_LIKELY:,} most alike are opened again"
            )
        if len(at_hand) >= _MANY_PAIRS:
            number = min(len(at_hand), MOST_LIKELY)
            self._log(f"Opening pictures again, to see which are parts of others: {number:,} pairs.")
        yield from crops_among(at_hand, self._files, limits=self._limits, tick=self._stop.check)


def crops_among(
    likely: Sequence[Crop], rows: Mapping[int, InputRow], *, limits: PictureLimits, tick: Callable[[], None]
) -> Iterator[Crop]:
    """Those of the likely parts that are parts. Pictures that cannot be opened any more are no parts.

    Opening takes most of the time.

    Args:
        likely: the most alike first; of more than `MOST_LIKELY` only the first are looked at.
        rows: by position, those that have a file of their own; parts and wholes that are not there are left out.
        limits: of the pictures that are opened.
        tick: called several times a second; what it raises ends the search.
    """
    at_hand = [crop for crop in likely if crop.part in rows and crop.whole in rows][:MOST_LIKELY]
    squares = _squares({row: rows[row] for crop in at_hand for row in (crop.part, crop.whole)}, limits, tick)
    pairs = iter([crop for crop in at_hand if crop.part in squares and crop.whole in squares])
    while block := list(islice(pairs, _AT_ONCE)):
        parts, wholes = (
            [squares[row] for row in side] for side in zip(*((c.part, c.whole) for c in block), strict=True)
        )
        shape = np.array([part[1] / whole[1] for part, whole in zip(parts, wholes, strict=True)], np.float32)
        found = find_regions(
            np.stack([part[0] for part in parts]),
            np.stack([whole[0] for whole in wholes]),
            shape,
            [crop.region for crop in block],
        )
        for crop, region in zip(block, found, strict=True):
            if region is not None:
                yield Crop(crop.part, crop.whole, region, crop.distance)
        tick()


def _squares(rows: Mapping[int, InputRow], limits: PictureLimits, tick: Callable[[], None]) -> dict[int, _Square]:
    """The pictures that can be opened: 16 KB each."""

    def opened(item: tuple[int, InputRow]) -> tuple[int, _Square | None]:
        number, row = item
        try:
            with limits.reading(bytes_to_read(row)):
                picture = PictureFile(read_picture(row), max_pixels=limits.max_pixels)
                with limits.opening(picture):
                    return number, _square(picture.rgb(upright=True))
        except (RowError, MemoryError):
            return number, None

    workers = max(1, limits.workers)
    threads = OrderedMap(opened, rows.items(), workers=workers, window=8 + 4 * workers, name="wd14-crops")
    squares: dict[int, _Square] = {}
    try:
        while True:
            tick()
            try:
                number, square = threads.take(_TICK)
            except TimeoutError:
                continue
            except Exhausted:
                return squares
            if square is not None:
                squares[number] = square
    finally:
        threads.close()


def _square(image: Image.Image) -> _Square:
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(grey, np.float32), image.width / image.height

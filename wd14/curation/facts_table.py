"""`FactsTable`: the facts of many pictures as arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from wd14.types import THUMBNAIL_SIDE, FloatArray, IndexArray, PictureFacts

_THUMBNAIL = THUMBNAIL_SIDE * THUMBNAIL_SIDE


class FactsTable(Sequence[PictureFacts | None]):
    """The facts of many pictures, in 280 bytes each; None where a picture has none.

    Args:
        pictures: the first ones.
    """

    def __init__(self, pictures: Iterable[PictureFacts | None] = ()) -> None:
        self._sizes = array("I")  # width and height in turn; 0 = no facts
        self._sharpness = array("d")
        self._thumbnails = bytearray()
        self._places = array("i")  # among the thumbnails; -1 = none
        for facts in pictures:
            self.append(facts)

    def append(self, facts: PictureFacts | None) -> None:
        """Adds a picture."""
        self._sizes.extend((0, 0) if facts is None else (facts.width, facts.height))
        self._sharpness.append(0.0 if facts is None else facts.sharpness)
        if facts is None:
            self._places.append(-1)
        else:
            self._places.append(len(self._thumbnails) // _THUMBNAIL)
            self._thumbnails += facts.thumbnail

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> PictureFacts | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PictureFacts | None]: ...
    def __getitem__(self, index: int | slice) -> PictureFacts | Sequence[PictureFacts | None] | None:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        place = self._places[index] * _THUMBNAIL
        if place < 0:
            return None
        return PictureFacts(
            self._sizes[2 * index],
            self._sizes[2 * index + 1],
            self._sharpness[index],
            bytes(self._thumbnails[place : place + _THUMBNAIL]),
        )

    def thumbnails(self) -> NDArray[np.uint8]:
        """(K, side, side) The thumbnails that there are: not a copy, so nothing can be added while they are held."""
        return np.frombuffer(self._thumbnails, np.uint8).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)

    def known(self) -> tuple[IndexArray, IndexArray, FloatArray]:
        """The N pictures that have a size: their positions, their places among the thumbnails, width / height."""
        sizes = np.array(self._sizes, np.float64).reshape(-1, 2)
        rows = np.flatnonzero((sizes > 0).all(axis=1))
        aspect = (sizes[rows, 0] / sizes[rows, 1]).astype(np.float32)
        return rows, np.array(self._places, np.intp)[rows], aspect

"""Pictures of a dataset that are the same, nearly the same, mirrored, or parts of others: from `PictureFacts` alone.

Every two pictures are compared by 64-bit hashes (the signs of a thumbnail's lowest frequencies), and the thumbnails of
those that are close decide. Pictures of one colour, or nearly, are left out: they all look alike. Parts of others are
found in `crops.py`, whose limits are said there.

The time of comparing grows with the square of the number of pictures, that of looking for parts more slowly; above
`MOST_FOR_CROPS` parts are not looked for, and `Duplicates.crops_searched` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wd14.curation.crops import FLAT, Bytes, Crop, Keys, find_crops
from wd14.types import THUMBNAIL_SIDE, FloatArray, IndexArray, PictureFacts

#: Pictures up to which parts are looked for.
MOST_FOR_CROPS = 200_000
#: Bits of 64 in which the hashes of near pictures differ at most.
HASH_DISTANCE = 10
#: Correlation of the thumbnails from which on pictures are near, and the same.
NEAR, SAME = 0.9, 0.995
#: Grey levels that the thumbnails of the same picture differ by at most, at their most different point.
SAME_LEVELS = 14.0
#: Aspect ratios of near pictures differ by this factor at most.
SAME_SHAPE = 1.06
#: Nearest pictures that are kept of each: enough to hold a group together.
_NEIGHBOURS = 16
_ROWS = 32  #: compared at once: their distances stay in the processor's cache

Kind = Literal["same", "near", "mirrored"]


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that belong together.

    "same" was saved or resized anew, "near" is a variant (another expression), "mirrored" is either of them, mirrored.
    Of pictures that are the same, only the first is in a "near" or "mirrored" group.
    """

    kind: Kind
    rows: tuple[int, ...]  #: positions, ascending; two or more
    distance: float  #: the largest 1 - correlation of two thumbnails that were compared, 0..`1 - NEAR`


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What `find_duplicates` found."""

    groups: tuple[Group, ...]
    crops: tuple[Crop, ...]  #: likely parts; of pictures that are the same, the first stands for all
    crops_searched: bool  #: whether parts were looked for


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of pictures: arrays of P."""

    one: IndexArray
    other: IndexArray
    distance: FloatArray

    def __getitem__(self, chosen: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.one[chosen], self.other[chosen], self.distance[chosen])


class _Thumbnails:
    """Thumbnails that tell pictures apart, with what is compared of them; N of them."""

    def __init__(self, pixels: Bytes, aspect: FloatArray) -> None:
        self.pixels, self.aspect = pixels, aspect
        self.hashes, self.mirrored = _hashes(pixels, mirrored=False), _hashes(pixels, mirrored=True)

    def near(self, pairs: tuple[IndexArray, IndexArray], *, mirrored: bool) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Distance of pairs (P,), infinite where they are not near, and whether they are the same."""
        one, other = pairs
        distance, same = np.full(len(one), np.inf, np.float32), np.zeros(len(one), np.bool_)
        shape = np.abs(np.log(self.aspect[one] / self.aspect[other])) <= np.log(SAME_SHAPE)
        for chosen in np.array_split(np.flatnonzero(shape), 1 + len(one) // 65536):
            first, second = self.pixels[one[chosen]], self.pixels[other[chosen]]
            a, b = _standard(first), _standard(second[:, :, ::-1] if mirrored else second)
            correlation = np.einsum("pi,pi->p", a[0], b[0]) / a[0].shape[1]
            most = np.abs(a[0] - b[0]).max(axis=1) * np.minimum(a[1], b[1])
            distance[chosen] = np.where(correlation >= NEAR, np.maximum(0, 1 - correlation), np.inf)
            same[chosen] = (correlation >= SAME) & (most <= SAME_LEVELS)
        return distance, same


def find_duplicates(pictures: Sequence[PictureFacts | None]) -> Duplicates:
    """Groups and likely parts among the pictures, by position; None is a picture of which nothing is known.

    A few milliseconds for ten pictures. Memory is about 4 KB a picture.
    """
    known = [row for row, facts in enumerate(pictures) if facts is not None and facts.width > 0 and facts.height > 0]
    side = THUMBNAIL_SIDE
    facts = [pictures[row] for row in known]
    pixels = np.frombuffer(b"".join(each.thumbnail for each in facts if each), np.uint8).reshape(-1, side, side)
    aspect = np.array([each.width / each.height for each in facts if each], np.float32)
    told = np.flatnonzero(pixels.reshape(len(pixels), -1).std(axis=1) >= FLAT) if len(pixels) else np.empty(0, np.intp)
    if len(told) < 2:
        return Duplicates((), (), crops_searched=True)
    rows = np.array(known)[told]
    return _found(_Thumbnails(pixels[told], aspect[told]), rows)


def _found(thumbnails: _Thumbnails, rows: IndexArray) -> Duplicates:
    """The duplicates of thumbnails whose positions are `rows`."""
    count = len(rows)
    copies = _equal(thumbnails)
    different = np.unique(copies)
    near, same = _close_pairs(thumbnails, different, mirrored=False)
    first = _components(count, [(copies, np.arange(count)), (near.one[same], near.other[same])])
    variants = _between(near[~same], first)
    groups = _groups("same", first, near[same], rows)
    related = _components(count, [(variants.one, variants.other)])
    groups += _groups("near", related, variants, rows, np.unique(first))
    mirrored, _ = _close_pairs(thumbnails, np.unique(first), mirrored=True)
    mirrored = mirrored[related[mirrored.one] != related[mirrored.other]]
    pairs = _components(count, [(mirrored.one, mirrored.other)])
    groups += _groups("mirrored", pairs, mirrored, rows, np.unique(first))
    searched = count <= MOST_FOR_CROPS
    crops: list[Crop] = []
    if searched:
        unlike = np.unique(first)
        for crop in find_crops(thumbnails.pixels[unlike], thumbnails.aspect[unlike]):
            part, whole = unlike[crop.part], unlike[crop.whole]
            if related[part] != related[whole]:
                crops.append(Crop(int(rows[part]), int(rows[whole]), crop.region, crop.distance))
    return Duplicates(tuple(groups), tuple(crops), crops_searched=searched)


def _equal(thumbnails: _Thumbnails) -> IndexArray:
    """(N,): the first picture with the same thumbnail and shape, often the picture itself."""
    first: dict[tuple[bytes, float], int] = {}
    keys = (
        (pixels.tobytes(), float(aspect)) for pixels, aspect in zip(thumbnails.pixels, thumbnails.aspect, strict=True)
    )
    return np.array([first.setdefault(key, number) for number, key in enumerate(keys)], np.intp)


def _hashes(pixels: Bytes, *, mirrored: bool) -> Keys:
    """(N,) hashes of 64 bits: the signs of the 8 x 8 lowest frequencies, without the mean."""
    side = pixels.shape[1]
    waves = np.cos(np.pi * np.outer(np.arange(9), np.arange(side) + 0.5) / side).astype(np.float32)
    order = [(u, v) for u in range(9) for v in range(9) if u + v]
    vertical, horizontal = np.array(sorted(order, key=sum)[:64]).T
    turn = (1 - 2 * (horizontal % 2)) if mirrored else np.ones(64)
    hashes = []
    for at in range(0, len(pixels), 4096):
        frequencies = (waves @ pixels[at : at + 4096].astype(np.float32) @ waves.T)[:, vertical, horizontal]
        bits = np.packbits(frequencies * turn > 0, axis=1)
        hashes.append(np.ascontiguousarray(bits).view(np.uint64)[:, 0])
    return np.concatenate(hashes)


def _standard(pixels: Bytes) -> tuple[FloatArray, FloatArray]:
    """(P, side, side) -> (P, side²) of mean 0 and deviation 1, and the deviations (P, 1)."""
    values = pixels.reshape(len(pixels), pixels.shape[1] * pixels.shape[2]).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    deviation = np.maximum(np.sqrt((values * values).mean(axis=1, keepdims=True)), 1e-6)
    return values / deviation, deviation[:, 0]


def _close_pairs(thumbnails: _Thumbnails, chosen: IndexArray, *, mirrored: bool) -> tuple[_Pairs, NDArray[np.bool_]]:
    """Pairs of the chosen pictures that are near, and which of them are the same."""
    hashes = thumbnails.hashes[chosen]
    others = thumbnails.mirrored[chosen] if mirrored else hashes

    def compared(start: int) -> tuple[IndexArray, IndexArray]:
        distance = np.bitwise_count(hashes[start : start + _ROWS, None] ^ others[None, start:])
        row, column = np.nonzero(distance <= HASH_DISTANCE)
        after = column > row
        row, column = row[after], column[after]
        order = np.lexsort((distance[row, column], row))
        row, column = row[order], column[order]
        nearest = np.arange(len(row)) - np.searchsorted(row, row) < 4 * _NEIGHBOURS
        return chosen[row[nearest] + start], chosen[column[nearest] + start]

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        parts = list(pool.map(compared, range(0, len(chosen), _ROWS)))
    one, other = (np.concatenate(side) for side in zip(*parts, strict=True))
    distance, same = thumbnails.near((one, other), mirrored=mirrored)
    close = np.isfinite(distance)
    return _Pairs(one[close], other[close], distance[close]), same[close]


def _between(pairs: _Pairs, first: IndexArray) -> _Pairs:
    """The pairs of different pictures, each given by the first of its copies."""
    one, other = first[pairs.one], first[pairs.other]
    return _Pairs(one, other, pairs.distance)[one != other]


def _components(count: int, edges: Iterable[tuple[IndexArray, IndexArray]]) -> IndexArray:
    """(count,): the lowest position that each is connected with."""
    parent = list(range(count))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for one, other in edges:
        for first, second in zip(one.tolist(), other.tolist(), strict=True):
            low, high = sorted((root(first), root(second)))
            parent[high] = low
    return np.array([root(number) for number in range(count)], np.intp)


def _groups(
    kind: Kind, component: IndexArray, pairs: _Pairs, rows: IndexArray, of: IndexArray | None = None
) -> list[Group]:
    """The components of two or more, of all pictures or those of `of`, with their largest distance."""
    largest = np.zeros(len(component), np.float32)
    np.maximum.at(largest, component[pairs.one], pairs.distance)
    members: dict[int, list[int]] = {}
    for number in range(len(component)) if of is None else of.tolist():
        members.setdefault(int(component[number]), []).append(int(rows[number]))
    return [Group(kind, tuple(group), float(largest[at])) for at, group in members.items() if len(group) > 1]

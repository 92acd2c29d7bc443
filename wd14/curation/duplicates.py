"""Pictures of a dataset that are the same, nearly the same, mirrored, or parts of others: from `PictureFacts` alone.

Pairs whose hashes are close (`alike.py`) are compared by their thumbnails. Pictures of one colour, or nearly, are left
out: they all look alike. Likely parts are found in `crops.py`, and only where they are asked for: thumbnails do not
tell for certain, see there.

Thumbnails are not copied. Time, memory and what is found: benchmarks/README.md, `similar`. One character on white in
similar poses, and screenshots of one frame, may be "near".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wd14.curation.alike import LikelyPairs, likely_pairs
from wd14.curation.connected import components
from wd14.curation.crops import FLAT, Bytes, Crop, likely_crops
from wd14.curation.facts_table import FactsTable
from wd14.types import FloatArray, IndexArray, PictureFacts

#: Pictures up to which parts can be looked for.
MOST_FOR_CROPS = 100_000
#: Correlation of the thumbnails from which on pictures are near, and the same.
NEAR, SAME = 0.93, 0.995
#: Grey levels that the thumbnails of the same picture differ by at most, at their most different point.
SAME_LEVELS = 14.0
#: Aspect ratios of near pictures differ by this factor at most.
SAME_SHAPE = 1.06
_AT_ONCE = 4096  #: thumbnails, or pairs of them

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
    #: Likely parts, the most alike first; of pictures that are the same, the first stands for all. Most of them are
    #: none in a large dataset: `crop_match.find_region` tells.
    likely_crops: tuple[Crop, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of pictures: arrays of P."""

    one: IndexArray
    other: IndexArray
    distance: FloatArray

    def __getitem__(self, chosen: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.one[chosen], self.other[chosen], self.distance[chosen])


class _Thumbnails:
    """Thumbnails that tell pictures apart, N of them: those at some places among all, which are not copied."""

    def __init__(self, pixels: Bytes, places: IndexArray, aspect: FloatArray) -> None:
        self._pixels, self._places, self.aspect = pixels, places, aspect

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, chosen: IndexArray) -> Bytes:
        return self._pixels[self._places[chosen]]

    def blocks(self, chosen: IndexArray) -> Iterator[Bytes]:
        """Some of the thumbnails, a few at a time."""
        return (self[chosen[at : at + _AT_ONCE]] for at in range(0, len(chosen), _AT_ONCE))

    def close(
        self, pairs: LikelyPairs, tick: Callable[[], None], *, mirrored: bool
    ) -> tuple[_Pairs, NDArray[np.bool_]]:
        """The pairs that are near, or would be with one of them mirrored, and which of these are the same."""
        shape = np.abs(np.log(self.aspect[pairs.one] / self.aspect[pairs.other])) <= np.log(SAME_SHAPE)
        one, other = pairs.one[shape], pairs.other[shape]
        distance, same = np.full(len(one), np.inf, np.float32), np.zeros(len(one), np.bool_)
        for at in range(0, len(one), _AT_ONCE):
            chosen = slice(at, at + _AT_ONCE)
            first, second = self[one[chosen]], self[other[chosen]]
            a, b = _standard(first), _standard(second[:, :, ::-1] if mirrored else second)
            correlation = np.einsum("pi,pi->p", a[0], b[0]) / a[0].shape[1]
            most = np.abs(a[0] - b[0]).max(axis=1) * np.minimum(a[1], b[1])
            distance[chosen] = np.where(correlation >= NEAR, np.maximum(0, 1 - correlation), np.inf)
            same[chosen] = (correlation >= SAME) & (most <= SAME_LEVELS)
            tick()
        near = np.isfinite(distance)
        return _Pairs(one[near], other[near], distance[near]), same[near]


def find_duplicates(
    pictures: Sequence[PictureFacts | None], *, crops: bool = False, tick: Callable[[], None] = lambda: None
) -> Duplicates:
    """Groups, and on request likely parts, among the pictures, by position.

    Args:
        pictures: None is a picture of which nothing is known.
        crops: look for likely parts. With more than `MOST_FOR_CROPS` pictures that takes long and much memory.
        tick: called several times a second; what it raises ends the search.
    """
    table = pictures if isinstance(pictures, FactsTable) else FactsTable(pictures)
    tick()
    rows, places, aspect = table.known()
    thumbnails = _Thumbnails(table.thumbnails(), places, aspect)
    told = np.flatnonzero(_deviation(thumbnails) >= FLAT)
    if len(told) < 2:
        return Duplicates(())
    return _found(_Thumbnails(table.thumbnails(), places[told], aspect[told]), rows[told], tick, crops=crops)


def _deviation(thumbnails: _Thumbnails) -> FloatArray:
    """Standard deviation of each thumbnail's grey levels, (N,)."""
    blocks = thumbnails.blocks(np.arange(len(thumbnails)))
    return np.concatenate([np.empty(0, np.float32), *(block.std(axis=(1, 2), dtype=np.float32) for block in blocks)])


def _found(thumbnails: _Thumbnails, rows: IndexArray, tick: Callable[[], None], *, crops: bool) -> Duplicates:
    """The duplicates of thumbnails whose positions are `rows`."""
    count = len(thumbnails)
    copies = _equal(thumbnails)
    different = np.unique(copies)
    alike, turned = (
        LikelyPairs(different[pairs.one], different[pairs.other])
        for pairs in likely_pairs(thumbnails.blocks(different), tick)
    )
    near, same = thumbnails.close(alike, tick, mirrored=False)
    again = np.flatnonzero(copies < np.arange(count))
    first = _components(count, [(copies[again], again), (near.one[same], near.other[same])])
    variants = _between(near[~same], first)
    groups = _groups("same", first, near[same], rows)
    related = _components(count, [(variants.one, variants.other)])
    unlike = np.unique(first)
    groups += _groups("near", related, variants, rows, unlike)
    mirrored = _between(thumbnails.close(turned, tick, mirrored=True)[0], first)
    mirrored = mirrored[related[mirrored.one] != related[mirrored.other]]
    pairs = _components(count, [(mirrored.one, mirrored.other)])
    groups += _groups("mirrored", pairs, mirrored, rows, unlike)
    likely: list[Crop] = []
    if crops:
        for crop in likely_crops(thumbnails[unlike], thumbnails.aspect[unlike], tick):
            part, whole = unlike[crop.part], unlike[crop.whole]
            if related[part] != related[whole]:
                likely.append(replace(crop, part=int(rows[part]), whole=int(rows[whole])))
    return Duplicates(tuple(groups), tuple(likely))


def _equal(thumbnails: _Thumbnails) -> IndexArray:
    """(N,): the first picture with the same thumbnail and shape, often the picture itself."""
    digests = bytearray()
    for at in range(0, len(thumbnails), _AT_ONCE):
        chosen = np.arange(at, min(len(thumbnails), at + _AT_ONCE))
        for pixels, aspect in zip(thumbnails[chosen], thumbnails.aspect[chosen], strict=True):
            digests += hashlib.blake2b(pixels.tobytes() + aspect.tobytes(), digest_size=16).digest()
    _, first, which = np.unique(np.frombuffer(digests, "S16"), return_index=True, return_inverse=True)
    return first[which]


def _standard(pixels: Bytes) -> tuple[FloatArray, FloatArray]:
    """(P, side, side) -> (P, side²) of mean 0 and deviation 1, and the deviations (P, 1)."""
    values = pixels.reshape(len(pixels), pixels.shape[1] * pixels.shape[2]).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    deviation = np.maximum(np.sqrt((values * values).mean(axis=1, keepdims=True)), 1e-6)
    return values / deviation, deviation[:, 0]


def _between(pairs: _Pairs, first: IndexArray) -> _Pairs:
    """The pairs of different pictures, each given by the first of its copies."""
    one, other = first[pairs.one], first[pairs.other]
    return _Pairs(one, other, pairs.distance)[one != other]


def _components(count: int, edges: Iterable[tuple[IndexArray, IndexArray]]) -> IndexArray:
    """(count,): the lowest position that each is connected with."""
    pairs = (pair for one, other in edges for pair in zip(one.tolist(), other.tolist(), strict=True))
    return np.array(components(count, pairs), np.intp)


def _groups(
    kind: Kind, component: IndexArray, pairs: _Pairs, rows: IndexArray, of: IndexArray | None = None
) -> list[Group]:
    """The components of two or more, of all pictures or those of `of`, with their largest distance."""
    largest = np.zeros(len(component), np.float32)
    np.maximum.at(largest, component[pairs.one], pairs.distance)
    numbers = np.arange(len(component)) if of is None else of
    several = np.bincount(component[numbers], minlength=len(component)) > 1
    numbers = numbers[several[component[numbers]]]
    members: dict[int, list[int]] = {}
    for at, row in zip(component[numbers].tolist(), rows[numbers].tolist(), strict=True):
        members.setdefault(at, []).append(row)
    return [Group(kind, tuple(group), float(largest[at])) for at, group in members.items()]

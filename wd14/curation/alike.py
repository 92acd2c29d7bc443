"""Pairs of pictures that may be alike, among many: by hashes of 64 bits, the signs of a thumbnail's lowest frequencies.

The hashes are sorted by some of their bits, again and again by other ones: hashes that differ in few bits agree in all
that are sorted by, once or more often, and are neighbours then. The time grows little faster than the number of
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.types import IndexArray

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]

#: Bits in which the hashes of a pair differ at most.
HASH_DISTANCE = 14
#: Choices of bits that are sorted by, and the neighbours that a hash is compared with each time.
_CHOICES, _NEIGHBOURS = 32, 16
#: Pairs that are kept of each hash, the most alike first, and the number of pairs above which others are dropped.
_MOST_PAIRS, _GATHERED = 64, 4_000_000


@dataclass(frozen=True, slots=True)
class LikelyPairs:
    """Positions of pictures, `one` < `other`: arrays of P."""

    one: IndexArray
    other: IndexArray


def likely_pairs(pixels: Bytes, tick: Callable[[], None]) -> tuple[LikelyPairs, LikelyPairs]:
    """Thumbnails (N, side, side) that may be alike, and those of which one may be like the other's mirror image."""
    count = len(pixels)
    hashes = np.concatenate([_hashes(pixels, mirrored=False), _hashes(pixels, mirrored=True)])
    one, other = np.empty(0, np.int64), np.empty(0, np.int64)
    gathered: list[tuple[IndexArray, IndexArray]] = []
    for first, second in _neighbours(hashes, count):
        gathered.append((first, second))
        if sum(len(rows) for rows, _ in gathered) > _GATHERED:
            one, other = _nearest(hashes, [(one, other), *gathered])
            gathered = []
        tick()
    one, other = _nearest(hashes, [(one, other), *gathered])
    plain = other < count
    turned = other[~plain] - count
    low, high = np.minimum(one[~plain], turned), np.maximum(one[~plain], turned)
    pair = np.unique(low[low < high] * count + high[low < high])
    return LikelyPairs(one[plain], other[plain]), LikelyPairs(pair // count, pair % count)


def _neighbours(hashes: Hashes, count: int) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Pairs of hashes, the lower position first, of which that is a picture's own: below `count`."""
    random = np.random.default_rng(0)
    sorted_by = int(np.clip(np.log2(len(hashes)) - 1, 4, 24))
    for _ in range(_CHOICES):
        bits = np.uint64(1) << random.permutation(64)[:sorted_by].astype(np.uint64)
        chosen = hashes & np.bitwise_or.reduce(bits)
        order = np.argsort(chosen, kind="stable")
        chosen, ordered = chosen[order], hashes[order]
        pairs = []
        for step in range(1, min(_NEIGHBOURS + 1, len(order))):
            equal = np.flatnonzero(chosen[step:] == chosen[:-step])
            close = equal[np.bitwise_count(ordered[equal] ^ ordered[equal + step]) <= HASH_DISTANCE]
            pairs.append(np.sort(np.stack([order[close], order[close + step]]), axis=0))
        one, other = np.concatenate(pairs, axis=1)
        yield one[one < count], other[one < count]


def _nearest(hashes: Hashes, pairs: list[tuple[IndexArray, IndexArray]]) -> tuple[IndexArray, IndexArray]:
    """Each pair once, and of each hash the nearest pairs only."""
    count = len(hashes)
    pair = np.unique(np.concatenate([one * count + other for one, other in pairs]))
    one, other = pair // count, pair % count
    order = np.lexsort((np.bitwise_count(hashes[one] ^ hashes[other]), one))
    one, other = one[order], other[order]
    kept = np.arange(len(one)) - np.searchsorted(one, one) < _MOST_PAIRS
    return one[kept], other[kept]


def _hashes(pixels: Bytes, *, mirrored: bool) -> Hashes:
    """(N,) hashes: the signs of 64 low frequencies, without the mean; on request of the mirror images."""
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

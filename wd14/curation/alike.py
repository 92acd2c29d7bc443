"""Pairs of pictures that may be alike, among many: by hashes of 64 bits, the signs of a thumbnail's lowest frequencies.

The hashes are sorted by some of their bits, again and again by other ones: hashes that differ in few bits agree in all
that are sorted by, once or more often, and are neighbours then. The time grows little faster than the number of
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.types import IndexArray

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
#: Pairs of positions as one number each, in which they are sorted by the first, then by how close they are.
Pairs = NDArray[np.int64]
_POSITION_BITS, _DISTANCE_BITS = 28, 7
_POSITION = (1 << _POSITION_BITS) - 1

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


def likely_pairs(thumbnails: Iterable[Bytes], tick: Callable[[], None]) -> tuple[LikelyPairs, LikelyPairs]:
    """Thumbnails that may be alike, and those of which one may be like the other's mirror image.

    Args:
        thumbnails: (n, side, side) each time, a few thousand; N in all, at most 2**27.
        tick: called several times a second.
    """
    described = [_hashes(pixels) for pixels in thumbnails]
    hashes = np.concatenate([plain for plain, _ in described] + [mirrored for _, mirrored in described])
    count = len(hashes) // 2
    nearest = np.empty(0, np.int64)
    gathered: list[Pairs] = []
    for pairs in _neighbours(hashes, count):
        gathered.append(pairs)
        if sum(map(len, gathered)) > _GATHERED:
            nearest = _nearest([nearest, *gathered])
            gathered = []
        tick()
    nearest = _nearest([nearest, *gathered])
    one, other = nearest >> _DISTANCE_BITS + _POSITION_BITS, nearest & _POSITION
    plain = other < count
    turned = other[~plain] - count
    low, high = np.minimum(one[~plain], turned), np.maximum(one[~plain], turned)
    pair = np.unique(low[low < high] * count + high[low < high])
    return LikelyPairs(one[plain], other[plain]), LikelyPairs(pair // count, pair % count)


def _neighbours(hashes: Hashes, count: int) -> Iterator[Pairs]:
    """Pairs of hashes, the lower position first, of which that is a picture's own: below `count`."""
    random = np.random.default_rng(0)
    sorted_by = int(np.clip(np.log2(len(hashes)) - 1, 4, 24))
    for _ in range(_CHOICES):
        bits = np.uint64(1) << random.permutation(64)[:sorted_by].astype(np.uint64)
        chosen = hashes & np.bitwise_or.reduce(bits)
        order = np.argsort(chosen, kind="stable")
        chosen, ordered = chosen[order], hashes[order]
        pairs = [np.empty(0, np.int64)]
        for step in range(1, min(_NEIGHBOURS + 1, len(order))):
            equal = np.flatnonzero(chosen[step:] == chosen[:-step])
            distance = np.bitwise_count(ordered[equal] ^ ordered[equal + step])
            close = distance <= HASH_DISTANCE
            one, other = order[equal[close]], order[equal[close] + step]
            low, high = np.minimum(one, other), np.maximum(one, other)
            pair = (low << _DISTANCE_BITS | distance[close]) << _POSITION_BITS | high
            pairs.append(pair[low < count])
        yield np.concatenate(pairs)


def _nearest(pairs: list[Pairs]) -> Pairs:
    """Each pair once, and of each hash the nearest pairs only."""
    pair = np.unique(np.concatenate(pairs))
    one = pair >> _DISTANCE_BITS + _POSITION_BITS
    return pair[np.arange(len(one)) - np.searchsorted(one, one) < _MOST_PAIRS]


def _hashes(pixels: Bytes) -> tuple[Hashes, Hashes]:
    """(N,) hashes of thumbnails and of their mirror images: the signs of 64 low frequencies, without the mean."""
    side = pixels.shape[1]
    waves = np.cos(np.pi * np.outer(np.arange(9), np.arange(side) + 0.5) / side).astype(np.float32)
    order = [(u, v) for u in range(9) for v in range(9) if u + v]
    vertical, horizontal = np.array(sorted(order, key=sum)[:64]).T
    frequencies = (waves @ pixels.astype(np.float32) @ waves.T)[:, vertical, horizontal]
    turns = np.ones(64), 1 - 2 * (horizontal % 2)
    plain, mirrored = (np.ascontiguousarray(np.packbits(frequencies * turn > 0, axis=1)) for turn in turns)
    return plain.view(np.uint64)[:, 0], mirrored.view(np.uint64)[:, 0]

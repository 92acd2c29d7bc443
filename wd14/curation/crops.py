"""Finds pictures that are likely parts of others, from thumbnails alone.

A part, stretched to a square, looks like some window of the whole. So every picture is described by the signs of its
lowest frequencies, and so is every window of every picture, at several widths, heights and places: equal signs make a
candidate, and the candidates' pixels decide.

The signs of a window that lies a little beside the part differ in a few bits, so each part is looked up under all
values of those bits that would change first if it were cut a little differently: of more bits among few pictures. A
window must also have the part's shape (its aspect ratio in the pixels of the original), brightness and contrast.

Parts are found by likelihood: after confirmation by `crop_match.find_regions`, among 12,000 pictures, half of those
whose sides are 0.3 of the whole's, three of four at 0.5, nine of ten at 0.8, and fewer among more pictures; figures are
in benchmarks/README.md. Not found: parts that are smaller, turned or mirrored, or nearly without detail. Without
confirmation half or more of what is found is no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wd14.curation.crop_match import Region, best_wholes, refined
from wd14.threads import available_cores
from wd14.types import FloatArray

Keys = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

#: Windows get narrower by this factor, down to SMALLEST of the side, and advance by STEP of their width.
RATIO, STEP, SMALLEST = 0.85, 0.17, 0.36
#: Frequencies along a side that windows are compared by.
FREQUENCIES = 5
#: Bits of a key.
BITS = 24
#: Bits that are looked up with both values, at most, and the entries for which their number is chosen.
_MOST_UNCERTAIN, _ENTRIES = 10, 8_000_000
#: Windows whose key more parts share are left out: this many among 100,000 pictures, more among fewer.
_MOST_ALIKE = 16
#: Correlation of the low frequencies from which on a window is looked at closely.
LIKELY = 0.87
#: Correlation of the thumbnails from which on a picture is likely a part.
NEARLY = 0.94
#: Share of the pixels of a part's thumbnail that differ from a neighbour by EDGE grey levels or more.
DETAILED, EDGE = 0.1, 8
#: Grey levels (standard deviation) below which a picture or a window is too flat to tell.
FLAT = 6.0
#: What saving a part anew may do: grey levels of its mean, factors of its contrast.
_BRIGHTER, _CONTRAST = 32.0, (0.75, 1.35)
#: Wholes that are looked at closely for one part.
_WHOLES = 3
_INDEX_BITS = 20  #: of an entry: a part's position, so at most 1,048,576 parts
_BLOCK, _BLOCKS = 16, 64  #: wholes that are searched at once in a thread, and such blocks between two ticks


@dataclass(frozen=True, slots=True)
class Crop:
    """A picture that is a part of another."""

    part: int  #: position of the picture
    whole: int  #: position of the picture that it is a part of
    region: Region  #: of the whole
    distance: float  #: 1 - correlation of the pixels, 0..`1 - NEARLY`


@dataclass(frozen=True, slots=True)
class _Windows:
    """The intervals of a side from which windows are made: W intervals, the widest first."""

    start: FloatArray  #: (W,) 0..1
    length: FloatArray  #: (W,) 0..1
    level: NDArray[np.int64]  #: (W,) `length` is RATIO ** level


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all pictures are looked up by: their positions, in the order of their keys' hashes."""

    index: NDArray[np.int32]  #: (E,) positions
    first: NDArray[np.int32]  #: (2 ** bits + 1,) where in `index` those of each hash begin
    unit: FloatArray  #: (N, FREQUENCIES ** 2) frequencies without the mean, length 1
    mean: FloatArray  #: (N,)
    contrast: FloatArray  #: (N,)


def likely_crops(thumbnails: Bytes, aspect: FloatArray, tick: Callable[[], None]) -> list[Crop]:
    """Pictures that are parts of others, by `(part, whole)`; of each part the wholes that fit best.

    `thumbnails` is (N, side, side) grey values, `aspect` (N,) width / height in pixels; N is at most 1,048,576.
    """
    if len(thumbnails) < 2:
        return []
    shape = (np.log(aspect) / -np.log(RATIO)).astype(np.float32)
    parts = _parts(thumbnails, shape)
    tick()
    starts = range(0, len(thumbnails), _BLOCK)
    found = [np.empty(0, _CANDIDATE)]
    with ThreadPoolExecutor(available_cores()) as pool:
        for at in range(0, len(starts), _BLOCKS):
            blocks = starts[at : at + _BLOCKS]
            found += pool.map(
                lambda start: _candidates(thumbnails[start : start + _BLOCK], start, shape, parts), blocks
            )
            tick()
    likely = np.concatenate(found)
    likely = likely[best_wholes(likely["part"], likely["likeness"], _WHOLES)]
    crops = list(_compared(likely, thumbnails, aspect, tick))
    return sorted(crops, key=lambda crop: crop.distance)


@cache
def _windows() -> _Windows:
    start: list[float] = []
    level: list[int] = []
    for number in range(1 + int(np.log(SMALLEST) / np.log(RATIO))):
        length = RATIO**number
        places = 1 + int(np.ceil((1 - length) / (STEP * length) - 1e-9))
        start += np.linspace(0, 1 - length, places).tolist()
        level += [number] * places
    levels = np.array(level)
    return _Windows(np.array(start, np.float32), np.float32(RATIO) ** levels.astype(np.float32), levels)


def _waves(start: FloatArray, length: FloatArray, side: int) -> FloatArray:
    """From the pixels of a side to the frequencies of intervals of it: (FREQUENCIES, W, side)."""
    inside = np.clip((np.arange(side + 1) / side - start[:, None]) / length[:, None], 0, 1)
    integrals = [inside] + [np.sin(np.pi * k * inside) * (2**0.5 / (np.pi * k)) for k in range(1, FREQUENCIES)]
    return np.diff(np.array(integrals), axis=-1).astype(np.float32)


@cache
def _key_frequencies() -> tuple[tuple[int, int], ...]:
    """The frequencies, vertical and horizontal, whose signs are a key: the lowest ones."""
    pairs = [(u, v) for u in range(FREQUENCIES) for v in range(FREQUENCIES) if u or v]
    return tuple(sorted(pairs, key=lambda pair: (sum(pair), max(pair)))[:BITS])


def _parts(thumbnails: Bytes, shape: FloatArray) -> _Parts:
    uncertain = min(_MOST_UNCERTAIN, max(3, int(np.log2(_ENTRIES / 2 / len(thumbnails)))))
    blocks = [
        _described(thumbnails[at : at + 4096].astype(np.float32), uncertain) for at in range(0, len(thumbnails), 4096)
    ]
    frequencies, signs, unsure = (np.concatenate(values) for values in zip(*blocks, strict=True))
    mean = frequencies[:, 0].copy()
    frequencies[:, 0] = 0
    contrast = np.sqrt((frequencies**2).sum(axis=1))
    unit = frequencies / np.maximum(contrast, 1e-6)[:, None]
    told = np.flatnonzero((contrast >= FLAT) & (_detailed(thumbnails) >= DETAILED))
    keys = _keys_of_parts(signs[told], unsure[told], np.floor(shape[told]).astype(np.int64))
    bits = min(26, max(10, int(np.log2(keys.size * 4 + 1))))
    entries = _hashed(keys, bits) << np.uint64(_INDEX_BITS) | told.astype(np.uint64)
    entries = np.sort(entries, axis=None)
    index = (entries & np.uint64((1 << _INDEX_BITS) - 1)).astype(np.int32)
    counts = np.bincount((entries >> np.uint64(_INDEX_BITS)).astype(np.int64), minlength=1 << bits)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return _Parts(index, first, unit, mean, contrast)


def _detailed(thumbnails: Bytes) -> FloatArray:
    """(N,): the share of pixels that differ from their right or lower neighbour."""
    shares = []
    for at in range(0, len(thumbnails), 4096):
        pixels = thumbnails[at : at + 4096].astype(np.int16)
        across, down = (np.abs(np.diff(pixels, axis=axis)) >= EDGE for axis in (2, 1))
        shares.append((across[:, :-1] | down[:, :, :-1]).mean(axis=(1, 2), dtype=np.float32))
    return np.concatenate(shares)


def _described(pixels: FloatArray, uncertain: int) -> tuple[FloatArray, Keys, Keys]:
    """Frequencies (N, FREQUENCIES ** 2), their signs as keys (N,), and the least certain bits (N, `uncertain`)."""
    cut = np.array([(0, 1), (0, 0.94), (0.06, 0.94), (0.06, 0.88)], np.float32)
    waves = _waves(cut[:, 0], cut[:, 1], pixels.shape[1]).transpose(1, 0, 2)
    whole = waves[0] @ pixels @ waves[0].T
    change = sum((rows @ pixels @ columns.T - whole) ** 2 for rows in waves for columns in waves)
    vertical, horizontal = np.array(_key_frequencies()).T
    values, doubt = whole[:, vertical, horizontal], np.sqrt(np.asarray(change)[:, vertical, horizontal])
    powers = np.uint64(1) << np.arange(BITS, dtype=np.uint64)
    signs = ((values > 0) * powers).sum(axis=1, dtype=np.uint64)
    order = np.argsort(np.abs(values) / np.maximum(doubt, 1e-6), axis=1)
    return whole.reshape(len(whole), -1), signs, powers[order[:, :uncertain]]


def _keys_of_parts(signs: Keys, unsure: Keys, shape: NDArray[np.int64]) -> Keys:
    """(…, N): for each value of the uncertain bits, and both neighbouring shapes."""
    uncertain = unsure.shape[1]
    keys = np.empty((2, 1 << uncertain, len(signs)), np.uint64)
    for choice in range(1 << uncertain):
        flips = [bit for bit in range(uncertain) if choice >> bit & 1]
        flipped = signs ^ unsure[:, flips].sum(axis=1, dtype=np.uint64)
        for further in range(2):
            keys[further, choice] = _with_shape(flipped, shape + further)
    return keys


def _with_shape(keys: Keys, shape: NDArray[np.int64]) -> Keys:
    """Keys that differ where the shapes, in steps of RATIO, do."""
    return keys | ((shape + 512).clip(0, 1023).astype(np.uint64) << np.uint64(BITS))


def _hashed(keys: Keys, bits: int) -> Keys:
    return (keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)


_CANDIDATE = np.dtype([("part", np.int32), ("whole", np.int32), ("y", np.int16), ("x", np.int16), ("likeness", "f4")])


def _candidates(thumbnails: Bytes, first: int, shape: FloatArray, parts: _Parts) -> NDArray[np.void]:
    """The likely parts of a block of pictures, of which `first` is the position of the first; each pair once."""
    frequencies = _window_frequencies(thumbnails.astype(np.float32))
    count = frequencies.shape[1]
    keys = _window_keys(frequencies, shape[first : first + len(thumbnails)])
    slot = _hashed(keys, len(parts.first).bit_length() - 1).astype(np.intp)
    low = parts.first[slot]
    several = parts.first[slot + 1] - low
    hit = np.flatnonzero((several > 0) & (several <= max(_MOST_ALIKE, 1_600_000 // len(parts.mean))))
    low, several = low[hit], several[hit]
    begins = np.cumsum(several) - several
    part = parts.index[np.repeat(low - begins, several) + np.arange(several.sum())]
    y, number, x = np.unravel_index(np.repeat(hit, several), (count, len(thumbnails), count))
    level = _windows().level
    mean = frequencies[0, y, number, 0, x]
    keep = np.flatnonzero(
        (np.abs(mean - parts.mean[part]) < _BRIGHTER) & (part != first + number) & (level[y] + level[x] > 0)
    )
    part, y, number, x = part[keep], y[keep], number[keep], x[keep]
    values = frequencies.transpose(1, 2, 4, 0, 3)[y, number, x].reshape(len(part), FREQUENCIES**2)
    values[:, 0] = 0
    contrast = np.sqrt(np.einsum("ci,ci->c", values, values))
    likeness = np.einsum("ci,ci->c", values, parts.unit[part]) / np.maximum(contrast, 1e-6)
    ratio = contrast / parts.contrast[part]
    good = (likeness >= LIKELY) & (contrast >= FLAT) & (ratio > _CONTRAST[0]) & (ratio < _CONTRAST[1])
    found = np.empty(int(good.sum()), _CANDIDATE)
    for name, column in zip(_CANDIDATE.names or (), (part, number + first, y, x, likeness), strict=True):
        found[name] = column[good]
    found = found[np.argsort(-found["likeness"], kind="stable")]
    pair = found["part"].astype(np.int64) << 32 | found["whole"]
    return found[np.unique(pair, return_index=True)[1]]


def _window_frequencies(pixels: FloatArray) -> FloatArray:
    """(B, side, side) -> (FREQUENCIES, W, B, FREQUENCIES, W): of every window, its rows first."""
    side, count = pixels.shape[1], len(pixels)
    number = len(_windows().start)
    waves = _waves_of_windows(side)
    rows = waves @ pixels.transpose(1, 0, 2).reshape(side, count * side)
    values = rows.reshape(-1, side) @ waves.T
    return values.reshape(FREQUENCIES, number, count, FREQUENCIES, number).astype(np.float32, copy=False)


@cache
def _waves_of_windows(side: int) -> FloatArray:
    windows = _windows()
    return _waves(windows.start, windows.length, side).reshape(-1, side)


def _window_keys(frequencies: FloatArray, shape: FloatArray) -> Keys:
    """The keys of every window of a block, (W * B * W,): its rows, the picture, its columns."""
    _, count, pictures, _, _ = frequencies.shape
    signs = np.zeros((count, pictures, count), np.uint32)
    for bit, (vertical, horizontal) in enumerate(_key_frequencies()):
        signs |= (frequencies[vertical, :, :, horizontal, :] > 0).view(np.uint8) * np.uint32(1 << bit)
    level = _windows().level
    shapes = np.rint(shape).astype(np.int64)[:, None] + (level[:, None] - level)[:, None, :]
    return _with_shape(signs.astype(np.uint64), shapes).ravel()


def _compared(
    found: NDArray[np.void], thumbnails: Bytes, aspect: FloatArray, tick: Callable[[], None]
) -> Iterator[Crop]:
    windows = _windows()
    for at in range(0, len(found), 2048):
        tick()
        block = found[at : at + 2048]
        part, whole = block["part"], block["whole"]
        shape = (aspect[part] / aspect[whole]).astype(np.float32)
        x, y = block["x"], block["y"]
        centre = np.stack([windows.start[i] + windows.length[i] / 2 for i in (x, y)], axis=1)
        scale = np.sqrt(windows.length[x] * windows.length[y]).astype(np.float32)
        matches = refined(
            thumbnails[part].astype(np.float32), thumbnails[whole].astype(np.float32), shape, centre, scale, 8, 1
        )
        for number in np.flatnonzero(matches.correlation >= NEARLY).tolist():
            region = matches.region(number, float(shape[number]))
            yield Crop(int(part[number]), int(whole[number]), region, float(1 - matches.correlation[number]))

"""Breaks files on purpose, reproducibly: the same random seed gives the same broken file."""

from __future__ import annotations

import random
import struct
import zlib

_EXTREMES = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0\0",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
]


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to eight changes; some splice in a part of one of `others`."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not broken:
            break
        at = _place(broken, rng)
        kind = rng.randrange(9)
        if kind == 0:
            broken[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            broken[at] = rng.randrange(256)
        elif kind == 2:
            part = rng.choice(_EXTREMES)
            broken[at : at + len(part)] = part
        elif kind == 3:
            del broken[at:]
        elif kind == 4:
            del broken[at : at + rng.randrange(1, 40)]
        elif kind == 5:
            broken[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 6:
            length = rng.randrange(1, 60)
            source = rng.randrange(len(broken))
            broken[at : at + length] = broken[source : source + length]
        elif kind == 7:
            other = rng.choice(others)
            source = rng.randrange(len(other))
            broken[at:] = other[source:]
        else:
            start = at & ~3
            value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 65535, 10**6, rng.getrandbits(32)))
            broken[start : start + 4] = struct.pack(rng.choice("<>") + "I", value)
    if broken[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.7:
        return _with_checksums(bytes(broken))
    return bytes(broken)


def flip(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to three other bytes; its length stays."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        broken[rng.randrange(len(broken))] = rng.randrange(256)
    return bytes(broken)


def _place(data: bytearray, rng: random.Random) -> int:
    """Half of all changes are in the first 100 bytes: headers decide most."""
    return rng.randrange(min(len(data), 100)) if rng.random() < 0.5 else rng.randrange(len(data))


def _with_checksums(png: bytes) -> bytes:
    """A PNG with correct checksums, or decoders would stop at the first broken chunk."""
    out = bytearray(png[:8])
    at = 8
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        out += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out) + png[at:]

"""A picture's thumbnail as the score store keeps it."""

from __future__ import annotations

import zlib

#: Raise it with any change of how `images.thumbnail` makes them: older ones are then made anew.
THUMBNAIL_VERSION = 1
#: Bytes of a thumbnail that is kept: one of noise has 25,000.
LARGEST_THUMBNAIL = 65_536

_HEAD = 5  # crc32, version


def pack_thumbnail(thumbnail: bytes, picture: bytes) -> bytes:
    """The bytes of a row, with the crc32 of the picture's sha256 and of the rest before them."""
    body = bytes([THUMBNAIL_VERSION]) + thumbnail
    return zlib.crc32(body, zlib.crc32(picture)).to_bytes(4, "little") + body


def unpack_thumbnail(packed: bytes, picture: bytes) -> bytes | None:
    """The thumbnail, or None when the bytes are not what was written, or of another version."""
    body = packed[4:]
    if not _HEAD < len(packed) <= _HEAD + LARGEST_THUMBNAIL or body[0] != THUMBNAIL_VERSION:
        return None
    if int.from_bytes(packed[:4], "little") != zlib.crc32(body, zlib.crc32(picture)):
        return None
    return body[1:]

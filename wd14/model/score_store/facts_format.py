"""A picture's facts as the score store keeps them."""

from __future__ import annotations

import struct
import zlib

from wd14.types import THUMBNAIL_SIDE, PictureFacts

#: Raise it with any change of what `images.facts` computes, or of these bytes: older facts are then computed anew.
FACTS_VERSION = 1

_CRC = struct.Struct("<I")
#: The version, width, height and sharpness; the thumbnail follows.
_HEAD = struct.Struct("<BIIf")


def pack_facts(facts: PictureFacts, picture: bytes) -> bytes:
    """The bytes of a row, with the crc32 of the picture's sha256 and of the rest before them."""
    body = _HEAD.pack(FACTS_VERSION, facts.width, facts.height, facts.sharpness) + facts.thumbnail
    return _CRC.pack(zlib.crc32(body, zlib.crc32(picture))) + body


def unpack_facts(packed: bytes, picture: bytes) -> PictureFacts | None:
    """The facts, or None when the bytes are not what was written, or of another version."""
    body = packed[_CRC.size :]
    if len(body) != _HEAD.size + THUMBNAIL_SIDE**2 or body[0] != FACTS_VERSION:
        return None
    if _CRC.unpack_from(packed)[0] != zlib.crc32(body, zlib.crc32(picture)):
        return None
    _, width, height, sharpness = _HEAD.unpack_from(body)
    return PictureFacts(width, height, sharpness, body[_HEAD.size :])

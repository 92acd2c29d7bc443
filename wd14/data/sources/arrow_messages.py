"""How much the compressed messages of an Arrow file claim to hold: Arrow unpacks each as a whole, whatever it claims.

Messages and footers are FlatBuffers (Arrow's `Message.fbs`, `File.fbs`), of which a few fields are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Self

from wd14.data.sources.base import MOST_INFLATION
from wd14.images.reading import MAX_BYTES

_DICTIONARY, _RECORDS = 2, 3  # kinds of messages that have a body
_MAGIC = b"ARROW1"
_BLOCK = struct.Struct("<qi4xq")  # where a message is, bytes of its description, bytes of its body


def check_messages(file: Any, *, is_stream: bool) -> None:
    """Reads what the messages of an open Arrow file declare; nothing is unpacked.

    Raises:
        ValueError: one of them claims too much, or is damaged.
        ArrowException: one of them is damaged.
    """
    kept_packed = kept_unpacked = 0  # dictionaries stay in memory with every record batch
    try:
        for message in _stream_messages(file) if is_stream else _file_messages(file):
            packed, unpacked = _sizes(message)
            packed, unpacked = packed + kept_packed, unpacked + kept_unpacked
            if message.type == "dictionary":
                kept_packed, kept_unpacked = packed, unpacked
            if unpacked > MOST_INFLATION * packed + MAX_BYTES:
                raise ValueError(
                    f"a part of it would have {unpacked:,} bytes unpacked,"
                    f" over {MOST_INFLATION} times its own {packed:,}"
                )
    except (struct.error, EOFError) as error:
        raise ValueError("the description of a part of it is damaged") from error


def _stream_messages(file: Any) -> Iterator[Any]:
    import pyarrow as pa

    file.seek(0)
    yield from pa.ipc.MessageReader.open_stream(file)


def _file_messages(file: Any) -> Iterator[Any]:
    """The messages that the footer at the end of a file lists."""
    import pyarrow as pa

    size = file.size()
    tail = len(_MAGIC) + 4
    file.seek(max(0, size - tail))
    (length,) = struct.unpack_from("<i", file.read(tail))
    if not 0 < length <= size - tail:
        raise ValueError("its end is missing")
    file.seek(size - tail - length)
    footer = _Table.root(file.read(length))
    for field in (2, 3):  # dictionaries, record batches
        start, count = footer.vector(field)
        for number in range(count):
            place, _, _ = _BLOCK.unpack_from(footer.data, start + number * _BLOCK.size)
            file.seek(place)
            yield pa.ipc.read_message(file)


def _sizes(message: Any) -> tuple[int, int]:
    """The bytes of a message's body, as it is and unpacked."""
    description = _Table.root(message.metadata.to_pybytes())
    kind = description.number(1, "<B")
    if kind not in (_DICTIONARY, _RECORDS) or message.body is None:
        return 0, 0
    batch = description.table(2)
    if kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if batch is None or batch.table(3) is None:  # not compressed
        return message.body.size, message.body.size
    unpacked, body = 0, memoryview(message.body)
    start, count = batch.vector(2)
    for number in range(count):
        place, length = struct.unpack_from("<qq", batch.data, start + 16 * number)
        if length:
            (claimed,) = struct.unpack_from("<q", body, place)
            if claimed < -1:
                raise ValueError("a part of it claims to have less than no bytes")
            unpacked += length if claimed == -1 else claimed  # -1: this one is not compressed
    return message.body.size, unpacked


class _Table:
    """A table of a FlatBuffer.

    Raises (in each method):
        struct.error: it is damaged.
    """

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self._place = place

    @classmethod
    def root(cls, data: bytes) -> Self:
        """The outermost table."""
        return cls(data, struct.unpack_from("<I", data)[0])

    def _field(self, number: int) -> int | None:
        """Where a field is; None where it is left out."""
        fields = self._place - struct.unpack_from("<i", self.data, self._place)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", self.data, fields)[0]:
            return None
        offset: int = struct.unpack_from("<H", self.data, fields + 4 + 2 * number)[0]
        return self._place + offset if offset else None

    def number(self, number: int, kind: str) -> int:
        """A number in a field, 0 where it is left out."""
        place = self._field(number)
        return 0 if place is None else struct.unpack_from(kind, self.data, place)[0]

    def table(self, number: int) -> _Table | None:
        """The table that a field refers to."""
        place = self._field(number)
        return None if place is None else _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def vector(self, number: int) -> tuple[int, int]:
        """Where the list of a field begins, and how many there are in it."""
        place = self._field(number)
        if place is None:
            return 0, 0
        start = place + struct.unpack_from("<I", self.data, place)[0]
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

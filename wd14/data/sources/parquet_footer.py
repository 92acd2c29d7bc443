"""pyarrow 19.0.0 refuses the size statistics that later versions write: a footer without them.

See github.com/apache/arrow/issues/45283. The classic host pins that version, and most Parquet files of today have such
statistics. They are field 16 of ColumnMetaData in a Parquet footer (apache/parquet-format, `parquet.thrift`), which is
written in Thrift's compact protocol (apache/thrift, `doc/specs/thrift-compact-protocol.md`).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

#: The way of fields from FileMetaData to ColumnMetaData: row_groups, columns, meta_data.
_COLUMN_META_DATA = (4, 1, 3)
_SIZE_STATISTICS = 16
_LARGEST_FOOTER = 64 << 20
_DEEPEST = 32

_BOOLEANS, _BYTE, _DOUBLE, _BINARY, _LISTS, _STRUCT = (1, 2), 3, 7, 8, (9, 10), 12
_VARINTS = (4, 5, 6)


def readable_metadata(path: Path) -> Any:
    """The file's metadata for `pyarrow.parquet.ParquetFile`, where the installed version needs help; else None."""
    import pyarrow as pa

    if pa.__version__ != "19.0.0":
        return None
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        if size < 12:
            return None
        file.seek(size - 8)
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > min(size - 12, _LARGEST_FOOTER):
            return None
        file.seek(size - 8 - length)
        footer = file.read(length)
    try:
        footer = without_size_statistics(footer)
    except (IndexError, ValueError):  # no footer that this can read: pyarrow says what is wrong with it
        return None
    whole = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    return pq.read_metadata(io.BytesIO(whole))


def without_size_statistics(footer: bytes) -> bytes:
    """A footer without the size statistics of its columns.

    Raises:
        IndexError, ValueError: it is no footer.
    """
    rewriter = _Rewriter(footer)
    rewriter.struct(())
    return bytes(rewriter.out)


class _Rewriter:
    """Copies a Thrift structure, field by field."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.out = bytearray()

    def struct(self, way: tuple[int, ...]) -> None:
        """Copies a structure; `way` is the numbers of the fields that led to it."""
        if len(way) > _DEEPEST:
            raise ValueError("nested too deeply")
        read = written = 0
        while head := self._byte():
            kind = head & 15
            read = read + (head >> 4) if head >> 4 else self._zigzag()
            start = len(self.out)
            self._head(read, read - written, kind)
            self._value(kind, (*way, read))
            if way == _COLUMN_META_DATA and read == _SIZE_STATISTICS:
                del self.out[start:]
            else:
                written = read
        self.out.append(0)

    def _head(self, field: int, step: int, kind: int) -> None:
        if 0 < step < 16:
            self.out.append(step << 4 | kind)
        else:
            self.out.append(kind)
            self._put_varint(field << 1 if field >= 0 else (-field << 1) - 1)

    def _value(self, kind: int, way: tuple[int, ...]) -> None:
        if kind in _VARINTS:
            self._put_varint(self._varint())
        elif kind == _BINARY:
            length = self._varint()
            self._put_varint(length)
            self._copy(length)
        elif kind == _STRUCT:
            self.struct(way)
        elif kind in _LISTS:
            self._list(way)
        elif kind in (_BYTE, _DOUBLE):
            self._copy(1 if kind == _BYTE else 8)
        elif kind not in _BOOLEANS:  # a map: Parquet has none
            raise ValueError(f"unexpected type {kind}")

    def _list(self, way: tuple[int, ...]) -> None:
        head = self._byte()
        count, kind = head >> 4, head & 15
        self.out.append(head)
        if count == 15:
            count = self._varint()
            self._put_varint(count)
        for _ in range(count):
            if kind in _BOOLEANS:  # a byte each inside a list
                self._copy(1)
            else:
                self._value(kind, way)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _copy(self, length: int) -> None:
        if self._at + length > len(self._data):
            raise ValueError("cut off")
        self.out += self._data[self._at : self._at + length]
        self._at += length

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _put_varint(self, value: int) -> None:
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

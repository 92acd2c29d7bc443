"""How much the pages of a Parquet file hold when they are unpacked. Its footer says so too, and need not be true.

Footers and the headers of pages are structs of Thrift's compact protocol (`parquet.thrift`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

#: A struct's fields by their number: what they hold, or where they are wanted their kind, or the fields in them.
_Fields = dict[int, Any]

_TRUE, _FALSE, _INT8, _INT16, _INT32, _INT64, _DOUBLE, _BYTES, _LIST, _SET, _, _STRUCT = range(1, 13)  # kinds
_VALUES, _PACKED, _DATA, _DICTIONARY = 5, 7, 9, 11  # fields of a ColumnMetaData
_FOOTER: _Fields = {4: {1: {3: dict.fromkeys((_VALUES, _PACKED, _DATA, _DICTIONARY), _INT64)}}}  # row groups, columns
_HEADER: _Fields = {2: _INT32, 3: _INT32, 5: {1: _INT32}, 8: {1: _INT32}}  # sizes; values of data pages, two versions

#: Bytes of a page's header; nearly all are short.
_USUAL_HEADER, _LONGEST_HEADER = 1 << 10, 16 << 20
#: Bytes that a value of a list takes while it is read, whatever it is: two levels, and a place.
_VALUE = 12
_MOST_LEVELS = 32


def row_groups(file: BinaryIO) -> list[_Fields]:
    """The row groups that a footer names, for `unpacked_size`.

    Args:
        file: opened by pyarrow already, so its end is whole.

    Raises:
        ValueError: the footer is damaged.
    """
    file.seek(-8, 2)
    (length,) = struct.unpack_from("<I", file.read(4))
    file.seek(-8 - length, 2)
    groups: list[_Fields] = _read(file.read(length), _FOOTER)[0].get(4, [])
    return groups


def extent(groups: Sequence[_Fields]) -> tuple[int, int]:
    """The bytes of a file that row groups take: from where, up to where; (0, 0) of none.

    Raises:
        ValueError: they say that they lie nowhere in a file.
    """
    columns = [chunk.get(3, {}) for group in groups for chunk in group.get(1, ())]
    begins, ends = [], []
    for column in columns:
        begin, packed = _start(column), column.get(_PACKED, 0)
        if begin < 0 or packed < 0:
            raise ValueError("the description of a row group is damaged")
        begins.append(begin)
        ends.append(begin + packed)
    return min(begins, default=0), max(ends, default=0)


def unpacked_size(file: BinaryIO, group: _Fields, columns: Mapping[int, bool]) -> int:
    """The bytes that some columns of a row group have when they are unpacked.

    Args:
        file: as for `row_groups`.
        group: one of them.
        columns: numbers of the columns that are read, and whether their rows may have many values.

    Raises:
        ValueError: the header of a page is damaged.
    """
    size = 0
    for number, chunk in enumerate(group.get(1, ())):
        if number in columns:
            for unpacked, values in _pages(file, chunk.get(3, {})):
                size += unpacked + (_VALUE * values if columns[number] else 0)
    return size


def _pages(file: BinaryIO, column: _Fields) -> Iterator[tuple[int, int]]:
    """The unpacked bytes and the values of each page of a column, up to the last that pyarrow reads."""
    place = _start(column)
    end, left = place + column.get(_PACKED, 0), column.get(_VALUES, 0)
    while left > 0 and place < end:
        header, length = _page_header(file, place)
        values = (header.get(5) or header.get(8) or {}).get(1, 0)
        unpacked, packed = header.get(2, 0), header.get(3, 0)
        if min(values, unpacked, packed) < 0:
            raise ValueError("the header of a page is damaged")
        yield unpacked, values
        place, left = place + length + packed, left - values


def _start(column: _Fields) -> int:
    """Where the first page of a column is."""
    place: int = column.get(_DATA, 0)
    dictionary: int = column.get(_DICTIONARY, 0)
    return dictionary if 0 < dictionary < place else place


def _page_header(file: BinaryIO, place: int) -> tuple[_Fields, int]:
    file.seek(place)
    start = file.read(_USUAL_HEADER)
    try:
        return _read(start, _HEADER)
    except ValueError:
        return _read(start + file.read(_LONGEST_HEADER), _HEADER)


def _read(data: bytes, wanted: _Fields) -> tuple[_Fields, int]:
    """The wanted fields of a struct, and its length.

    Raises:
        ValueError: it is damaged, or cut off.
    """
    reader = _Reader(data)
    try:
        return reader.fields(wanted, _MOST_LEVELS), reader.place
    except IndexError as error:
        raise ValueError("the description of a part of it is damaged") from error


class _Reader:
    """Reads Thrift's compact protocol.

    Raises (in every method):
        IndexError: the data end before.
        ValueError: they are nothing of this protocol.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def fields(self, wanted: _Fields, levels: int) -> _Fields:
        """A struct's fields; those that are not wanted are skipped."""
        if levels == 0:
            raise ValueError("a part of it is nested too deeply")
        found: _Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            expected = wanted.get(number)
            is_expected = kind in (_LIST, _STRUCT) if isinstance(expected, dict) else kind == expected
            if expected is not None and (number in found or not is_expected):
                raise ValueError(f"its field {number} is there twice, or of the wrong kind")
            # A truth value has no bytes in a struct: its kind says it.
            value = None if kind in (_TRUE, _FALSE) else self._value(kind, expected, levels - 1)
            if expected is not None:
                found[number] = value
        return found

    def _value(self, kind: int, wanted: Any, levels: int) -> Any:
        if kind in (_TRUE, _FALSE, _INT8):
            return self._byte()
        if kind in (_INT16, _INT32, _INT64):
            return self._number()
        if kind in (_DOUBLE, _BYTES):
            return self._bytes(8 if kind == _DOUBLE else self._size())
        if kind in (_LIST, _SET):
            return self._list(wanted, levels)
        if kind == _STRUCT:
            return self.fields(wanted if isinstance(wanted, dict) else {}, levels)
        raise ValueError(f"a part of it has the unknown kind {kind}")

    def _list(self, wanted: Any, levels: int) -> list[Any]:
        if levels == 0:
            raise ValueError("a part of it is nested too deeply")
        head = self._byte()
        kind, length = head & 15, head >> 4 if head >> 4 < 15 else self._size()
        if isinstance(wanted, dict) and length and kind != _STRUCT:
            raise ValueError("a list of it is of the wrong kind")
        return [self._value(kind, wanted, levels - 1) for _ in range(length)]

    def _byte(self) -> int:
        value = self._data[self.place]
        self.place += 1
        return value

    def _bytes(self, length: int) -> bytes:
        start, self.place = self.place, self.place + length
        if self.place > len(self._data):
            raise IndexError
        return self._data[start : self.place]

    def _size(self) -> int:
        """A number without a sign."""
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a number of it is damaged")

    def _number(self) -> int:
        value = self._size()
        return -(value >> 1) - 1 if value & 1 else value >> 1

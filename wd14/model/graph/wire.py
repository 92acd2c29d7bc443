"""Protobuf's wire format: messages read from a mapped file, within limits, and written."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from wd14.errors import ModelContractError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

#: Limits of what is read of a file, far above what taggers have (some ten thousand parts): fields of messages, and
#: bytes of names, which cost time and memory here.
MOST_FIELDS = 2_000_000
MOST_TEXT = 64 << 20

Span = tuple[int, int]
"""Where a part of the file begins and ends."""

Field = tuple[int, int, int, int, int]
"""Number, wire type, the integer of a VARINT (else 0), and where the content begins and ends. A field begins where the
one before it ends."""


class WireReader:
    """Reads the messages of one file. Every method raises ModelContractError where the file is damaged or too much.

    A field costs about a microsecond, whatever its size.
    """

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path = path
        self.data = data
        self._fields = self._text_bytes = 0  # read so far

    def fields(self, span: Span) -> Iterator[Field]:
        """The fields of a message, in their order."""
        data = self.data
        at, end = span
        while at < end:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise self.too_much(f"over {MOST_FIELDS:,} parts")
            key = data[at]
            key, at = (key, at + 1) if key < 0x80 else self.varint(at, end)
            value, wire = 0, key & 7
            start = at
            if wire == VARINT:
                value, at = self.varint(at, end)
            elif wire == BYTES:
                length, start = self.varint(at, end)
                at = start + length
            elif wire in (FIXED32, FIXED64):
                at += 4 if wire == FIXED32 else 8
            else:
                raise self.no_model(at)
            if at > end:
                raise self._damaged(at, len(data))
            yield key >> 3, wire, value, start, at

    def read(self, span: Span) -> tuple[dict[int, int], defaultdict[int, list[Span]]]:
        """The fields of a message by number: those that hold an integer, the last counts; and those that hold bytes."""
        numbers: dict[int, int] = {}
        parts: defaultdict[int, list[Span]] = defaultdict(list)
        for number, wire, value, start, end in self.fields(span):
            if wire == VARINT:
                numbers[number] = value
            elif wire == BYTES:
                parts[number].append((start, end))
        return numbers, parts

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The integer that begins there, and where it ends."""
        data = self.data
        value = shift = 0
        while at < end:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
            if shift > 63:
                raise self.no_model(at)
        raise self._damaged(at + 1, len(data))

    def integers(self, span: Span, wanted: int) -> tuple[int, ...]:
        """A repeated field of int64s, packed or not."""
        found: list[int] = []
        for number, wire, value, start, end in self.fields(span):
            if number == wanted and wire == VARINT:
                found.append(signed(value))
            while number == wanted and wire == BYTES and start < end:
                packed, start = self.varint(start, end)
                found.append(signed(packed))
        return tuple(found)

    def content(self, span: Span) -> bytes:
        """The bytes of a part."""
        return self.data[slice(*span)]

    def text(self, span: Span, errors: str = "surrogateescape") -> str:
        """A part as text; `errors` says what becomes of what is no UTF-8 (by default it survives writing)."""
        self._text_bytes += span[1] - span[0]
        if self._text_bytes > MOST_TEXT:
            raise self.too_much(f"over {MOST_TEXT:,} bytes of names")
        return self.content(span).decode("utf-8", errors)

    def too_much(self, what: str) -> ModelContractError:
        """The error for something that is legal, and that no tagger has."""
        return ModelContractError(f"{self.path} has {what}, which no tagger has; such models are not opened")

    def no_model(self, at: int) -> ModelContractError:
        """The error for what protobuf would not write."""
        return ModelContractError(f"{self.path} is not an ONNX model (unexpected content at byte {at})")

    def _damaged(self, wanted: int, size: int) -> ModelContractError:
        if wanted > size:
            return ModelContractError(
                f"{self.path} is cut off or no ONNX model: it goes on to byte {wanted:,} at least, and has {size:,};"
                " download it again"
            )
        return ModelContractError(f"{self.path} is damaged or no ONNX model; download it again")


def signed(value: int) -> int:
    """A varint as an int64."""
    return value if value < 1 << 63 else value - (1 << 64)


def varint(value: int) -> bytes:
    """An integer of at most 64 bits, as it is written."""
    value &= (1 << 64) - 1
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def integer_field(number: int, value: int) -> bytes:
    """A field that holds an integer."""
    return varint(number << 3 | VARINT) + varint(value)


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, or a message."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def text_field(number: int, text: str) -> bytes:
    """A field that holds text."""
    return bytes_field(number, text.encode("utf-8", "surrogateescape"))


def fixed32_field(number: int, content: bytes) -> bytes:
    """A field of four bytes."""
    return varint(number << 3 | FIXED32) + content

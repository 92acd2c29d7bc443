"""Weights of a graph: where each lies, its value, and how it is written without being copied."""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ModelContractError
from wd14.model.graph.schema import DOUBLE, FLOAT, FLOAT16, NUMPY_TYPES, STRING, Entry, Tensor
from wd14.model.graph.wire import Span, WireReader, bytes_field, integer_field, text_field
from wd14.regular_files import open_file

#: Weights of so many bytes may stay in their file; smaller ones are copied into the edited model.
STAYS_FROM = 1024

_EXTERNAL = 1  # of TensorProto.DataLocation
_LONGEST_NUMBER = 18  # digits of an offset
_MOST_AXES = 32  # numpy's limit before version 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight's bytes lie, little-endian and without gaps."""

    file: Path  #: without links
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight: at a place, in memory, or as its message was read."""

    element: int  #: TensorProto.DataType
    shape: tuple[int, ...]
    place: Place | None = None
    content: bytes | None = None  #: little-endian
    message: Span | None = None  #: TensorProto in the model's file, of which only ONNX knows how to read it

    def to_message(self, name: str, reader: WireReader, folder: Path | None) -> bytes:
        """The TensorProto; its bytes stay in their file if a folder is given, which the file is then named from."""
        if self.message is not None:
            return _named(name, self.message, reader)
        if self.place is None or folder is None or not self.is_large:
            content = self.content if self.place is None else read_place(self.place, reader)
            return raw_message(name, self.element, self.shape, content or b"")
        written = _head(name, self.element, self.shape)
        location = self.place.file.relative_to(folder).as_posix()
        entries = {"location": location, "offset": str(self.place.offset), "length": str(self.place.length)}
        for key, value in entries.items():
            pair = text_field(Entry.KEY, key) + text_field(Entry.VALUE, value)
            written += bytes_field(Tensor.EXTERNAL, pair)
        return written + integer_field(Tensor.LOCATION, _EXTERNAL)

    def value(self, reader: WireReader) -> NDArray[Any] | None:
        """The value; None where numpy has no such type, or the bytes do not fit the shape."""
        kind = NUMPY_TYPES.get(self.element)
        if kind is None:
            return None
        if self.message is not None:
            return _listed_value(self, reader, kind)
        content = self.content if self.place is None else read_place(self.place, reader)
        if content is None or len(content) != np.dtype(kind).itemsize * self.size:
            return None
        return np.frombuffer(content, kind).reshape(self.shape)

    @property
    def is_large(self) -> bool:
        """Whether it lies in a file and stays there."""
        return self.place is not None and self.place.length >= STAYS_FROM

    @property
    def fills_its_place(self) -> bool:
        """Whether it can be used where it lies: as many numbers as fit there, in a type that numpy has."""
        kind = NUMPY_TYPES.get(self.element)
        if kind is None or self.place is None:
            return False
        return self.place.length == np.dtype(kind).itemsize * self.size

    @property
    def copied(self) -> int:
        """Bytes that have to be copied to write it, where it does not stay in its file."""
        if self.message is not None:
            return self.message[1] - self.message[0]
        return self.place.length if self.place is not None else len(self.content or b"")

    @property
    def size(self) -> int:
        """How many numbers it has; -1 where the shape is none."""
        return math.prod(self.shape) if len(self.shape) <= _MOST_AXES and min(self.shape, default=0) >= 0 else -1


def raw_message(name: str, element: int, shape: tuple[int, ...], content: bytes) -> bytes:
    """The TensorProto of a weight whose bytes are in it."""
    return _head(name, element, shape) + bytes_field(Tensor.RAW, content)


def _head(name: str, element: int, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(integer_field(Tensor.DIMS, side) for side in shape)
    return sides + integer_field(Tensor.TYPE, element) + (text_field(Tensor.NAME, name) if name else b"")


def read_place(place: Place, reader: WireReader) -> bytes:
    """The bytes there. Raises ModelContractError where they cannot be read."""
    if place.file == reader.path:
        return reader.content((place.offset, place.offset + place.length))
    try:
        with open_file(place.file) as file:
            file.seek(place.offset)
            return file.read(place.length)
    except OSError as error:
        raise ModelContractError(f"{place.file} cannot be read: {error.strerror or error}") from error


def weight_of(value: NDArray[Any]) -> Weight:
    """A weight in memory. Raises ValueError where ONNX has no such type."""
    kind = value.dtype.newbyteorder("<").str
    element = next((number for number, name in NUMPY_TYPES.items() if name == kind), None)
    if element is None:
        raise ValueError(f"expected numbers or truth values, got {value.dtype}")
    return Weight(element, value.shape, content=value.astype(kind, order="C", copy=False).tobytes())


def read_weight(reader: WireReader, span: Span, folder: Path) -> tuple[str, Weight]:
    """A weight and its name, from its TensorProto.

    Args:
        reader: of the model's file, by its path without links.
        span: of the message.
        folder: that other files with weights are named from.

    Raises:
        ModelContractError: text, or a place in another file that can be none.
    """
    numbers, parts = reader.read(span)
    element = numbers.get(Tensor.TYPE, 0)
    if element == STRING or parts[Tensor.STRINGS]:
        raise reader.too_much("text in it")
    name = reader.text(parts[Tensor.NAME][-1]) if parts[Tensor.NAME] else ""
    shape = reader.integers(span, Tensor.DIMS)
    if numbers.get(Tensor.LOCATION) == _EXTERNAL:
        return name, Weight(element, shape, place=_external(reader, parts[Tensor.EXTERNAL], folder))
    packed = {FLOAT: Tensor.FLOATS, DOUBLE: Tensor.DOUBLES}.get(element, Tensor.RAW)  # the same bytes as raw ones
    for number in (Tensor.RAW, packed):
        if len(parts[number]) == 1:
            start, end = parts[number][0]
            return name, Weight(element, shape, place=Place(reader.path, start, end - start))
    if parts[Tensor.RAW]:
        raise reader.no_model(span[0])
    return name, Weight(element, shape, message=span)


def _external(reader: WireReader, pairs: list[Span], folder: Path) -> Place:
    entries: dict[str, str] = {}
    for pair in pairs:
        _, parts = reader.read(pair)
        key, value = (reader.text(parts[number][-1]) if parts[number] else "" for number in (Entry.KEY, Entry.VALUE))
        entries[key] = value
    try:
        file = (folder / entries.get("location", "")).resolve()
        status = file.stat()
    except (OSError, ValueError) as error:
        raise ModelContractError(f"{reader.path} keeps weights in a file that is not there") from error
    offset = _number(entries.get("offset", ""))
    length = _number(entries.get("length", ""), status.st_size - offset)
    if not (stat.S_ISREG(status.st_mode) and 0 <= length <= status.st_size - offset):
        raise ModelContractError(f"{reader.path} keeps weights in a file that does not hold them")
    return Place(file, offset, length)


def _number(text: str, absent: int = 0) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else absent


def _listed_value(weight: Weight, reader: WireReader, kind: str) -> NDArray[Any] | None:
    """The value of a message that lists its numbers one by one."""
    span = weight.message or (0, 0)
    if weight.element in (FLOAT, DOUBLE):
        wanted = Tensor.FLOATS if weight.element == FLOAT else Tensor.DOUBLES
        spans = [(start, end) for number, _, _, start, end in reader.fields(span) if number == wanted]
        flat = np.frombuffer(b"".join(map(reader.content, spans)), kind)
    else:
        lists = (reader.integers(span, number) for number in (Tensor.INT32S, Tensor.INT64S, Tensor.UINT64S))
        listed = next(filter(None, lists), ())
        bits = "<u2" if weight.element == FLOAT16 else kind  # float16 is listed by its bits
        modulus = 1 << 64
        flat = np.array([number % modulus for number in listed], np.uint64).astype(bits).view(kind)
    return flat.reshape(weight.shape) if flat.size == weight.size else None


def _named(name: str, span: Span, reader: WireReader) -> bytes:
    """A TensorProto as it was read, with another name."""
    kept = []
    begin = span[0]
    for number, _, _, _, end in reader.fields(span):
        if number not in (Tensor.NAME, Tensor.DOC):
            kept.append(reader.content((begin, end)))
        begin = end
    return b"".join(kept) + text_field(Tensor.NAME, name)

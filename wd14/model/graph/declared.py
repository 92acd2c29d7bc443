"""Inputs and outputs as a graph declares them: read, and written with another type."""

from __future__ import annotations

from dataclasses import dataclass

from wd14.model.graph.schema import Value
from wd14.model.graph.wire import Span, WireReader, bytes_field, integer_field, text_field


@dataclass(frozen=True, slots=True)
class DeclaredValue:
    """An input or output."""

    name: str
    element: int | None  #: TensorProto.DataType; None = no tensor
    shape: bytes | None  #: TensorShapeProto, as it was read
    message: bytes  #: ValueInfoProto, as it was read
    rank: int | None = None  #: how many axes it has; None = not declared

    def to_message(self) -> bytes:
        """The ValueInfoProto, without its description."""
        if self.element is None:
            return self.message
        tensor = integer_field(Value.ELEMENT, self.element)
        tensor += b"" if self.shape is None else bytes_field(Value.SHAPE, self.shape)
        kind = bytes_field(Value.TYPE_TENSOR, tensor)
        return text_field(Value.NAME, self.name) + bytes_field(Value.TYPE, kind)


def declare(name: str, element: int, shape: tuple[int, ...]) -> bytes:
    """The ValueInfoProto of an input of this shape."""
    sides = (bytes_field(Value.SIDE, integer_field(Value.SIDE_VALUE, side)) for side in shape)
    return DeclaredValue(name, element, b"".join(sides), b"").to_message()


def read_declared(reader: WireReader, span: Span) -> DeclaredValue:
    """An input or output, from its ValueInfoProto."""
    _, value = reader.read(span)
    name = reader.text(value[Value.NAME][-1]) if value[Value.NAME] else ""
    element: int | None = None
    shape: bytes | None = None
    rank: int | None = None
    for outer in value[Value.TYPE]:
        for inner in reader.read(outer)[1][Value.TYPE_TENSOR]:
            numbers, tensor = reader.read(inner)
            element = numbers.get(Value.ELEMENT, 0)
            shape = reader.content(tensor[Value.SHAPE][-1]) if tensor[Value.SHAPE] else None
            rank = len(reader.read(tensor[Value.SHAPE][-1])[1][Value.SIDE]) if tensor[Value.SHAPE] else None
    return DeclaredValue(name, element, shape, reader.content(span), rank)

"""Nodes of a graph: read, and written again."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wd14.errors import ModelContractError
from wd14.model.graph import schema
from wd14.model.graph.schema import Attribute, AttributeType
from wd14.model.graph.weights import Weight, raw_message, read_weight, weight_of
from wd14.model.graph.wire import (
    BYTES,
    FIXED32,
    Span,
    WireReader,
    bytes_field,
    fixed32_field,
    integer_field,
    signed,
    text_field,
)

#: Elements of a tensor that is read as the value of an attribute, and bytes of an attribute that is kept as it is.
_MOST_ELEMENTS = 65_536
_MOST_BYTES = 1 << 20


@dataclass(slots=True)
class Node:
    """A node of the graph."""

    operator: str
    inputs: list[str]  #: "" where an optional one is left out
    outputs: list[str]
    domain: str = ""
    name: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)  #: int, float, bytes, tuples of these, NDArray (a small
    #: tensor); others are kept as the bytes that they were read as (`RawAttribute`)
    rest: bytes = b""  #: other fields, as they were read


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """An attribute that is written as it was read."""

    message: bytes


_IN_A_WEIGHT = RawAttribute(b"")


def read_node(reader: WireReader, span: Span, folder: Path) -> tuple[Node, Weight | None]:
    """A node; and its value as a weight where it is a constant.

    Raises:
        ModelContractError: it is damaged, or has graphs of its own.
    """
    node = Node("", [], [])
    constant = None
    begin = span[0]
    for number, wire, _, start, end in reader.fields(span):
        part = (start, end)
        if wire != BYTES:
            node.rest += reader.content((begin, end))
        elif number == schema.Node.INPUT:
            node.inputs.append(reader.text(part))
        elif number == schema.Node.OUTPUT:
            node.outputs.append(reader.text(part))
        elif number == schema.Node.OPERATOR:
            node.operator = reader.text(part)
        elif number == schema.Node.NAME:
            node.name = reader.text(part)
        elif number == schema.Node.DOMAIN:
            node.domain = reader.text(part)
        elif number == schema.Node.ATTRIBUTE:
            name, value, tensor = _read_attribute(reader, part, folder)
            constant = tensor if name == "value" else constant
            node.attributes[name] = _raw(reader, part, constant) if value is None else value
        elif number not in (schema.Node.DOC, schema.Node.METADATA):
            node.rest += reader.content((begin, end))
        begin = end
    if node.operator != "Constant" or node.domain not in ("", "ai.onnx") or len(node.outputs) != 1:
        if any(value is _IN_A_WEIGHT for value in node.attributes.values()):
            raise ModelContractError(f"{reader.path} has a large tensor in a {node.operator}: it cannot be edited")
        return node, None
    return node, constant or _constant(node.attributes)


def write_node(node: Node) -> bytes:
    """The NodeProto."""
    return b"".join(
        (
            *(text_field(schema.Node.INPUT, name) for name in node.inputs),
            *(text_field(schema.Node.OUTPUT, name) for name in node.outputs),
            text_field(schema.Node.NAME, node.name),
            text_field(schema.Node.OPERATOR, node.operator),
            text_field(schema.Node.DOMAIN, node.domain) if node.domain else b"",
            *(
                bytes_field(schema.Node.ATTRIBUTE, _write_attribute(name, value))
                for name, value in node.attributes.items()
            ),
            node.rest,
        )
    )


def _raw(reader: WireReader, span: Span, constant: Weight | None) -> RawAttribute:
    """An attribute as it was read; nothing for a constant's value of any size, which becomes a weight."""
    if constant is not None:
        return _IN_A_WEIGHT
    if span[1] - span[0] > _MOST_BYTES:
        raise ModelContractError(f"{reader.path} has an attribute of {span[1] - span[0]:,} bytes: it cannot be edited")
    return RawAttribute(reader.content(span))


def _constant(attributes: dict[str, Any]) -> Weight | None:
    """The value of a constant that is given without a tensor."""
    for name, kind in {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}.items():
        if name in attributes and not isinstance(attributes[name], RawAttribute):
            return weight_of(np.array(attributes[name], kind))
    return None


def _read_attribute(reader: WireReader, span: Span, folder: Path) -> tuple[str, Any, Weight | None]:
    """Name, value (None = it is kept as it is); and the tensor that it is, whatever its size."""
    numbers, parts = reader.read(span)
    name = reader.text(parts[Attribute.NAME][-1]) if parts[Attribute.NAME] else ""
    kind = numbers.get(Attribute.TYPE)
    if parts[Attribute.GRAPH] or parts[Attribute.GRAPHS]:
        raise ModelContractError(f"{reader.path} has graphs within its graph: it cannot be edited")
    if parts[Attribute.SPARSE] or parts[Attribute.SPARSES]:
        raise reader.too_much("sparse weights")
    value: Any = None
    if parts[Attribute.REFERENCE]:
        value = None
    elif kind == AttributeType.INT:
        value = signed(numbers.get(Attribute.INT, 0))
    elif kind == AttributeType.BYTES:
        value = reader.content(parts[Attribute.BYTES][-1]) if parts[Attribute.BYTES] else b""
    elif kind == AttributeType.STRINGS:
        value = tuple(map(reader.content, parts[Attribute.STRINGS]))
    elif kind in (AttributeType.FLOAT, AttributeType.FLOATS):
        floats = _floats(reader, span, Attribute.FLOAT if kind == AttributeType.FLOAT else Attribute.FLOATS)
        value = floats if kind == AttributeType.FLOATS else (floats or (0.0,))[-1]
    elif kind == AttributeType.INTS:
        value = reader.integers(span, Attribute.INTS)
    elif kind == AttributeType.TENSOR and parts[Attribute.TENSOR]:
        _, tensor = read_weight(reader, parts[Attribute.TENSOR][-1], folder)
        array = tensor.value(reader) if 0 <= tensor.size <= _MOST_ELEMENTS else None
        return name, array, tensor
    return name, None if value == () else value, None


def _floats(reader: WireReader, span: Span, wanted: int) -> tuple[float, ...]:
    found: list[float] = []
    for number, wire, _, start, end in reader.fields(span):
        if number == wanted and wire in (FIXED32, BYTES):
            found += struct.unpack(f"<{(end - start) // 4}f", reader.content((start, start + (end - start) // 4 * 4)))
    return tuple(found)


def _write_attribute(name: str, value: Any) -> bytes:
    """The AttributeProto. Raises TypeError for what an attribute cannot be."""
    if isinstance(value, RawAttribute):
        return value.message
    start = text_field(Attribute.NAME, name)
    if isinstance(value, np.ndarray):
        weight = weight_of(value)
        message = raw_message("", weight.element, weight.shape, weight.content or b"")
        kind, content = AttributeType.TENSOR, bytes_field(Attribute.TENSOR, message)
    elif isinstance(value, int):
        kind, content = AttributeType.INT, integer_field(Attribute.INT, value)
    elif isinstance(value, float):
        kind, content = AttributeType.FLOAT, fixed32_field(Attribute.FLOAT, struct.pack("<f", value))
    elif isinstance(value, bytes):
        kind, content = AttributeType.BYTES, bytes_field(Attribute.BYTES, value)
    else:
        kind, content = _write_list(name, tuple(value))
    return start + content + integer_field(Attribute.TYPE, kind)


def _write_list(name: str, values: tuple[Any, ...]) -> tuple[int, bytes]:
    if all(isinstance(value, int) for value in values):
        return AttributeType.INTS, b"".join(integer_field(Attribute.INTS, value) for value in values)
    if all(isinstance(value, int | float) for value in values):
        packed = (fixed32_field(Attribute.FLOATS, struct.pack("<f", value)) for value in values)
        return AttributeType.FLOATS, b"".join(packed)
    if all(isinstance(value, bytes) for value in values):
        return AttributeType.STRINGS, b"".join(bytes_field(Attribute.STRINGS, value) for value in values)
    raise TypeError(f"attribute {name}: expected int, float, bytes, tuples of one of these, or an array")

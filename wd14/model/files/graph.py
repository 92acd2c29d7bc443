"""Inputs, outputs and weight files of an ONNX graph, read without onnxruntime and without the weights.

An ONNX file is one protobuf message (onnx.proto of ONNX 1.x; the field numbers below are from there). The walk maps the
file into memory and steps over every weight by its length, so a model of 1 GB takes some milliseconds.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.activation import Activation, find_activation

Dimension = int | str | None
"""An int is fixed, a name or None is dynamic."""

#: TensorProto.DataType, as onnxruntime names the types of inputs and outputs.
_TYPES: Mapping[int, str] = {
    1: "tensor(float)",
    2: "tensor(uint8)",
    6: "tensor(int32)",
    7: "tensor(int64)",
    9: "tensor(bool)",
    10: "tensor(float16)",
    11: "tensor(double)",
    16: "tensor(bfloat16)",
}

# Numbers of the fields that are read.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_FUNCTION_NODE = 7
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_TENSOR_NAME, _TENSOR_EXTERNAL = 8, 13
_SPARSE_PARTS = (1, 2)
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_VALUE, _DIM_PARAM = 1, 1, 2, 1, 1, 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

#: Graphs within graphs (If, Loop); far more than any model has.
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """An input or output: `type` is in onnxruntime's words, `shape` is None where the file gives none."""

    name: str
    type: str
    shape: tuple[Dimension, ...] | None


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """The interface of a graph."""

    inputs: tuple[TensorFacts, ...]  #: without those that have a weight of the same name (old files list them)
    outputs: tuple[TensorFacts, ...]
    activations: Mapping[str, Activation]  #: by output: what it still needs
    external: tuple[str, ...]  #: files that hold weights, relative to the model's folder


def read_graph(path: Path) -> GraphFacts:
    """Reads the interface of an ONNX file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelContractError: a Git LFS pointer, a web page, a truncated file, or no ONNX model at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
            _refuse_what_is_no_model(path, head)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Walk(path, data).facts()
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"there is no model file {path}") from error
    except OSError as error:
        raise ModelContractError(f"{path} cannot be read: {error.strerror or error}") from error


def _refuse_what_is_no_model(path: Path, head: bytes) -> None:
    if not head:
        raise ModelContractError(f"{path} is empty; download the model again")
    if head.startswith(b"version https://git-lfs"):
        raise ModelContractError(
            f"{path} is a Git LFS pointer, not the model itself; run 'git lfs pull' there, or download it again"
        )
    if head.lstrip()[:1] == b"<" or head.lstrip()[:1] == b"{":
        kind = "a web page" if head.lstrip()[:1] == b"<" else "a text file"
        raise ModelContractError(f"{path} is {kind}, not an ONNX model; download the file itself")


class _Walk:
    """One pass over the message."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._producers: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._external: set[str] = set()

    def facts(self) -> GraphFacts:
        graph: tuple[int, int] | None = None
        for number, start, end in self._parts(0, len(self._data)):
            if number == _MODEL_GRAPH:
                graph = (start, end)
            elif number == _MODEL_FUNCTIONS:
                for inner, first, last in self._parts(start, end):
                    if inner == _FUNCTION_NODE:
                        self._node(first, last, depth=1)
        if graph is None:
            raise ModelContractError(f"{self._path} is not an ONNX model: it holds no graph")
        return self._graph(*graph)

    def _graph(self, start: int, end: int) -> GraphFacts:
        inputs, outputs, weights = [], [], set()
        for number, first, last in self._parts(start, end):
            if number == _GRAPH_NODE:
                self._node(first, last, depth=0)
            elif number == _GRAPH_INITIALIZER:
                weights.add(self._tensor(first, last))
            elif number == _GRAPH_SPARSE:
                self._sparse(first, last)
            elif number == _GRAPH_INPUT:
                inputs.append(self._value(first, last))
            elif number == _GRAPH_OUTPUT:
                outputs.append(self._value(first, last))
        return GraphFacts(
            inputs=tuple(fact for fact in inputs if fact.name not in weights),
            outputs=tuple(outputs),
            activations={
                fact.name: find_activation(fact.name, self._producers, model=str(self._path)) for fact in outputs
            },
            external=tuple(sorted(self._external)),
        )

    def _node(self, start: int, end: int, *, depth: int) -> None:
        inputs, outputs, operator = [], [], ""
        for number, first, last in self._parts(start, end):
            if number == _NODE_INPUT:
                inputs.append(self._text(first, last))
            elif number == _NODE_OUTPUT:
                outputs.append(self._text(first, last))
            elif number == _NODE_OP:
                operator = self._text(first, last)
            elif number == _NODE_ATTRIBUTE:
                self._attribute(first, last, depth=depth)
        if depth == 0:
            self._producers.update(dict.fromkeys(outputs, (operator, tuple(inputs))))

    def _attribute(self, start: int, end: int, *, depth: int) -> None:
        for number, first, last in self._parts(start, end):
            if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                self._tensor(first, last)
            elif number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                self._inner_graph(first, last, depth=depth + 1)

    def _inner_graph(self, start: int, end: int, *, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ModelContractError(f"{self._path}: graphs nested deeper than {_MAX_DEPTH}; no tagger has that")
        for number, first, last in self._parts(start, end):
            if number == _GRAPH_NODE:
                self._node(first, last, depth=depth)
            elif number == _GRAPH_INITIALIZER:
                self._tensor(first, last)
            elif number == _GRAPH_SPARSE:
                self._sparse(first, last)

    def _sparse(self, start: int, end: int) -> None:
        for number, first, last in self._parts(start, end):
            if number in _SPARSE_PARTS:
                self._tensor(first, last)

    def _tensor(self, start: int, end: int) -> str:
        """The weight's name; notes the file that holds it when it is not this one."""
        name = ""
        for number, first, last in self._parts(start, end):
            if number == _TENSOR_NAME:
                name = self._text(first, last)
            elif number == _TENSOR_EXTERNAL:
                entry = {field: self._text(one, two) for field, one, two in self._parts(first, last)}
                if entry.get(_ENTRY_KEY) == "location":
                    self._external.add(entry.get(_ENTRY_VALUE, ""))
        return name

    def _value(self, start: int, end: int) -> TensorFacts:
        name, kind, shape = "", "not a tensor", None
        for number, first, last in self._parts(start, end):
            if number == _VALUE_NAME:
                name = self._text(first, last)
            elif number == _VALUE_TYPE:
                for inner, one, two in self._parts(first, last):
                    if inner == _TYPE_TENSOR:
                        kind, shape = self._tensor_type(one, two)
        return TensorFacts(name, kind, shape)

    def _tensor_type(self, start: int, end: int) -> tuple[str, tuple[Dimension, ...] | None]:
        kind, shape = "tensor(undefined)", None
        for number, wire, first, last in self._fields(start, end):
            if number == _TENSOR_ELEMENT and wire == _VARINT:
                kind = _TYPES.get(first, f"tensor(type {first})")
            elif number == _TENSOR_SHAPE and wire == _BYTES:
                shape = tuple(
                    self._dimension(one, two) for inner, one, two in self._parts(first, last) if inner == _SHAPE_DIM
                )
        return kind, shape

    def _dimension(self, start: int, end: int) -> Dimension:
        for number, wire, first, last in self._fields(start, end):
            if number == _DIM_VALUE and wire == _VARINT:
                return first
            if number == _DIM_PARAM and wire == _BYTES:
                return self._text(first, last)
        return None

    def _text(self, start: int, end: int) -> str:
        return self._data[start:end].decode("utf-8", "replace")

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The fields that have a length: (number, start, end)."""
        for number, wire, first, last in self._fields(start, end):
            if wire == _BYTES:
                yield number, first, last

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """The fields of a message: (number, wire type, value or start, end)."""
        at = start
        while at < end:
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if wire == _VARINT:
                value, at = self._varint(at, end)
                yield number, wire, value, at
            elif wire == _BYTES:
                length, at = self._varint(at, end)
                if at + length > end:
                    raise self._damaged(at + length)
                yield number, wire, at, at + length
                at += length
            elif wire in (_FIXED32, _FIXED64):
                at += 4 if wire == _FIXED32 else 8
                if at > end:
                    raise self._damaged(at)
            else:
                raise ModelContractError(f"{self._path} is not an ONNX model (unexpected content at byte {at})")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end:
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
            if shift > 63:
                raise ModelContractError(f"{self._path} is not an ONNX model (unexpected content at byte {at})")
        raise self._damaged(at + 1)

    def _damaged(self, wanted: int) -> ModelContractError:
        size = len(self._data)
        if wanted > size:
            return ModelContractError(
                f"{self._path} is cut off or no ONNX model: it goes on to byte {wanted:,} at least, and has {size:,};"
                " download it again"
            )
        return ModelContractError(f"{self._path} is damaged or no ONNX model; download it again")

"""Inputs, outputs and weight files of an ONNX graph, read without onnxruntime and without the weights.

An ONNX file is one protobuf message (onnx.proto of ONNX 1.x; the field numbers below are from there). The walk maps the
file into memory and steps over every weight by its length, so a model of 1 GB takes some milliseconds.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.activation import Activation, find_activation
from wd14.regular_files import open_file

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
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_WEIGHT, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE_WEIGHT = 1, 5, 11, 12, 15
_FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 7, 10
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_NAME, _ATTRIBUTE_INT = 1, 3
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_TENSOR_KIND, _TENSOR_NAME, _TENSOR_EXTERNAL = 2, 8, 13
_STRING = 8  # of TensorProto.DataType
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_VALUE, _DIM_NAME = 1, 1, 2, 1, 1, 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

#: Limits of what is read, far above what taggers have (some ten thousand parts, 3 outputs, some hundred weight files):
#: graphs within graphs (If, Loop); local functions that call each other; fields of messages, and bytes of names, which
#: cost time and memory here; nodes after onnxruntime has put every local function in the place of its calls, which may
#: double with each function.
_MAX_DEPTH = 16
_MAX_CALLS = 64
MOST_FIELDS = 2_000_000
MOST_TEXT = 64 << 20
MOST_NODES = 200_000
MOST_OUTPUTS = 100
MOST_EXTERNAL = 10_000

Span = tuple[int, int]
"""Where a part of the file begins and ends."""


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
    external: Mapping[str, tuple[int | None, ...]]  #: files that hold weights, relative to the model's folder -> bytes
    #: of each weight in it, None where the graph does not say


def read_graph(path: Path) -> GraphFacts:
    """Reads the interface of an ONNX file.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelContractError: a Git LFS pointer, a web page, a truncated file, no ONNX model at all, or more of something
            than the limits above.
    """
    try:
        with open_file(path) as file:
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
    kind = {b"<": "a web page", b"{": "a text file"}.get(head.lstrip()[:1])
    if kind is not None:
        raise ModelContractError(f"{path} is {kind}, not an ONNX model; download the file itself")


class _Walk:
    """One pass over the message."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._producers: dict[str, tuple[str, tuple[str, ...]]] = {}  # tensor -> (operator that makes it, its inputs)
        self._external: defaultdict[str, list[int | None]] = defaultdict(list)  # file -> bytes of its tensors
        self._operators: list[str] = []  # with their domains, of the nodes since the last function's end
        self._fields = self._text_bytes = 0  # read so far

    def facts(self) -> GraphFacts:
        _, model = self._read((0, len(self._data)))
        functions: dict[str, list[str]] = {}  # name, with its domain -> operators of its nodes
        for function in model[_MODEL_FUNCTION]:
            _, parts = self._read(function)
            for node in parts[_FUNCTION_NODE]:
                self._node(node, depth=1)
            name = self._qualified(parts[_FUNCTION_DOMAIN], parts[_FUNCTION_NAME])
            functions.setdefault(name, []).extend(self._operators)  # those that differ in their overload only: both
            self._operators = []
        if not model[_MODEL_GRAPH]:
            raise ModelContractError(f"{self._path} is not an ONNX model: it holds no graph")
        graph, weights = self._graph(model[_MODEL_GRAPH][-1], depth=0)
        self._check_size(functions, graph)
        inputs = [self._value(span) for span in graph[_GRAPH_INPUT]]
        outputs = [self._value(span) for span in graph[_GRAPH_OUTPUT]]
        return GraphFacts(
            inputs=tuple(fact for fact in inputs if fact.name not in weights),
            outputs=tuple(outputs),
            activations={
                fact.name: find_activation(fact.name, self._producers, model=str(self._path)) for fact in outputs
            },
            external={location: tuple(self._external[location]) for location in sorted(self._external)},
        )

    def _check_size(self, functions: Mapping[str, list[str]], graph: Mapping[int, list[Span]]) -> None:
        """Refuses what would cost time and memory without end."""
        sizes: dict[str, int] = {}

        def nodes_of(operators: list[str], depth: int) -> int:
            """How many nodes these make, once each function is in the place of its calls."""
            if depth > _MAX_CALLS:
                raise self._too_much(f"functions nested deeper than {_MAX_CALLS}")
            for operator in set(operators).intersection(functions).difference(sizes):
                sizes[operator] = min(nodes_of(functions[operator], depth + 1), MOST_NODES + 1)
            return sum(sizes.get(operator, 1) for operator in operators)

        if nodes_of(self._operators, 0) > MOST_NODES:
            raise self._too_much(f"over {MOST_NODES:,} nodes")
        if len(graph[_GRAPH_OUTPUT]) > MOST_OUTPUTS:
            raise self._too_much(f"{len(graph[_GRAPH_OUTPUT]):,} outputs")
        if len(self._external) > MOST_EXTERNAL:
            raise self._too_much(f"weights in {len(self._external):,} files")

    def _too_much(self, what: str) -> ModelContractError:
        return ModelContractError(f"{self._path} has {what}, which no tagger has; such models are not opened")

    def _graph(self, span: Span, *, depth: int) -> tuple[Mapping[int, list[Span]], set[str]]:
        """Walks a graph; returns its parts and its weights' names."""
        if depth > _MAX_DEPTH:
            raise ModelContractError(f"{self._path}: graphs nested deeper than {_MAX_DEPTH}; no tagger has that")
        _, graph = self._read(span)
        for node in graph[_GRAPH_NODE]:
            self._node(node, depth=depth)
        if graph[_GRAPH_SPARSE_WEIGHT]:  # onnxruntime makes them dense: a few bytes may stand for any size
            raise self._too_much("sparse weights")
        return graph, {self._tensor(tensor) for tensor in graph[_GRAPH_WEIGHT]}

    def _node(self, span: Span, *, depth: int) -> None:
        _, node = self._read(span)
        for attribute in node[_NODE_ATTRIBUTE]:
            numbers, parts = self._read(attribute)
            self._refuse_text(self._text(parts[_ATTRIBUTE_NAME]), numbers.get(_ATTRIBUTE_INT))
            if parts[_ATTRIBUTE_SPARSE] or parts[_ATTRIBUTE_SPARSES]:
                raise self._too_much("sparse weights")
            for tensor in parts[_ATTRIBUTE_TENSOR] + parts[_ATTRIBUTE_TENSORS]:
                self._tensor(tensor)
            for graph in parts[_ATTRIBUTE_GRAPH] + parts[_ATTRIBUTE_GRAPHS]:
                self._graph(graph, depth=depth + 1)
        self._operators.append(self._qualified(node[_NODE_DOMAIN], node[_NODE_OPERATOR]))
        if depth == 0:
            made_by = (self._text(node[_NODE_OPERATOR]), tuple(self._text([name]) for name in node[_NODE_INPUT]))
            self._producers.update((self._text([name]), made_by) for name in node[_NODE_OUTPUT])

    def _refuse_text(self, attribute: str, value: int | None) -> None:
        """Refuses what makes text: its characters are in no arena, so that no limit of memory holds for them."""
        if attribute.endswith(("string", "strings")) or (attribute == "to" and value == _STRING):
            raise self._too_much("text in it")

    def _tensor(self, span: Span) -> str:
        """The weight's name; notes the file that holds it when it is not this one."""
        numbers, tensor = self._read(span)
        if numbers.get(_TENSOR_KIND) == _STRING:
            raise self._too_much("text in it")
        pairs = [self._read(pair)[1] for pair in tensor[_TENSOR_EXTERNAL]]
        entries = {self._text(pair[_ENTRY_KEY]): self._text(pair[_ENTRY_VALUE]) for pair in pairs}
        if "location" in entries:
            length = entries.get("length", "")
            known = length.isascii() and length.isdigit() and len(length) < 20
            self._external[entries["location"]].append(int(length) if known else None)
        return self._text(tensor[_TENSOR_NAME])

    def _value(self, span: Span) -> TensorFacts:
        _, value = self._read(span)
        kind: str = "not a tensor"
        shape: tuple[Dimension, ...] | None = None
        for outer in value[_VALUE_TYPE]:
            for inner in self._read(outer)[1][_TYPE_TENSOR]:
                numbers, tensor = self._read(inner)
                element = numbers.get(_TENSOR_ELEMENT)
                kind = "tensor(undefined)" if element is None else _TYPES.get(element, f"tensor(type {element})")
                for sides in tensor[_TENSOR_SHAPE]:
                    shape = tuple(self._dimension(side) for side in self._read(sides)[1][_SHAPE_DIM])
        return TensorFacts(self._text(value[_VALUE_NAME]), kind, shape)

    def _dimension(self, span: Span) -> Dimension:
        numbers, texts = self._read(span)
        value = numbers.get(_DIM_VALUE)
        if value is not None:
            return value if value < 1 << 63 else value - (1 << 64)
        return self._text(texts[_DIM_NAME]) if texts[_DIM_NAME] else None

    def _qualified(self, domain: list[Span], name: list[Span]) -> str:
        return f"{self._text(domain)}:{self._text(name)}"

    def _text(self, spans: list[Span]) -> str:
        """The last of these parts as text; "" where there is none."""
        self._text_bytes += spans[-1][1] - spans[-1][0] if spans else 0
        if self._text_bytes > MOST_TEXT:
            raise self._too_much(f"over {MOST_TEXT:,} bytes of names")
        return self._data[slice(*spans[-1])].decode("utf-8", "replace") if spans else ""

    def _read(self, span: Span) -> tuple[dict[int, int], defaultdict[int, list[Span]]]:
        """The fields of a message by number: those that hold an integer, and those that hold bytes."""
        numbers: dict[int, int] = {}
        parts: defaultdict[int, list[Span]] = defaultdict(list)
        at, end = span
        while at < end:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise self._too_much(f"over {MOST_FIELDS:,} parts")
            key, at = self._varint(at, end)
            field, wire = key >> 3, key & 7
            if wire == _VARINT:
                numbers[field], at = self._varint(at, end)
            elif wire == _BYTES:
                length, at = self._varint(at, end)
                parts[field].append((at, at + length))
                at += length
            elif wire in (_FIXED32, _FIXED64):
                at += 4 if wire == _FIXED32 else 8
            else:
                raise ModelContractError(f"{self._path} is not an ONNX model (unexpected content at byte {at})")
        if at > end:
            raise self._damaged(at)
        return numbers, parts

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

"""Inputs, outputs and weight files of an ONNX graph, read without onnxruntime and without the weights.

An ONNX file is one protobuf message. The walk maps the file into memory and steps over every weight by its length, so a
model of 1 GB takes some milliseconds.
"""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.activation import Activation, find_activation, last_operator
from wd14.model.graph.schema import (
    STRING,
    TYPE_NAMES,
    Attribute,
    Entry,
    Function,
    Graph,
    Model,
    Node,
    Tensor,
    Value,
)
from wd14.model.graph.wire import Span, WireReader, signed
from wd14.regular_files import open_file

Dimension = int | str | None
"""An int is fixed, a name or None is dynamic."""

#: Limits of what is read, far above what taggers have (3 outputs, some hundred weight files): graphs within graphs (If,
#: Loop); local functions that call each other; nodes after onnxruntime has put every local function in the place of its
#: calls, which may double with each function. `wire` has limits of its own.
_MAX_DEPTH = 16
_MAX_CALLS = 64
MOST_NODES = 200_000
MOST_OUTPUTS = 100
MOST_EXTERNAL = 10_000


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
    ends: Mapping[str, int] = field(default_factory=dict)  #: of these files: bytes that they must have
    operators: Mapping[str, str] = field(
        default_factory=dict
    )  #: by output: what makes its numbers, where that is known


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
                return _Walk(WireReader(path, data)).facts()
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

    def __init__(self, reader: WireReader) -> None:
        self._path = reader.path
        self._reader = reader
        self._read = reader.read
        self._producers: dict[str, tuple[str, tuple[str, ...]]] = {}  # tensor -> (operator that makes it, its inputs)
        self._external: defaultdict[str, list[int | None]] = defaultdict(list)  # file -> bytes of its tensors
        self._ends: dict[str, int] = {}
        self._operators: list[str] = []  # with their domains, of the nodes since the last function's end

    def facts(self) -> GraphFacts:
        _, model = self._read((0, len(self._reader.data)))
        functions: dict[str, list[str]] = {}  # name, with its domain -> operators of its nodes
        for function in model[Model.FUNCTION]:
            _, parts = self._read(function)
            for node in parts[Function.NODE]:
                self._node(node, depth=1)
            name = self._qualified(parts[Function.DOMAIN], parts[Function.NAME])
            functions.setdefault(name, []).extend(self._operators)  # those that differ in their overload only: both
            self._operators = []
        if not model[Model.GRAPH]:
            raise ModelContractError(f"{self._path} is not an ONNX model: it holds no graph")
        graph, weights = self._graph(model[Model.GRAPH][-1], depth=0)
        self._check_size(functions, graph)
        inputs = [self._value(span) for span in graph[Graph.INPUT]]
        outputs = [self._value(span) for span in graph[Graph.OUTPUT]]
        return GraphFacts(
            inputs=tuple(fact for fact in inputs if fact.name not in weights),
            outputs=tuple(outputs),
            activations={
                fact.name: find_activation(fact.name, self._producers, model=str(self._path)) for fact in outputs
            },
            external={location: tuple(self._external[location]) for location in sorted(self._external)},
            ends=self._ends,
            operators={fact.name: last_operator(fact.name, self._producers, model=str(self._path)) for fact in outputs},
        )

    def _check_size(self, functions: Mapping[str, list[str]], graph: Mapping[int, list[Span]]) -> None:
        """Refuses what would cost time and memory without end."""
        sizes: dict[str, int] = {}

        def nodes_of(operators: list[str], depth: int) -> int:
            """How many nodes these make, once each function is in the place of its calls."""
            if depth > _MAX_CALLS:
                raise self._reader.too_much(f"functions nested deeper than {_MAX_CALLS}")
            for operator in set(operators).intersection(functions).difference(sizes):
                sizes[operator] = min(nodes_of(functions[operator], depth + 1), MOST_NODES + 1)
            return sum(sizes.get(operator, 1) for operator in operators)

        if nodes_of(self._operators, 0) > MOST_NODES:
            raise self._reader.too_much(f"over {MOST_NODES:,} nodes")
        if len(graph[Graph.OUTPUT]) > MOST_OUTPUTS:
            raise self._reader.too_much(f"{len(graph[Graph.OUTPUT]):,} outputs")
        if len(self._external) > MOST_EXTERNAL:
            raise self._reader.too_much(f"weights in {len(self._external):,} files")

    def _graph(self, span: Span, *, depth: int) -> tuple[Mapping[int, list[Span]], set[str]]:
        """Walks a graph; returns its parts and its weights' names."""
        if depth > _MAX_DEPTH:
            raise ModelContractError(f"{self._path}: graphs nested deeper than {_MAX_DEPTH}; no tagger has that")
        _, graph = self._read(span)
        for node in graph[Graph.NODE]:
            self._node(node, depth=depth)
        if graph[Graph.SPARSE_WEIGHT]:  # onnxruntime makes them dense: a few bytes may stand for any size
            raise self._reader.too_much("sparse weights")
        return graph, {self._tensor(tensor) for tensor in graph[Graph.WEIGHT]}

    def _node(self, span: Span, *, depth: int) -> None:
        _, node = self._read(span)
        for attribute in node[Node.ATTRIBUTE]:
            numbers, parts = self._read(attribute)
            self._refuse_text(self._text(parts[Attribute.NAME]), numbers.get(Attribute.INT))
            if parts[Attribute.SPARSE] or parts[Attribute.SPARSES]:
                raise self._reader.too_much("sparse weights")
            for tensor in parts[Attribute.TENSOR] + parts[Attribute.TENSORS]:
                self._tensor(tensor)
            for graph in parts[Attribute.GRAPH] + parts[Attribute.GRAPHS]:
                self._graph(graph, depth=depth + 1)
        self._operators.append(self._qualified(node[Node.DOMAIN], node[Node.OPERATOR]))
        if depth == 0:
            made_by = (self._text(node[Node.OPERATOR]), tuple(self._text([name]) for name in node[Node.INPUT]))
            self._producers.update((self._text([name]), made_by) for name in node[Node.OUTPUT])

    def _refuse_text(self, attribute: str, value: int | None) -> None:
        """Refuses what makes text: its characters are in no arena, so that no limit of memory holds for them."""
        if attribute.endswith(("string", "strings")) or (attribute == "to" and value == STRING):
            raise self._reader.too_much("text in it")

    def _tensor(self, span: Span) -> str:
        """The weight's name; notes the file that holds it when it is not this one."""
        numbers, tensor = self._read(span)
        if numbers.get(Tensor.TYPE) == STRING:
            raise self._reader.too_much("text in it")
        pairs = [self._read(pair)[1] for pair in tensor[Tensor.EXTERNAL]]
        entries = {self._text(pair[Entry.KEY]): self._text(pair[Entry.VALUE]) for pair in pairs}
        if "location" in entries:
            location, length = entries["location"], _number(entries.get("length", ""))
            self._external[location].append(length)
            end = (_number(entries.get("offset", "")) or 0) + (length or 0)
            self._ends[location] = max(end, self._ends.get(location, 0))
        return self._text(tensor[Tensor.NAME])

    def _value(self, span: Span) -> TensorFacts:
        _, value = self._read(span)
        kind: str = "not a tensor"
        shape: tuple[Dimension, ...] | None = None
        for outer in value[Value.TYPE]:
            for inner in self._read(outer)[1][Value.TYPE_TENSOR]:
                numbers, tensor = self._read(inner)
                element = numbers.get(Value.ELEMENT)
                kind = "tensor(undefined)" if element is None else TYPE_NAMES.get(element, f"tensor(type {element})")
                for sides in tensor[Value.SHAPE]:
                    shape = tuple(self._dimension(side) for side in self._read(sides)[1][Value.SIDE])
        return TensorFacts(self._text(value[Value.NAME]), kind, shape)

    def _dimension(self, span: Span) -> Dimension:
        numbers, texts = self._read(span)
        value = numbers.get(Value.SIDE_VALUE)
        if value is not None:
            return signed(value)
        return self._text(texts[Value.SIDE_NAME]) if texts[Value.SIDE_NAME] else None

    def _qualified(self, domain: list[Span], name: list[Span]) -> str:
        return f"{self._text(domain)}:{self._text(name)}"

    def _text(self, spans: list[Span]) -> str:
        """The last of these parts as text; "" where there is none."""
        return self._reader.text(spans[-1], "replace") if spans else ""


def _number(text: str) -> int | None:
    """A number of bytes; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

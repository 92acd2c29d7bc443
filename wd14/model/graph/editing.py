"""A graph in memory that can be written in another way; its weights stay in the file that they lie in.

The weights of multiplications become external data at their place in the model's own file: the edited model is one to
three MB, and onnxruntime maps them while it packs them, instead of reading the whole file first.
"""

from __future__ import annotations

import mmap
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.graph.declared import DeclaredValue, declare, read_declared
from wd14.model.graph.nodes import Node, RawAttribute, read_node, write_node
from wd14.model.graph.schema import FLOAT, FLOAT16, Graph, Model, OpsetImport
from wd14.model.graph.weights import Weight, read_weight, weight_of
from wd14.model.graph.wire import BYTES, VARINT, Span, WireReader, bytes_field, integer_field, signed, text_field
from wd14.regular_files import open_file

__all__ = ["EditableGraph", "Node", "RawAttribute"]

#: Before this version of the format every weight was listed among the inputs; since, one that is may be given anew
#: with each run, so that runtimes cannot prepare it.
_IR_WITH_CONSTANT_WEIGHTS = 4

#: Runtimes pack weights into a form of their own while they open a model: OpenVINO those of `MatMul`, `Gemm` and
#: `Conv`; onnxruntime such in float32, of two axes for the former, and on x86 most of `Conv`. They are not touched
#: after that: a file that is overwritten or cut off later changes no score and does not end the process, and it does
#: not matter at which byte of the file a weight begins.
_ON_X86 = platform.machine().lower() in ("x86_64", "amd64")
_CHANNELS_AT_ONCE = 16

#: Bytes of what is copied, up to four times for a moment; taggers have some hundred kB, SwinV2 has 60 MB.
_MOST_COPIED = 128 << 20


class EditableGraph:
    """The main graph of a model. Made by `read`; `to_bytes` is the model with what was changed.

    Constant nodes are weights here. The file stays mapped as long as this object lives.

    Attributes:
        nodes: in an order in which each comes after what it reads.
        inputs: names of what the graph takes, without weights.
        outputs: names of what it gives.
        has_defaults: some weights may be given anew with each run, which they cannot in `to_bytes`.
        folder: that the files with weights are named from in `to_bytes`.
    """

    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]
    has_defaults: bool
    folder: Path

    def __init__(self, reader: WireReader, folder: Path) -> None:
        """Reads the mapped file; see `read`."""
        self._reader = reader
        self._weights: dict[str, Weight] = {}
        self._declared: tuple[list[DeclaredValue], list[DeclaredValue]] = ([], [])  # inputs, outputs
        self._between: list[Span] = []  # declared types of what lies between nodes
        self._graph_rest: list[Span] = []  # other fields of the graph and of the model, as they were read
        self._model_rest: list[Span] = []
        self._opsets: dict[str, int] = {}
        self._names: set[str] | None = None  # all in the graph, once they were asked for
        self.nodes, self.inputs, self.outputs = [], [], []
        self._read_model(folder)
        files = {weight.place.file.parent for weight in self._weights.values() if weight.place is not None}
        self.folder = Path(os.path.commonpath(files | {reader.path.parent}))

    @classmethod
    def read(cls, path: Path) -> EditableGraph:
        """Reads a model's graph, without its weights; some 30 ms for a tagger.

        Raises:
            ModelNotFoundError: there is no such file.
            ModelContractError: no ONNX model, damaged, or one that cannot be edited: graphs within graphs.
        """
        try:
            real = path.resolve()
            with open_file(real) as file:
                if not os.fstat(file.fileno()).st_size:
                    raise ModelContractError(f"{path} is empty; download the model again")
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise ModelNotFoundError(f"there is no model file {path}") from error
        except OSError as error:
            raise ModelContractError(f"{path} cannot be read: {error.strerror or error}") from error
        return cls(WireReader(real, data), path.parent.resolve())

    @property
    def opset(self) -> int:
        """Version of the standard operators."""
        return self._opsets.get("", self._opsets.get("ai.onnx", 1))

    def weight_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight or of a constant node's value; None = no such weight."""
        weight = self._weights.get(name)
        return None if weight is None else weight.shape

    def weight_type(self, name: str) -> int | None:
        """TensorProto.DataType of a weight or of a constant node's value (1 = float32, 10 = float16)."""
        weight = self._weights.get(name)
        return None if weight is None else weight.element

    def value(self, name: str, *, most: int = 65_536) -> NDArray[Any] | None:
        """The value of a weight or a constant of at most so many elements; None = none, or larger.

        Read from the file each time.
        """
        weight = self._weights.get(name)
        if weight is None or not 0 <= weight.size <= most:
            return None
        return weight.value(self._reader)

    def add_weight(self, name: str, value: NDArray[Any]) -> None:
        """Adds a small weight, kept in the edited model itself; or replaces one.

        Raises:
            ValueError: ONNX has no such type of numbers.
        """
        self._weights[name] = weight_of(np.asarray(value))

    def free_name(self, like: str) -> str:
        """A name that nothing in the graph has yet. It is taken from now on.

        The first call collects all names; whoever names something without asking here does so before that.
        """
        names = self._all_names()
        name, number = like, 0
        while name in names:
            number += 1
            name = f"{like}_{number}"
        names.add(name)
        return name

    def use_domain(self, domain: str, version: int) -> None:
        """Lets nodes use the operators of a domain, such as `com.microsoft`, 1. One that is in use stays."""
        self._opsets.setdefault(domain, version)

    def set_type(self, name: str, element: int) -> None:
        """Changes the element type that an input or output of the graph is declared with.

        Raises:
            ValueError: there is no such input or output.
        """
        if name not in self.element_types():
            raise ValueError(f"the graph has no input or output {name!r} that is a tensor")
        for values in self._declared:
            values[:] = [replace(value, element=element) if value.name == name else value for value in values]

    def element_types(self) -> Mapping[str, int]:
        """TensorProto.DataType of the inputs and outputs of the graph that are tensors."""
        both = (*self._declared[0], *self._declared[1])
        return {value.name: value.element for value in both if value.element is not None}

    def input_ranks(self) -> Mapping[str, int]:
        """How many axes the inputs of the graph have, where it is declared."""
        return {value.name: value.rank for value in self._declared[0] if value.rank is not None}

    def to_bytes(self, *, apart: Mapping[str, Weight] | None = None, unchanged: bool = False) -> bytes:
        """The model as it is now.

        Weights of 1 KiB and more that are only multiplied with are external data in a file below `folder`: whoever
        opens these bytes says which folder that is. Costs some 10 ms, and for a moment four copies of the other
        weights.

        Args:
            apart: weights that become inputs instead; whoever opens these bytes has them.
            unchanged: no node was changed. Then declared types of what lies between nodes are kept: by them
                onnxruntime finds more that it can join, and its results differ in the last bit. Else they may be
                wrong, and runtimes infer what they can.

        Raises:
            ModelContractError: more would have to be copied than any tagger has.
        """
        apart = apart or {}
        inputs, outputs = self._declared
        packed = self._packed_names()
        rest = self._graph_rest + (self._between if unchanged else [])
        copied = sum(end - start for start, end in rest + self._model_rest)
        copied += sum(
            weight.copied for name, weight in self._weights.items() if not (name in packed and weight.is_large)
        )
        if copied > _MOST_COPIED:
            raise ModelContractError(f"{self._reader.path}: {copied:,} bytes of it are no weights that can stay in it")
        graph = [bytes_field(Graph.NODE, write_node(node)) for node in self.nodes]
        graph += map(self._reader.content, rest)
        for name, weight in self._weights.items():
            if name in apart:
                graph.append(bytes_field(Graph.INPUT, declare(name, weight.element, weight.shape)))
                continue
            message = weight.to_message(name, self._reader, self.folder if name in packed else None)
            graph.append(bytes_field(Graph.WEIGHT, message))
        graph += (bytes_field(Graph.INPUT, value.to_message()) for value in inputs if value.name not in apart)
        graph += (bytes_field(Graph.OUTPUT, value.to_message()) for value in outputs)
        opsets = (
            (text_field(OpsetImport.DOMAIN, domain) if domain else b"") + integer_field(OpsetImport.VERSION, version)
            for domain, version in self._opsets.items()
        )
        return b"".join(
            (
                *map(self._reader.content, self._model_rest),
                bytes_field(Model.GRAPH, b"".join(graph)),
                # At the end: OpenVINO takes a file for no ONNX model if a field comes twice among the first ones.
                *(bytes_field(Model.OPSET_IMPORT, opset) for opset in opsets),
            )
        )

    def drop_unused(self) -> None:
        """Leaves out nodes and weights that nobody needs, as runtimes do when they have read a graph."""
        needed, kept = set(self.outputs), list[Node]()
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.outputs):
                needed.update(filter(None, node.inputs))
                kept.append(node)
        self.nodes = kept[::-1]
        self._weights = {name: weight for name, weight in self._weights.items() if name in needed}
        inputs = self._declared[0]  # old files list weights here; one without its value would have to be given
        inputs[:] = [value for value in inputs if value.name in self.inputs or value.name in self._weights]

    def packed_weights(self) -> Mapping[str, Weight]:
        """The weights that OpenVINO packs while it opens a model, where they lie in files.

        Raises:
            ModelContractError: one cannot be used where it lies: numpy does not have its type.
        """
        packed = self._packed_names(by_openvino=True)
        weights = {name: weight for name, weight in self._weights.items() if name in packed and weight.is_large}
        odd = next((name for name, weight in weights.items() if not weight.fills_its_place), None)
        if odd is not None:
            raise ModelContractError(f"{self._reader.path}: the weight {odd!r} cannot be used where it lies")
        return weights

    def _read_model(self, folder: Path) -> None:
        reader = self._reader
        graph: Span | None = None
        version = begin = 0
        for number, wire, value, start, end in reader.fields((0, len(reader.data))):
            if number == Model.IR_VERSION and wire == VARINT:
                version = value
            if number == Model.GRAPH and wire == BYTES:
                if graph is not None:
                    raise reader.no_model(start)  # protobuf would merge them
                graph = start, end
            elif number == Model.OPSET_IMPORT and wire == BYTES:
                numbers, parts = reader.read((start, end))
                domain = reader.text(parts[OpsetImport.DOMAIN][-1]) if parts[OpsetImport.DOMAIN] else ""
                self._opsets[domain] = signed(numbers.get(OpsetImport.VERSION, 0))
            else:
                self._model_rest.append((begin, end))
            begin = end
        if graph is None:
            raise ModelContractError(f"{reader.path} is not an ONNX model: it holds no graph")
        self._read_graph(graph, folder, weights_are_constant=version >= _IR_WITH_CONSTANT_WEIGHTS)

    def _read_graph(self, span: Span, folder: Path, *, weights_are_constant: bool) -> None:
        reader = self._reader
        inputs, outputs = self._declared
        begin = span[0]
        for number, _, _, start, end in reader.fields(span):
            part = start, end
            if number == Graph.NODE:
                node, constant = read_node(reader, part, folder)
                if constant is None:
                    self.nodes.append(node)
                else:
                    self._weights[node.outputs[0]] = constant
            elif number == Graph.WEIGHT:
                name, weight = read_weight(reader, part, folder)
                if name:  # an input of that name is one that is left out
                    self._weights[name] = weight
            elif number in (Graph.INPUT, Graph.OUTPUT):
                (inputs if number == Graph.INPUT else outputs).append(read_declared(reader, part))
            elif number == Graph.SPARSE_WEIGHT:
                raise reader.too_much("sparse weights")
            elif number == Graph.VALUE_INFO:
                self._between.append((begin, end))
            elif number != Graph.DOC:
                self._graph_rest.append((begin, end))
            begin = end
        self.inputs = [value.name for value in inputs if value.name not in self._weights]
        self.outputs = [value.name for value in outputs]
        self.has_defaults = weights_are_constant and len(self.inputs) < len(inputs)
        if weights_are_constant:
            inputs[:] = [value for value in inputs if value.name not in self._weights]

    def _packed_names(self, *, by_openvino: bool = False) -> set[str]:
        """Names of the weights that are only multiplied with, as they are or in float16."""
        packed, others = set[str](), set(self.outputs)
        for node in self.nodes:
            at = self._packed_input(node, by_openvino=by_openvino)
            packed.update(node.inputs[at : at + 1])
            others.update(name for number, name in enumerate(node.inputs) if number != at)
        return packed - others

    def _packed_input(self, node: Node, *, by_openvino: bool) -> int:
        """The number of the input that runtimes read for the last time while they open a model; a large one = there is
        none.
        """
        if node.operator == "Cast" and node.attributes.get("to") == FLOAT16:
            return 0
        weight = self._weights.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.domain != "" or node.operator not in ("MatMul", "Gemm", "Conv") or weight is None:
            return len(node.inputs)
        if by_openvino:
            packs = len(weight.shape) > 1
        elif node.operator == "Conv":
            packs = weight.element == FLOAT and len(weight.shape) == 4 and self._packs_convolution(node, weight)
        else:
            packs = weight.element == FLOAT and len(weight.shape) == 2
        return 1 if packs else len(node.inputs)

    def _packs_convolution(self, node: Node, weight: Weight) -> bool:
        """Whether onnxruntime packs the weights of a convolution of pictures."""
        if not _ON_X86 or any(name not in self._weights for name in node.inputs[2:3]):
            return False
        channels, of_each, *_ = weight.shape
        groups = node.attributes.get("group", 1)
        return groups == 1 or (of_each == 1 and groups == channels and channels % _CHANNELS_AT_ONCE == 0)

    def _all_names(self) -> set[str]:
        """Every name of a value or of a node. Collected once: later names come from `free_name`."""
        if self._names is None:
            declared = (value.name for values in self._declared for value in values)
            self._names = {*declared, *self._weights}
            for node in self.nodes:
                self._names.update((node.name, *node.inputs, *node.outputs))
        return self._names

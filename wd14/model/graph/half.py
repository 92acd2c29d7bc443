"""A graph that computes in float16, between float32 inputs and outputs.

float16 ends at 65,504 and has 11 bits. Products of matrices and convolutions keep to that, and nearly all of the time
is theirs; squares, means, roots and powers do not: they stay in float32. What lies between (`Add`, `Reshape`, …)
computes in float32 where something that it reads does, so that a LayerNorm in pieces stays in float32 as a whole.
"""

from __future__ import annotations

import numpy as np

from wd14.model.graph.editing import EditableGraph, Node
from wd14.model.graph.schema import BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT64

_OTHER_FLOATS = (FLOAT16, DOUBLE, BFLOAT16)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What computes in float16. Runtimes sum up in float32 there.
_IN_HALF = _names("AveragePool Conv ConvTranspose Einsum Gemm LayerNormalization MatMul MaxPool Softmax")
_IN_HALF_MICROSOFT = _names("BiasGelu FastGelu FusedMatMul Gelu QuickGelu")
#: What stays in float32.
_IN_FLOAT = _names(
    """
    Cast Ceil ConstantOfShape Exp Floor GlobalAveragePool InstanceNormalization Log LpNormalization Mod Pow Range
    Reciprocal ReduceL1 ReduceL2 ReduceMean ReduceProd ReduceSum ReduceSumSquare Resize Softplus Sqrt
    """
)
#: What takes after what it reads.
_FOLLOWS = _names(
    """
    Abs Add BatchNormalization Clip Concat DepthToSpace Div Dropout Elu Erf Expand Flatten Gather Gelu HardSigmoid
    HardSwish Identity LeakyRelu Max Min Mul Neg PRelu Pad ReduceMax ReduceMin Relu Reshape Sigmoid Slice SpaceToDepth
    Split Squeeze Sub Tanh Tile Transpose Unsqueeze Where
    """
)
#: What gives whole numbers, and what gives truth values.
_WHOLE_NUMBERS = _names("ArgMax ArgMin NonZero Shape Size")
_TRUTH_VALUES = _names("And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor")

_LARGEST = float(np.finfo(np.float16).max)


def to_half(graph: EditableGraph) -> bool:
    """Makes the graph compute in float16.

    Weights of up to 65,536 elements are written anew; larger ones stay in their file and are converted by the graph,
    which onnxruntime does once, as it opens the graph.

    Returns:
        False = it has floats of another size, or operators that are not known here: it is as it was.
    """
    elements = _elements(graph)
    if elements is None or FLOAT not in elements.values():
        return False
    _Halving(graph, elements).rewrite()
    return True


def _elements(graph: EditableGraph) -> dict[str, int] | None:
    """The element type of every value that a node reads or makes; None = they are not known, or not float32."""
    elements = {"": 0, **graph.element_types()}
    for node in graph.nodes:
        for name in node.inputs:
            if name not in elements:
                weight = graph.weight_type(name)
                if weight is None:
                    return None
                elements[name] = weight
        made = _element_of_result(node, elements)
        if made is None or (len(node.outputs) > 1 and node.operator != "Split"):
            return None
        elements.update(dict.fromkeys(filter(None, node.outputs), made))
    return None if any(element in _OTHER_FLOATS for element in elements.values()) else elements


def _element_of_result(node: Node, elements: dict[str, int]) -> int | None:
    """The element type of what a node makes; None = its operator is not known here."""
    if node.domain not in ("", "ai.onnx"):
        known = node.domain == "com.microsoft" and node.operator in _IN_HALF_MICROSOFT
        return elements[node.inputs[0]] if known and node.inputs else None
    if node.operator in _WHOLE_NUMBERS or node.operator in _TRUTH_VALUES:
        return INT64 if node.operator in _WHOLE_NUMBERS else BOOL
    if node.operator == "Cast":
        to = node.attributes.get("to")
        return to if isinstance(to, int) else None
    if node.operator == "ConstantOfShape":
        value = node.attributes.get("value", np.zeros(1, np.float32))
        return FLOAT if isinstance(value, np.ndarray) and value.dtype == np.float32 else INT64
    read = node.inputs[1:] if node.operator == "Where" else node.inputs
    known = node.operator in _IN_HALF | _IN_FLOAT | _FOLLOWS
    return elements[read[0]] if known and read else None


def _results(graph: EditableGraph) -> set[str]:
    """The outputs of the graph, and what becomes one in a last step: float16 would give scores 10 bits."""
    results = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.operator in ("Identity", "Sigmoid") and not results.isdisjoint(node.outputs):
            results.update(node.inputs)
    return results


class _Halving:
    """Rewrites a graph node by node: each value is there in the size it was made in, and in the other once needed."""

    def __init__(self, graph: EditableGraph, elements: dict[str, int]) -> None:
        self._graph = graph
        self._elements = elements
        self._results = _results(graph)
        self._nodes: list[Node] = []
        self._made_in = dict.fromkeys(graph.inputs, FLOAT)  # of what is no weight
        self._names: dict[tuple[str, int], str] = {}  # of a value in a size, where that is not its own name

    def rewrite(self) -> None:
        """Puts the new nodes in the place of the old ones."""
        for node in self._graph.nodes:
            self._add(node)
        self._graph.nodes = self._nodes

    def _add(self, node: Node) -> None:
        size = self._size_of(node)
        if node.operator not in ("Shape", "Size"):  # these read what is there
            node.inputs = [self._in_size(name, size) for name in node.inputs]
        else:
            node.inputs = [self._in_size(name, self._made_in.get(name, FLOAT)) for name in node.inputs]
        floats = [name for name in node.outputs if self._elements[name] == FLOAT]
        self._made_in.update(dict.fromkeys(floats, size))
        self._nodes.append(node)
        if size == FLOAT16:
            for name in set(floats).intersection(self._graph.outputs):
                half = self._graph.free_name(f"{name}_half")
                node.outputs = [half if output == name else output for output in node.outputs]
                self._names[name, FLOAT16] = half
                self._cast(half, name, FLOAT)

    def _size_of(self, node: Node) -> int:
        """What a node computes in: float16 or float32."""
        if node.operator in _IN_HALF or node.domain == "com.microsoft":
            return FLOAT16
        if node.operator in _IN_FLOAT | _WHOLE_NUMBERS | _TRUTH_VALUES:
            return FLOAT
        a_square = node.operator == "Mul" and len(set(node.inputs)) == 1
        a_result = not self._results.isdisjoint(node.outputs)
        follows_float = any(self._made_in.get(name) == FLOAT for name in node.inputs if self._elements[name] == FLOAT)
        return FLOAT if a_square or a_result or follows_float else FLOAT16

    def _in_size(self, name: str, size: int) -> str:
        """The name of a value in a size; it is brought there where it is not."""
        if self._elements[name] != FLOAT:
            return name
        there = self._made_in.get(name, FLOAT)
        if (name, size) not in self._names and size != there:
            self._names[name, size] = made = self._graph.free_name(f"{name}_{'half' if size == FLOAT16 else 'float'}")
            value = None if name in self._made_in else self._graph.value(name)
            if value is None:
                self._cast(self._names.get((name, there), name), made, size)
            else:  # a constant for "minus infinity" must not become one: infinities give no numbers
                self._graph.add_weight(made, np.clip(value, -_LARGEST, _LARGEST).astype(np.float16))
        return self._names.get((name, size), name)

    def _cast(self, name: str, made: str, size: int) -> None:
        self._nodes.append(Node("Cast", [name], [made], attributes={"to": size}))

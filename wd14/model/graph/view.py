"""What can be read off a graph about its tensors: who makes and reads them, ranks, sizes, small constants."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.model.graph.editing import EditableGraph, Node

Size = int | tuple[str, int] | None
"""A number; that of the given axis of the given tensor; None = not known."""

#: Elements of a constant that is looked at: one for each row of the largest taggers' first stage.
_MOST_ELEMENTS = 1 << 18
#: Nodes that a shape is followed back through.
_DEEPEST_SHAPE = 24

# fmt: off
_LIKE_THE_FIRST = frozenset(
    {"AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Dropout", "Erf", "Exp", "Gelu",
     "GlobalAveragePool", "Identity", "LayerNormalization", "MaxPool", "Neg", "Pad", "Reciprocal", "Relu",
     "Resize", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Tanh"}
)
# fmt: on
_BROADCAST = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Where"})


class GraphView:
    """A graph as it was when the view was made; costs a pass over its nodes."""

    def __init__(self, graph: EditableGraph) -> None:
        self.graph = graph
        self.producers: dict[str, Node] = {}
        self.readers: defaultdict[str, list[int]] = defaultdict(list)  #: places of nodes in `graph.nodes`
        self.ranks: dict[str, int | None] = {**graph.input_ranks()}  #: of these, and of what nodes make
        self.constant = cache(self._constant)
        for place, node in enumerate(graph.nodes):
            for name in dict.fromkeys(node.inputs):
                self.readers[name].append(place)
            self.producers.update((name, node) for name in node.outputs)
            rank = self._rank_of_result(node)
            self.ranks.update((name, rank) for name in node.outputs)

    def rank(self, name: str) -> int | None:
        """How many axes a tensor has; None = not known."""
        shape = self.graph.weight_shape(name)
        return len(shape) if shape is not None else self.ranks.get(name)

    def numbers(self, node: Node, attribute: str, place: int) -> tuple[int, ...] | None:
        """Integers that a node is given as an attribute or, since some version, as the input at a place."""
        value = node.attributes.get(attribute)
        if isinstance(value, tuple) and all(isinstance(number, int) for number in value):
            return value
        if value is None and place < len(node.inputs) and node.inputs[place]:
            array = self.constant(node.inputs[place])
            if array is not None and array.dtype.kind == "i":
                return tuple(int(number) for number in array.ravel())
        return None

    def sizes(self, name: str, depth: int = 0) -> tuple[Size, ...] | None:
        """What a shape, computed in the graph, holds; None = not known at all."""
        if self.graph.weight_shape(name) is not None:
            array = self.constant(name)
            whole = array is not None and array.dtype.kind == "i" and array.ndim < 2
            return tuple(int(number) for number in array.ravel()) if array is not None and whole else None
        node = self.producers.get(name)
        if node is None or depth > _DEEPEST_SHAPE or node.domain not in ("", "ai.onnx"):
            return None
        if node.operator == "Shape":
            rank = self.rank(node.inputs[0])
            if rank is None or {"start", "end"} & node.attributes.keys():
                return None
            return tuple(self.size(node.inputs[0], axis) for axis in range(rank))
        if node.operator == "Concat":
            parts = [self.sizes(part, depth + 1) for part in node.inputs]
            return None if None in parts else tuple(size for part in parts if part is not None for size in part)
        inner = self.sizes(node.inputs[0], depth + 1) if node.inputs else None
        if inner is not None and node.operator == "Max" and len(node.inputs) == 2:
            other = self.sizes(node.inputs[1], depth + 1)
            same = other is not None and len(other) == len(inner)
            return tuple(a if a == b else None for a, b in zip(inner, other or (), strict=True)) if same else None
        return None if inner is None else self._of_sizes(node, inner)

    def _of_sizes(self, node: Node, sizes: tuple[Size, ...]) -> tuple[Size, ...] | None:
        if node.operator in ("Cast", "Identity", "Unsqueeze", "Squeeze"):
            return sizes
        if node.operator == "ReduceProd":
            factors = [size for size in sizes if size != 1]
            if all(isinstance(size, int) for size in factors):
                return (int(np.prod([size for size in factors if isinstance(size, int)], dtype=np.int64)),)
            return (factors[0] if len(factors) == 1 else None,)
        given = [self.constant(name) for name in node.inputs[1:]]
        if any(array is None or array.dtype.kind != "i" for array in given):
            return None
        lists = [tuple(int(number) for number in array.ravel()) for array in given if array is not None]
        if node.operator == "Gather" and len(lists) == 1 and all(-len(sizes) <= at < len(sizes) for at in lists[0]):
            return tuple(sizes[at] for at in lists[0])
        if node.operator == "Slice" and len(lists) in (2, 3) and all(len(numbers) == 1 for numbers in lists):
            return sizes[lists[0][0] : lists[1][0]]
        return None

    def size(self, name: str, axis: int) -> Size:
        """How long a tensor is along an axis: equal sizes that are found to be so compare equal."""
        node = self.producers.get(name)
        if node is not None and node.operator == "Transpose" and len(node.attributes.get("perm", ())) > axis:
            return self.size(node.inputs[0], node.attributes["perm"][axis])
        if node is not None and node.operator == "Reshape":
            sizes = self.sizes(node.inputs[1], 1)
            found = sizes[axis] if sizes is not None and axis < len(sizes) else None
            if found is not None and found not in (0, -1):
                return found
        return name, axis

    def _constant(self, name: str) -> NDArray[Any] | None:
        return self.graph.value(name, most=_MOST_ELEMENTS)

    def _rank_of_result(self, node: Node) -> int | None:
        ranks = [self.rank(name) for name in node.inputs if name]
        first = ranks[0] if ranks else None
        if node.operator in _LIKE_THE_FIRST:
            return first
        if node.operator in ("Conv", "ConvTranspose"):
            return ranks[1]
        if node.operator in _BROADCAST or (node.operator == "MatMul" and None not in ranks and 1 not in ranks):
            return None if None in ranks else max(rank for rank in ranks if rank is not None)
        if node.operator in ("Gemm", "Flatten"):
            return 2
        if node.operator == "Transpose":
            return len(node.attributes["perm"]) if "perm" in node.attributes else first
        if node.operator in ("Reshape", "Expand"):
            sizes = self.sizes(node.inputs[1])
            length = None if sizes is None else len(sizes)
            return length if node.operator == "Reshape" or None in (length, first) else max(length or 0, first or 0)
        if node.operator == "Einsum":
            equation = node.attributes.get("equation")
            _, _, result = equation.replace(b" ", b"").partition(b"->") if isinstance(equation, bytes) else (b"",) * 3
            return len(result) if result.isalpha() else None
        if node.operator == "Gather":
            return None if None in ranks else sum(rank for rank in ranks if rank is not None) - 1
        return self._rank_of_other(node, first)

    def _rank_of_other(self, node: Node, first: int | None) -> int | None:
        """Of what takes axes away, or adds some."""
        if first is None:
            return None
        axes = self.numbers(node, "axes", 1)
        if node.operator.startswith("Reduce") and node.attributes.get("keepdims", 1):
            return first
        if axes is not None and node.operator in ("Squeeze", "Unsqueeze"):
            return first + len(axes) * (1 if node.operator == "Unsqueeze" else -1)
        return first - len(axes) if axes is not None and node.operator.startswith("Reduce") else None

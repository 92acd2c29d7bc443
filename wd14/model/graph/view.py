"""What can be read off a graph about its tensors: who makes and reads them, ranks, sizes, small constants."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import Any

from numpy.typing import NDArray

from wd14.model.graph.editing import EditableGraph, Node

Size = int | tuple[str, int] | None
"""A number; that of the given axis of the given tensor; None = not known."""

#: Elements of a constant that is looked at: one for each row of the largest taggers' first stage.
_MOST_ELEMENTS = 1 << 18
#: Nodes that a shape is followed back through, and numbers in one.
_DEEPEST_SHAPE = 24
_MOST_SIZES = 16

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
        self._sizes: dict[str, tuple[Size, ...] | None] = {}
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
        if name not in self._sizes:
            self._sizes[name] = None  # of what is made from itself
            found = self._sizes_of(name, depth) if depth <= _DEEPEST_SHAPE else None
            self._sizes[name] = found if found is not None and len(found) <= _MOST_SIZES else None
        return self._sizes[name]

    def _sizes_of(self, name: str, depth: int) -> tuple[Size, ...] | None:
        shape = self.graph.weight_shape(name)
        if shape is not None:
            array = self.constant(name) if len(shape) < 2 and math.prod(shape) <= _MOST_SIZES else None
            known = array is not None and array.dtype.kind == "i"
            return tuple(int(number) for number in array.ravel()) if array is not None and known else None
        node = self.producers.get(name)
        if node is None or not node.inputs or node.domain not in ("", "ai.onnx"):
            return None
        if node.operator == "Shape":
            rank = self.rank(node.inputs[0])
            if rank is None or rank > _MOST_SIZES or {"start", "end"} & node.attributes.keys():
                return None
            return tuple(self.size(node.inputs[0], axis, depth + 1) for axis in range(rank))
        parts = [self.sizes(part, depth + 1) for part in node.inputs[: _MOST_SIZES + 1]]
        if node.operator == "Concat":
            return None if None in parts else tuple(size for part in parts if part is not None for size in part)
        if parts[0] is None:
            return None
        if node.operator == "Max" and len(parts) == 2:
            same = parts[1] is not None and len(parts[0]) == len(parts[1])
            return tuple(a if a == b else None for a, b in zip(parts[0], parts[1] or (), strict=True)) if same else None
        return self._of_sizes(node, parts[0])

    def _of_sizes(self, node: Node, sizes: tuple[Size, ...]) -> tuple[Size, ...] | None:
        if node.operator in ("Cast", "Identity", "Unsqueeze", "Squeeze"):
            return sizes
        if node.operator == "ReduceProd":
            factors = [size for size in sizes if size != 1]
            if all(isinstance(size, int) for size in factors):
                return (math.prod(size for size in factors if isinstance(size, int)),)
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

    def size(self, name: str, axis: int, depth: int = 0) -> Size:
        """How long a tensor is along an axis: equal sizes that are found to be so compare equal."""
        node = self.producers.get(name) if depth <= _DEEPEST_SHAPE else None
        if node is None or not node.inputs:
            return name, axis
        if node.operator == "Transpose":
            order = self.numbers(node, "perm", 1)
            if order is not None and 0 <= axis < len(order):
                return self.size(node.inputs[0], order[axis], depth + 1)
        if node.operator == "Conv" and axis == 1 and len(node.inputs) > 1:
            shape = self.graph.weight_shape(node.inputs[1])
            return shape[0] if shape else (name, axis)
        if node.operator == "Reshape" and len(node.inputs) == 2:
            sizes = self.sizes(node.inputs[1], depth + 1)
            found = sizes[axis] if sizes is not None and 0 <= axis < len(sizes) else None
            if found is not None and found not in (0, -1):
                return found
        return name, axis

    def _constant(self, name: str) -> NDArray[Any] | None:
        return self.graph.value(name, most=_MOST_ELEMENTS)

    def _rank_of_result(self, node: Node) -> int | None:
        ranks = [self.rank(name) for name in node.inputs if name]
        first = ranks[0] if ranks else None
        known = [rank for rank in ranks if rank is not None]
        if node.operator in _LIKE_THE_FIRST:
            return first
        if node.operator in ("Conv", "ConvTranspose"):
            return ranks[1] if len(ranks) > 1 else None
        if node.operator in _BROADCAST or (node.operator == "MatMul" and 1 not in ranks):
            return max(known) if known and len(known) == len(ranks) else None
        if node.operator in ("Gemm", "Flatten"):
            return 2
        if node.operator in ("Reshape", "Expand") and len(node.inputs) == 2:
            sizes = self.sizes(node.inputs[1])
            if sizes is None or node.operator == "Reshape":
                return None if sizes is None else len(sizes)
            return None if first is None else max(first, len(sizes))
        if node.operator == "Einsum":
            equation = node.attributes.get("equation")
            _, _, result = equation.replace(b" ", b"").partition(b"->") if isinstance(equation, bytes) else (b"",) * 3
            return len(result) if result.isalpha() else None
        if node.operator == "Gather":
            return sum(known) - 1 if len(known) == len(ranks) == 2 else None
        return self._rank_of_other(node, first)

    def _rank_of_other(self, node: Node, first: int | None) -> int | None:
        """Of what turns axes, takes some away, or adds some."""
        if node.operator == "Transpose":
            order = self.numbers(node, "perm", 1)
            return first if order is None else len(order)
        if first is None:
            return None
        axes = self.numbers(node, "axes", 1)
        if node.operator.startswith("Reduce") and node.attributes.get("keepdims", 1):
            return first
        if axes is not None and node.operator in ("Squeeze", "Unsqueeze"):
            return first + len(axes) * (1 if node.operator == "Unsqueeze" else -1)
        return first - len(axes) if axes is not None and node.operator.startswith("Reduce") else None

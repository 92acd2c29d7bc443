"""ONNX graphs written as formulas: `Tensor` overloads the operators, `Graph` collects the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

Operand = Union["Tensor", float]

#: Old enough for onnxruntime 1.21, and then fixed: the file must not change with the `onnx` that writes it.
OPSET = 17
IR_VERSION = 8


class Graph:
    """Nodes and constants, named in the order in which they were made, so that a build is reproducible."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}

    def constant(self, value: ArrayLike, dtype: type[np.generic] = np.float32) -> Tensor:
        """A constant; equal ones are stored once."""
        array: NDArray[Any] = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        array = array.reshape(np.shape(value))  # ascontiguousarray makes a scalar one-dimensional
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, name=f"c{len(self._constants)}")
        return Tensor(self, self._constants[key].name)

    def node(self, op: str, *inputs: Tensor, **attributes: Any) -> Tensor:
        """Adds a node with one output."""
        output = f"{op.lower()}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(op, [tensor.name for tensor in inputs], [output], name=output, **attributes)
        )
        return Tensor(self, output)

    def tensor(self, name: str) -> Tensor:
        """An input of the graph."""
        return Tensor(self, name)

    def model(self, output: Tensor, *, input_shape: Sequence[int | str], width: int, doc: str) -> onnx.ModelProto:
        """The finished model: float32 `input` of `input_shape`, float32 `output` of (batch, width)."""
        self._nodes.append(helper.make_node("Identity", [output.name], ["output"], name="output"))
        graph = helper.make_graph(
            self._nodes,
            "colours",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [input_shape[0], width])],
            initializer=list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="wd14-captioner",
            producer_version="",
            doc_string=doc,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


class Tensor:
    """A value in the graph."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def _with(self, op: str, other: Operand, *, swap: bool = False) -> Tensor:
        right = other if isinstance(other, Tensor) else self.graph.constant(other)
        return self.graph.node(op, right, self) if swap else self.graph.node(op, self, right)

    def __add__(self, other: Operand) -> Tensor:
        return self._with("Add", other)

    def __radd__(self, other: float) -> Tensor:
        return self._with("Add", other)

    def __sub__(self, other: Operand) -> Tensor:
        return self._with("Sub", other)

    def __rsub__(self, other: float) -> Tensor:
        return self._with("Sub", other, swap=True)

    def __mul__(self, other: Operand) -> Tensor:
        return self._with("Mul", other)

    def __rmul__(self, other: float) -> Tensor:
        return self._with("Mul", other)

    def __truediv__(self, other: Operand) -> Tensor:
        return self._with("Div", other)

    def __rtruediv__(self, other: float) -> Tensor:
        return self._with("Div", other, swap=True)

    def __matmul__(self, other: Tensor) -> Tensor:
        return self._with("MatMul", other)

    def __pow__(self, exponent: float) -> Tensor:
        return self._with("Pow", exponent)

    def below(self, bound: Operand) -> Tensor:
        """1.0 where self < bound, else 0.0."""
        return self.graph.node("Cast", self._with("Less", bound), to=TensorProto.FLOAT)

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of the two, element by element."""
        return self._with("Min", other)

    def maximum(self, other: Operand) -> Tensor:
        """The greater of the two, element by element."""
        return self._with("Max", other)

    def clip(self, low: float, high: float) -> Tensor:
        """Bounds to [low, high]."""
        return self.graph.node("Clip", self, self.graph.constant(low), self.graph.constant(high))

    def sqrt(self) -> Tensor:
        """Square root; a rounding error below zero counts as zero."""
        return self.graph.node("Sqrt", self.maximum(0.0))

    def exp(self) -> Tensor:
        """The exponential."""
        return self.graph.node("Exp", self)

    def abs(self) -> Tensor:
        """The magnitude."""
        return self.graph.node("Abs", self)

    def sigmoid(self) -> Tensor:
        """The logistic function."""
        return self.graph.node("Sigmoid", self)

    def softmax(self, axis: int) -> Tensor:
        """Softmax over one axis."""
        return self.graph.node("Softmax", self, axis=axis)

    def transpose(self, *order: int) -> Tensor:
        """Axes in a new order."""
        return self.graph.node("Transpose", self, perm=list(order))

    def reshape(self, *shape: int) -> Tensor:
        """A new shape; 0 keeps that dimension, -1 takes what is left."""
        return self.graph.node("Reshape", self, self.graph.constant(shape, np.int64))

    def sum(self, *axes: int) -> Tensor:
        """Sum over axes, which stay as dimensions of 1."""
        return self.graph.node("ReduceSum", self, self.graph.constant(axes, np.int64), keepdims=1)

    def max(self, *axes: int) -> Tensor:
        """Maximum over axes, which stay as dimensions of 1."""
        return self.graph.node("ReduceMax", self, axes=list(axes), keepdims=1)

    def min(self, *axes: int) -> Tensor:
        """Minimum over axes, which stay as dimensions of 1."""
        return self.graph.node("ReduceMin", self, axes=list(axes), keepdims=1)

    def average_pool(self, height: int, width: int) -> Tensor:
        """Means of blocks of height x width."""
        return self.graph.node("AveragePool", self, kernel_shape=[height, width], strides=[height, width])

    def max_pool(self, height: int, width: int, *, missing: tuple[int, int] = (0, 0)) -> Tensor:
        """Maxima of blocks of height x width; the last blocks may lack some rows or columns."""
        block = [height, width]
        return self.graph.node("MaxPool", self, kernel_shape=block, strides=block, pads=[0, 0, *missing])

    def part(self, axis: int, start: int, stop: int) -> Tensor:
        """Elements start..stop of one axis."""
        graph = self.graph
        bounds = [graph.constant([number], np.int64) for number in (start, stop, axis)]
        return graph.node("Slice", self, *bounds)


def concat(tensors: Iterable[Tensor], axis: int) -> Tensor:
    """Joins tensors along an axis."""
    several = list(tensors)
    return several[0].graph.node("Concat", *several, axis=axis)


def above(value: Tensor, middle: float, width: float) -> Tensor:
    """Probability that rises with `value`: 1/2 at `middle`, 0.12 and 0.88 at `middle` -/+ 2 `width`."""
    return ((value - middle) * (1.0 / width)).sigmoid()


def under(value: Tensor, middle: float, width: float) -> Tensor:
    """Probability that falls with `value`: the mirror image of `above`."""
    return above(value, middle, -width)

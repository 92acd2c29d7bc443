"""LayerNorm and GELU in the pieces that exporters write, node by node as they were seen in real exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 6
EPSILON = 1e-3
_RNG = np.random.default_rng(3)
SCALE = _RNG.normal(1, 0.3, CHANNELS).astype(np.float32)
BIAS = _RNG.normal(0, 0.3, CHANNELS).astype(np.float32)


class Pieces:
    """Nodes that are put together; constants are made where they are used."""

    def __init__(self, opset: int = 17, *, flipped: bool = False) -> None:
        self.opset = opset
        self.flipped = flipped  #: sums and products have their operands the other way round
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant's name."""
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """The name of what a node gives; what is no name is a constant."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        if self.flipped and operator in ("Add", "Mul", "Max"):
            names.reverse()
        name = f"{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [name], name=name, **attributes))
        return name

    def over(self, operator: str, x: str, axes: list[int], *, keep: bool = True) -> str:
        """A reduction; its axes are an attribute or, in later versions, an input."""
        first = 13 if operator == "ReduceSum" else 18
        if self.opset < first:
            return self.node(operator, x, axes=axes, keepdims=int(keep))
        return self.node(operator, x, self.constant(axes, np.int64), keepdims=int(keep))

    def squeeze(self, x: str, axes: list[int]) -> str:
        """Takes axes away."""
        if self.opset < 13:
            return self.node("Squeeze", x, axes=axes)
        return self.node("Squeeze", x, self.constant(axes, np.int64))

    def reshape(self, x: str, *sides: int) -> str:
        """To fixed sides."""
        return self.node("Reshape", x, self.constant(sides, np.int64))

    def save(self, path: Path, x: list[int | str], outputs: list[str], *, element: int = TensorProto.FLOAT) -> Path:
        """A model that takes `x`."""
        graph = helper.make_graph(
            self.nodes,
            "pieces",
            [helper.make_tensor_value_info("x", element, x)],
            [helper.make_tensor_value_info(name, element, None) for name in outputs],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.save(model, str(path))
        return path


def torch(p: Pieces, x: str) -> str:
    centred = p.node("Sub", x, p.over("ReduceMean", x, [-1]))
    variance = p.over("ReduceMean", p.node("Pow", centred, 2.0), [-1])
    normal = p.node("Div", centred, p.node("Sqrt", p.node("Add", variance, EPSILON)))
    return p.node("Add", p.node("Mul", normal, SCALE), BIAS)


def torch_without_bias(p: Pieces, x: str) -> str:
    centred = p.node("Sub", x, p.over("ReduceMean", x, [-1]))
    variance = p.over("ReduceMean", p.node("Mul", centred, centred), [-1])
    return p.node("Mul", p.node("Div", centred, p.node("Pow", p.node("Add", variance, EPSILON), 0.5)), SCALE)


def keras(p: Pieces, x: str) -> str:
    """tf.nn.moments and tf.nn.batch_normalization."""
    mean = p.over("ReduceMean", x, [2])
    difference = p.node("Sub", x, mean)
    variance = p.over("ReduceMean", p.node("Mul", difference, difference), [2])
    inverse = p.node("Mul", p.node("Reciprocal", p.node("Sqrt", p.node("Add", variance, [[[EPSILON]]]))), SCALE)
    return p.node("Add", p.node("Mul", x, inverse), p.node("Sub", BIAS, p.node("Mul", mean, inverse)))


def keras_3(p: Pieces, x: str) -> str:
    mean = p.over("ReduceMean", x, [-1])
    difference = p.node("Sub", x, mean)
    variance = p.over("ReduceMean", p.node("Mul", difference, difference), [-1])
    inverse = p.node("Mul", p.node("Reciprocal", p.node("Sqrt", p.node("Add", variance, EPSILON))), SCALE)
    shift = p.node("Add", p.node("Mul", p.node("Neg", mean), inverse), BIAS)
    return p.node("Add", p.node("Mul", x, inverse), shift)


def keras_pooled(p: Pieces, x: str) -> str:
    """tf2onnx's mean over the last of three axes."""
    mean = p.node("GlobalAveragePool", x)
    difference = p.node("Sub", x, mean)
    variance = p.node("GlobalAveragePool", p.node("Mul", difference, difference))
    inverse = p.node("Mul", p.node("Reciprocal", p.node("Sqrt", p.node("Add", variance, EPSILON))), SCALE)
    return p.node("Add", p.node("Mul", x, inverse), p.node("Sub", BIAS, p.node("Mul", mean, inverse)))


def keras_by_batch_norm(p: Pieces, x: str) -> str:
    """Keras 2 with an epsilon of 1.001e-5 and more, exported for one picture (2 * 5 rows here)."""
    rows = p.reshape(x, 1, 10, CHANNELS, 1)
    width = p.node("Cast", p.over("ReduceProd", _sides(p, rows, [0, 2, 3]), [0], keep=False), to=TensorProto.FLOAT)
    normal = batch_norm(p, rows, width, np.ones(10), np.zeros(10))
    return p.node("Add", p.node("Mul", p.reshape(normal, 2, 5, CHANNELS), SCALE), BIAS)


def keras_by_batch_norm_of_any_batch(p: Pieces, x: str) -> str:
    """The same with shapes that are computed."""
    shape = p.node("Cast", p.node("Shape", x), to=TensorProto.INT32)
    parts = []
    for start, end in ((0, 2), (2, 2**31 - 1)):
        bounds = [p.constant([number], np.int64) for number in (start, end, 0)]
        product = p.over("ReduceProd", p.node("Slice", shape, *bounds), [0], keep=False)
        parts.append(p.node("Unsqueeze", product, p.constant([0], np.int64)))
    one = p.constant([1], np.int32)
    rows_shape = p.node("Cast", p.node("Concat", one, *parts, one, axis=0), to=TensorProto.INT64)
    rows = p.node("Reshape", x, rows_shape)
    length = p.node("Cast", parts[0], to=TensorProto.INT64)
    ones, zeros = (p.node("Expand", number, length) for number in (1.0, 0.0))
    width = p.node("Cast", p.over("ReduceProd", _sides(p, rows, [0, 2, 3]), [0], keep=False), to=TensorProto.FLOAT)
    normal = batch_norm(p, rows, width, ones, zeros)
    back = p.node("Reshape", normal, p.node("Cast", shape, to=TensorProto.INT64))
    return p.node("Add", p.node("Mul", back, SCALE), BIAS)


def _sides(p: Pieces, x: str, axes: list[int]) -> str:
    return p.node("Gather", p.node("Shape", x), p.constant(axes, np.int64))


def batch_norm(p: Pieces, rows: str, width: str, scale: Any, offset: Any) -> str:
    """Rows by their own mean and variance, `width` being how many numbers a row has."""
    mean = p.over("ReduceMean", rows, [0, 2, 3])
    squares = p.over("ReduceSumSquare", p.node("Sub", rows, mean), [0, 2, 3], keep=False)
    variance = p.node("Div", squares, width)
    return p.node("BatchNormalization", rows, scale, offset, p.squeeze(mean, [0, 2, 3]), variance, epsilon=EPSILON)


def flax(p: Pieces, x: str) -> str:
    """The variance from the mean of the squares, never below zero; means without their axis, which comes back later."""
    mean = p.node("Mul", p.over("ReduceSum", x, [2], keep=False), 1 / CHANNELS)
    squares = p.node("Mul", p.over("ReduceSum", p.node("Mul", x, x), [2], keep=False), 1 / CHANNELS)
    variance = p.node("Max", 0.0, p.node("Sub", squares, p.node("Mul", mean, mean)))
    mean, variance = (
        p.node("Expand", p.reshape(value, 2, 5, 1), p.constant([2, 5, 1], np.int64)) for value in (mean, variance)
    )
    inverse = p.node("Reciprocal", p.node("Sqrt", p.node("Add", variance, EPSILON)))
    product = p.node("Mul", p.node("Sub", x, mean), p.node("Mul", inverse, SCALE.reshape(1, 1, CHANNELS)))
    return p.node("Add", product, BIAS.reshape(1, 1, CHANNELS))


LAYER_NORMS: dict[str, Callable[[Pieces, str], str]] = {
    made.__name__: made
    for made in (
        torch,
        torch_without_bias,
        keras,
        keras_3,
        keras_pooled,
        keras_by_batch_norm,
        keras_by_batch_norm_of_any_batch,
        flax,
    )
}


def keras_channels_first(p: Pieces, x: str) -> str:
    """Over the second of four axes: what tf2onnx makes of a Keras LayerNorm between convolutions."""
    wide = (1, CHANNELS, 1, 1)
    mean = p.over("ReduceMean", x, [1])
    difference = p.node("Sub", x, p.reshape(mean, -1, 1, 3, 4))
    variance = p.over("ReduceMean", p.node("Mul", difference, difference), [1])
    root = p.node("Sqrt", p.node("Add", variance, [[[[EPSILON]]]]))
    inverse = p.node("Mul", p.node("Reciprocal", root), SCALE.reshape(wide))
    return p.node("Add", p.node("Mul", x, inverse), p.node("Sub", BIAS.reshape(wide), p.node("Mul", mean, inverse)))


def flax_between_convolutions(p: Pieces, x: str) -> str:
    """Takes channels first, gives channels last."""
    last = [0, 2, 3, 1]
    turned = p.node("Transpose", x, perm=last)
    mean = p.node("Mul", p.over("ReduceSum", turned, [3], keep=False), 1 / CHANNELS)
    square = p.node("Transpose", p.node("Mul", x, x), perm=last)
    squares = p.node("Mul", p.over("ReduceSum", square, [3], keep=False), 1 / CHANNELS)
    variance = p.node("Max", 0.0, p.node("Sub", squares, p.node("Mul", mean, mean)))
    inverse = p.node("Reciprocal", p.node("Sqrt", p.node("Add", p.reshape(variance, 2, 3, 4, 1), EPSILON)))
    centred = p.node("Sub", x, p.reshape(p.reshape(mean, 2, 3, 4, 1), -1, 1, 3, 4))
    scale, bias = (value.reshape(1, 1, 1, CHANNELS) for value in (SCALE, BIAS))
    return p.node("Add", p.node("Mul", p.node("Transpose", centred, perm=last), p.node("Mul", inverse, scale)), bias)


def erf_of_torch(p: Pieces, x: str) -> str:
    factor = p.node("Add", p.node("Erf", p.node("Div", x, 2**0.5)), 1.0)
    return p.node("Mul", p.node("Mul", x, factor), 0.5)


def erf_of_keras(p: Pieces, x: str) -> str:
    factor = p.node("Add", [[[1.0]]], p.node("Erf", p.node("Mul", x, 0.5**0.5)))
    return p.node("Mul", p.node("Mul", 0.5, x), factor)


def erf_of_flax(p: Pieces, x: str) -> str:
    return p.node("Mul", x, p.node("Mul", p.node("Add", p.node("Erf", p.node("Div", x, 2**0.5)), 1.0), 0.5))


def tanh_of_torch(p: Pieces, x: str) -> str:
    cubic = p.node("Add", x, p.node("Mul", p.node("Pow", x, 3.0), 0.044715))
    factor = p.node("Add", p.node("Tanh", p.node("Mul", cubic, (2 / np.pi) ** 0.5)), 1.0)
    return p.node("Mul", p.node("Mul", x, 0.5), factor)


def tanh_of_flax(p: Pieces, x: str) -> str:
    cube = p.node("Mul", x, p.node("Mul", x, p.node("Mul", 0.044715, x)))
    tanh = p.node("Tanh", p.node("Mul", (2 / np.pi) ** 0.5, p.node("Add", x, cube)))
    return p.node("Mul", x, p.node("Mul", 0.5, p.node("Add", 1.0, tanh)))


def tanh_of_keras(p: Pieces, x: str) -> str:
    """tf2onnx turns the axes for the power and back again."""
    cube = p.node("Pow", p.node("Transpose", x, perm=[0, 2, 1]), 3.0)
    cube = p.node("Transpose", p.node("Mul", 0.044715, cube), perm=[0, 2, 1])
    tanh = p.node("Tanh", p.node("Mul", (2 / np.pi) ** 0.5, p.node("Add", x, cube)))
    return p.node("Mul", p.node("Mul", 0.5, x), p.node("Add", 1.0, tanh))


GELUS: dict[str, Callable[[Pieces, str], str]] = {
    made.__name__: made
    for made in (erf_of_torch, erf_of_keras, erf_of_flax, tanh_of_torch, tanh_of_flax, tanh_of_keras)
}


def layer_norm(x: NDArray[np.float32], *, bias: bool = True) -> NDArray[np.float64]:
    """Over the last axis, in float64."""
    exact = x.astype(np.float64)
    normal = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + EPSILON)
    return np.asarray(normal * SCALE + (BIAS if bias else 0))

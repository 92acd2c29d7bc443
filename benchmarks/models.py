"""Taggers of the published architectures with random weights: speed does not depend on the weights.

Each becomes a model folder (`model.onnx` + `selected_tags.csv`), which the captioner takes like a real one: NHWC input,
scaling and sigmoid inside. The graphs have the shape that the exporters of the published models give them, as far as it
costs time; shapes are constants. Needs the `onnx` package.

PyTorch's exporter (the v3 taggers): LayerNorm as one operator, GELU in five, which onnxruntime puts together itself.
tf2onnx, from Keras (the v2 taggers): LayerNorm in about ten operators, by batch normalisation where its epsilon is
0.001 and by moments where it is smaller; GELU in an order in which onnxruntime leaves it in pieces.

ConvNeXt-B: Liu et al., "A ConvNet for the 2020s" (2022): depths 3, 3, 27, 3, widths 128 to 1024. `convnext-b` as from
Keras, for one picture at a time; `convnext-b-v3` as from PyTorch.
ViT-B/16: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2020): 12 blocks of width 768 with 12 heads; mean of the
tokens instead of a class token. As from PyTorch.
EVA02-L/14: Fang et al., "EVA-02: A Visual Representation for Neon Genesis" (2023): 24 blocks of width 1024 with 16
heads, a gated MLP of 2730. As from PyTorch.
SwinV2-B: Liu et al., "Swin Transformer V2" (2022): depths 2, 2, 18, 2, widths 128 to 1024, windows of 14 x 14, every
other one shifted by 7; attention by cosine, norms after the branches, the bias of relative positions as a constant.
As from Keras.
The operators of `convnext-b` are those of a ConvNeXt-B that was really exported (TensorFlow 2.15, tf2onnx 1.17), and
take the same time. Sizes agree with the published files: 388 MB (wd-v1-4-convnext-tagger-v2), about 455 MB
(wd-v1-4-swinv2-tagger-v2), and for 10,861 tags 378 MB (wd-vit-tagger-v3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 448
TAGS = 9083
#: Logits that make about 40 of 9083 tags pass a threshold of 0.35, like a real tagger's.
LOGIT_MEAN, LOGIT_SPREAD = -6.0, 2.0


class Builder:
    """Nodes, weights, and floating point operations for one image (2 for a multiplication and addition)."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.flop = 0

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node. Returns the name of its output."""
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """Adds a constant. Returns its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def normal(self, *shape: int, scale: float, mean: float = 0.0) -> str:
        """Adds normally distributed weights. (Ones and zeros would be optimised away.)"""
        values: NDArray[np.float32] = self.random.standard_normal(shape, dtype=np.float32)
        values *= np.float32(scale)
        values += np.float32(mean)
        return self.constant(values)

    def dense(self, x: str, rows: int, width: int, out: int, *, scale: float | None = None, bias: float = 0.0) -> str:
        """`rows` vectors of `width` to vectors of `out`."""
        self.flop += 2 * rows * width * out
        product = self.node("MatMul", x, self.normal(width, out, scale=scale or 1 / math.sqrt(width)))
        return self.node("Add", product, self.normal(out, scale=0.02, mean=bias))

    def convolution(
        self, x: str, side: int, channels: int, out: int, kernel: int, *, depthwise: bool = False, size: float = 1.0
    ) -> str:
        """NCHW; depthwise: stride 1, same size; otherwise patches that do not overlap. `side` is that of the output."""
        per_group = 1 if depthwise else channels
        self.flop += 2 * side * side * out * per_group * kernel * kernel
        weight = self.normal(out, per_group, kernel, kernel, scale=size / (kernel * math.sqrt(per_group)))
        shape: dict[str, Any] = {"kernel_shape": [kernel, kernel]}
        if depthwise:
            x, pads = self.border(x, kernel // 2)
            shape |= {"pads": pads, "group": channels}
        else:
            shape |= {"strides": [kernel, kernel]}
        return self.node("Conv", x, weight, self.normal(out, scale=0.02), **shape)

    def border(self, x: str, width: int) -> tuple[str, list[int]]:
        """What a convolution with a border of zeros, NCHW, is given: its input, and its own border."""
        return x, [width] * 4

    def layer_norm(self, x: str, width: int) -> str:
        """Over the last axis."""
        scale, bias = self.normal(width, scale=0.02, mean=1.0), self.normal(width, scale=0.02)
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-6)

    def gelu(self, x: str) -> str:
        """The exact one, with the error function."""
        erf = self.node("Erf", self.node("Div", x, self.constant(math.sqrt(2))))
        product = self.node("Mul", x, self.node("Add", erf, self.constant(1.0)))
        return self.node("Mul", product, self.constant(0.5))

    def scaled_input(self) -> str:
        """`input`, 0..255, to -1..1, and from NHWC to NCHW."""
        centred = self.node("Sub", self.node("Mul", "input", self.constant(1 / 127.5)), self.constant(1.0))
        return self.node("Transpose", centred, perm=[0, 3, 1, 2])

    def integers(self, *values: int) -> str:
        """Adds a list of whole numbers, such as a shape."""
        return self.constant(values, np.int64)

    def mean(self, x: str, axes: Sequence[int]) -> str:
        """Over axes, which are gone afterwards."""
        return self.node("ReduceMean", x, axes=axes, keepdims=0)

    def head(self, x: str, width: int) -> str:
        """(batch, width), after its norm, to probabilities."""
        return self.node(
            "Sigmoid", self.dense(x, 1, width, TAGS, scale=LOGIT_SPREAD / math.sqrt(width), bias=LOGIT_MEAN)
        )


class KerasBuilder(Builder):
    """Operators as tf2onnx writes those of Keras."""

    def border(self, x: str, width: int) -> tuple[str, list[int]]:
        """Zeros by an operator of their own."""
        return self.node("Pad", x, self.integers(0, 0, width, width, 0, 0, width, width)), [0] * 4

    def layer_norm(self, x: str, width: int) -> str:
        """By moments."""
        scale, bias = self.normal(width, scale=0.02, mean=1.0), self.normal(width, scale=0.02)
        mean = self.node("ReduceMean", x, axes=[-1], keepdims=1)
        off = self.node("Sub", x, mean)
        variance = self.node("ReduceMean", self.node("Mul", off, off), axes=[-1], keepdims=1)
        deviation = self.node("Sqrt", self.node("Add", variance, self.constant(1e-5)))
        factor = self.node("Mul", self.node("Reciprocal", deviation), scale)
        return self.node("Add", self.node("Mul", x, factor), self.node("Sub", bias, self.node("Mul", mean, factor)))

    def layer_norm_of_one(self, x: str, shape: tuple[int, ...]) -> str:
        """By batch normalisation, in which the rows of one picture of this shape are the channels."""
        rows, width = math.prod(shape[:-1]), shape[-1]
        x = self.node("Reshape", x, self.integers(1, rows, width, 1))
        axes = [0, 2, 3]
        mean = self.node("ReduceMean", x, axes=axes, keepdims=1)
        squares = self.node("ReduceSumSquare", self.node("Sub", x, mean), axes=axes, keepdims=0)
        lengths = self.node("Gather", self.node("Shape", x), self.integers(*axes))
        count = self.node("Cast", self.node("ReduceProd", lengths, axes=[0], keepdims=0), to=TensorProto.FLOAT)
        x = self.node(
            "BatchNormalization",
            x,
            self.constant(np.ones(rows)),
            self.constant(np.zeros(rows)),
            self.node("Squeeze", mean, self.integers(*axes)),
            self.node("Div", squares, count),
            epsilon=1e-3,
        )
        x = self.node("Reshape", x, self.integers(*shape))
        x = self.node("Mul", x, self.normal(width, scale=0.02, mean=1.0))
        return self.node("Add", x, self.normal(width, scale=0.02))

    def gelu(self, x: str) -> str:
        """The exact one."""
        erf = self.node("Erf", self.node("Mul", x, self.constant(math.sqrt(0.5))))
        one_more = self.node("Add", self.constant(1.0), erf)
        return self.node("Mul", self.node("Mul", self.constant(0.5), x), one_more)


#: ConvNeXt-B: blocks and channels of each stage.
STAGES = ((3, 128), (3, 256), (27, 512), (3, 1024))


def convnext_b_from_keras(build: Builder) -> str:
    """ConvNeXt-B, every layer a convolution; NCHW except in the norms."""
    if not isinstance(build, KerasBuilder):
        raise TypeError(f"expected a KerasBuilder, got {type(build).__name__}")
    x, channels, side = build.scaled_input(), 3, SIDE

    def norm(x: str, width: int) -> str:
        rows_last = build.node("Transpose", x, perm=[0, 2, 3, 1])
        return build.node("Transpose", build.layer_norm_of_one(rows_last, (1, side, side, width)), perm=[0, 3, 1, 2])

    for stage, (depth, width) in enumerate(STAGES):
        kernel = 2 if stage else 4
        side //= kernel
        x = build.convolution(x, side, channels, width, kernel)
        if not stage:
            x = norm(x, width)
        for _ in range(depth):
            y = norm(build.convolution(x, side, width, width, 7, depthwise=True), width)
            y = build.gelu(build.convolution(y, side, width, 4 * width, 1))
            x = build.node("Add", build.convolution(y, side, 4 * width, width, 1, size=0.1), x)
        if stage < 3:
            x = norm(x, width)
        channels = width
    x = build.node("Squeeze", build.node("GlobalAveragePool", x), build.integers(2, 3))
    return build.head(build.layer_norm_of_one(x, (1, channels)), channels)


def convnext_b(build: Builder) -> str:
    """ConvNeXt-B; NHWC except in the convolutions."""
    x, channels, side = build.scaled_input(), 3, SIDE
    for stage, (depth, width) in enumerate(STAGES):
        kernel = 2 if stage else 4
        side //= kernel
        x = build.convolution(x, side, channels, width, kernel)
        x = build.node("Transpose", x, perm=[0, 2, 3, 1])
        if not stage:
            x = build.layer_norm(x, width)
        for _ in range(depth):
            y = build.node("Transpose", x, perm=[0, 3, 1, 2])
            y = build.convolution(y, side, width, width, 7, depthwise=True)
            y = build.layer_norm(build.node("Transpose", y, perm=[0, 2, 3, 1]), width)
            y = build.gelu(build.dense(y, side * side, width, 4 * width))
            y = build.dense(y, side * side, 4 * width, width)
            x = build.node("Add", x, build.node("Mul", y, build.normal(width, scale=0.02, mean=0.1)))
        if stage < 3:
            x = build.node("Transpose", build.layer_norm(x, width), perm=[0, 3, 1, 2])
        channels = width
    return build.head(build.layer_norm(build.mean(x, [1, 2]), channels), channels)


def vit_b16(build: Builder) -> str:
    """ViT-B/16."""
    width, heads, side = 768, 12, SIDE // 16
    tokens, part = side * side, width // heads
    x = build.convolution(build.scaled_input(), side, 3, width, 16)
    x = build.node("Reshape", x, build.constant([0, width, tokens], np.int64))
    x = build.node("Add", build.node("Transpose", x, perm=[0, 2, 1]), build.normal(1, tokens, width, scale=0.02))
    for _ in range(12):
        y = build.layer_norm(x, width)
        split = []
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):  # queries, keys, values
            z = build.dense(y, tokens, width, width)
            z = build.node("Reshape", z, build.constant([0, tokens, heads, part], np.int64))
            split.append(build.node("Transpose", z, perm=order))
        query = build.node("Mul", split[0], build.constant(1 / math.sqrt(part)))
        build.flop += 2 * 2 * tokens * tokens * width
        attention = build.node("Softmax", build.node("MatMul", query, split[1]), axis=-1)
        z = build.node("Transpose", build.node("MatMul", attention, split[2]), perm=[0, 2, 1, 3])
        z = build.node("Reshape", z, build.constant([0, tokens, width], np.int64))
        x = build.node("Add", x, build.dense(z, tokens, width, width))
        y = build.gelu(build.dense(build.layer_norm(x, width), tokens, width, 4 * width))
        x = build.node("Add", x, build.dense(y, tokens, 4 * width, width))
    return build.head(build.layer_norm(build.mean(x, [1]), width), width)


#: SwinV2: pixels of a side of a window, and of its shift; channels of a head.
WINDOW, SHIFT, PART = 14, 7, 32


def swinv2_b(build: Builder) -> str:
    """SwinV2-B; between its parts a picture is (batch, pixels, width)."""
    side, width = SIDE // 4, 128
    x = build.node("Transpose", build.convolution(build.scaled_input(), side, 3, width, 4), perm=[0, 2, 3, 1])
    x = build.layer_norm(build.node("Reshape", x, build.integers(-1, side * side, width)), width)
    for stage, depth in enumerate((2, 2, 18, 2)):
        for block in range(depth):
            shift = SHIFT if block % 2 and side > WINDOW else 0
            x = build.node("Add", x, build.layer_norm(_window_attention(build, x, side, width, shift), width))
            y = build.gelu(build.dense(x, side * side, width, 4 * width))
            y = build.dense(y, side * side, 4 * width, width)
            x = build.node("Add", x, build.layer_norm(y, width))
        if stage < 3:
            x, side, width = _merged(build, x, side, width), side // 2, 2 * width
    return build.head(build.mean(build.layer_norm(x, width), [1]), width)


def _window_attention(build: Builder, x: str, side: int, width: int, shift: int) -> str:
    """Attention within windows; with a shift, pixels that were no neighbours do not see each other."""
    heads, tokens, count = width // PART, WINDOW * WINDOW, side // WINDOW
    x = build.node("Reshape", x, build.integers(-1, side, side, width))
    x = build.node("Reshape", _rolled(build, x, side, shift), build.integers(-1, count, WINDOW, count, WINDOW, width))
    x = build.node("Transpose", x, perm=[0, 1, 3, 2, 4, 5])
    query, key, value = _split(build, build.node("Reshape", x, build.integers(-1, tokens, width)), side, width)
    scores = build.node("MatMul", query, build.node("Transpose", key, perm=[0, 1, 3, 2]))
    scores = build.node("Mul", scores, build.normal(heads, 1, 1, scale=1.0, mean=10.0))
    scores = build.node("Add", scores, build.normal(1, heads, tokens, tokens, scale=1.0))
    if shift:
        scores = build.node("Reshape", scores, build.integers(-1, count * count, heads, tokens, tokens))
        scores = build.node("Add", scores, build.constant(_mask(side)))
        scores = build.node("Reshape", scores, build.integers(-1, heads, tokens, tokens))
    build.flop += 2 * 2 * side * side * tokens * width
    x = build.node("MatMul", build.node("Softmax", scores, axis=-1), value)
    x = build.node("Reshape", build.node("Transpose", x, perm=[0, 2, 1, 3]), build.integers(-1, tokens, width))
    x = build.dense(x, side * side, width, width)
    x = build.node("Reshape", x, build.integers(-1, count, count, WINDOW, WINDOW, width))
    x = build.node("Transpose", x, perm=[0, 1, 3, 2, 4, 5])
    x = _rolled(build, build.node("Reshape", x, build.integers(-1, side, side, width)), side, -shift)
    return build.node("Reshape", x, build.integers(-1, side * side, width))


def _split(build: Builder, x: str, side: int, width: int) -> tuple[str, str, str]:
    """Queries and keys of length 1, and values: (windows, heads, pixels of a window, PART) each."""
    heads, tokens = width // PART, WINDOW * WINDOW
    build.flop += 2 * side * side * width * 3 * width
    x = build.node("MatMul", x, build.normal(width, 3 * width, scale=1 / math.sqrt(width)))
    x = build.node("Reshape", x, build.integers(-1, tokens, 3, heads, PART))
    x = build.node("Transpose", x, perm=[2, 0, 3, 1, 4])
    parts = [
        build.node(
            "Squeeze",
            build.node("Slice", x, build.integers(index), build.integers(index + 1), build.integers(0)),
            build.integers(0),
        )
        for index in range(3)
    ]
    query, value = (build.node("Add", part, build.normal(heads, 1, PART, scale=0.02)) for part in parts[::2])
    return _unit_length(build, query), _unit_length(build, parts[1]), value


def _rolled(build: Builder, x: str, side: int, shift: int) -> str:
    """The first `shift` rows and columns go to the end; with a negative shift, the last ones to the start."""
    at = shift % side
    for axis in (1, 2) if shift else ():
        halves = [
            build.node("Slice", x, build.integers(start), build.integers(end), build.integers(axis))
            for start, end in ((at, side), (0, at))
        ]
        x = build.node("Concat", *halves, axis=axis)
    return x


def _unit_length(build: Builder, x: str) -> str:
    """The last axis divided by its length, as TensorFlow's `l2_normalize` does it."""
    square = build.node("ReduceSum", build.node("Mul", x, x), build.integers(-1), keepdims=1)
    length = build.node("Sqrt", build.node("Max", square, build.constant(1e-12)))
    return build.node("Mul", x, build.node("Reciprocal", length))


def _mask(side: int) -> NDArray[np.float32]:
    """(1, windows, 1, pixels, pixels): -100 where two pixels of a shifted window come from opposite edges, else 0."""
    edges = np.digitize(np.arange(side), [side - WINDOW, side - SHIFT])
    region = 3 * edges[:, np.newaxis] + edges
    count = side // WINDOW
    windows = region.reshape(count, WINDOW, count, WINDOW).transpose(0, 2, 1, 3).reshape(count * count, -1)
    apart = windows[:, :, np.newaxis] != windows[:, np.newaxis, :]
    return np.where(apart, np.float32(-100), np.float32(0))[np.newaxis, :, np.newaxis]


def _merged(build: Builder, x: str, side: int, width: int) -> str:
    """Four neighbours become one of twice the width."""
    x = build.node("Reshape", x, build.integers(-1, side, side, width))
    corners = [
        build.node(
            "Slice",
            x,
            build.integers(row, column),
            build.integers(side, side),
            build.integers(1, 2),
            build.integers(2, 2),
        )
        for column in (0, 1)
        for row in (0, 1)
    ]
    x = build.node("Reshape", build.node("Concat", *corners, axis=3), build.integers(-1, side * side // 4, 4 * width))
    build.flop += 2 * side * side // 4 * 4 * width * 2 * width
    x = build.node("MatMul", x, build.normal(4 * width, 2 * width, scale=1 / math.sqrt(4 * width)))
    return build.layer_norm(x, 2 * width)


def eva02_l(build: Builder, depth: int = 24) -> str:
    """EVA02-L/14: the tokens and one for the class; positions by rotation; a gated MLP with a norm inside."""
    width, heads, hidden, side = 1024, 16, 2730, SIDE // 14
    count, part = side * side + 1, width // heads
    x = build.convolution(build.scaled_input(), side, 3, width, 14)
    x = build.node("Transpose", build.node("Reshape", x, build.integers(0, width, -1)), perm=[0, 2, 1])
    one = build.node("Slice", x, build.integers(0), build.integers(1), build.integers(1))
    first = build.node("Add", build.node("Mul", one, build.constant(0.0)), build.normal(1, 1, width, scale=0.02))
    x = build.node("Concat", first, x, axis=1)
    x = build.node("Add", x, build.normal(1, count, width, scale=0.02))
    angles = np.outer(np.arange(count - 1), 100.0 ** -np.linspace(0, 1, part // 2)).repeat(2, axis=1)
    cosine, sine = build.constant(np.cos(angles)), build.constant(np.sin(angles))
    for _ in range(depth):
        y = build.layer_norm(x, width)
        split = []
        for turned in (True, True, False):  # queries, keys, values
            z = build.node("Reshape", build.dense(y, count, width, width), build.integers(0, count, heads, part))
            z = build.node("Transpose", z, perm=[0, 2, 1, 3])
            split.append(_turned(build, z, cosine, sine) if turned else z)
        query = build.node("Mul", split[0], build.constant(1 / math.sqrt(part)))
        build.flop += 2 * 2 * count * count * width
        scores = build.node("MatMul", query, build.node("Transpose", split[1], perm=[0, 1, 3, 2]))
        z = build.node("MatMul", build.node("Softmax", scores, axis=-1), split[2])
        z = build.node("Reshape", build.node("Transpose", z, perm=[0, 2, 1, 3]), build.integers(0, count, width))
        x = build.node("Add", x, build.dense(z, count, width, width))
        y = build.layer_norm(x, width)
        gate = build.dense(y, count, width, hidden)
        gate = build.node("Mul", gate, build.node("Sigmoid", gate))
        y = build.layer_norm(build.node("Mul", gate, build.dense(y, count, width, hidden)), hidden)
        x = build.node("Add", x, build.dense(y, count, hidden, width))
    return build.head(build.layer_norm(build.mean(x, [1]), width), width)


def _turned(build: Builder, x: str, cosine: str, sine: str) -> str:
    """(batch, heads, tokens, part): each pair of numbers turned by the angle of its token, but for the first token."""

    def part(start: int, end: int, axis: int, step: int = 1) -> str:
        return build.node("Slice", x, *map(build.integers, (start, end, axis, step)))

    end = np.iinfo(np.int64).max
    first = part(0, 1, 2)
    x = part(1, end, 2)
    axis = build.integers(-1)
    odd, even = (build.node("Unsqueeze", part(start, end, 3, 2), axis) for start in (1, 0))
    across = build.node("Concat", build.node("Neg", odd), even, axis=-1)
    across = build.node("Reshape", across, build.node("Shape", x))
    turned = build.node("Add", build.node("Mul", x, cosine), build.node("Mul", across, sine))
    return build.node("Concat", first, turned, axis=2)


@dataclass(frozen=True)
class Architecture:
    """What is built, and as which exporter would have written it."""

    graph: Callable[[Builder], str]
    builder: type[Builder]
    words: str  #: for the table
    batch: int | str = "batch"  #: pictures at once; a name = any number


ARCHITECTURES = {
    "convnext-b": Architecture(convnext_b_from_keras, KerasBuilder, "ConvNeXt-B as exported from Keras", 1),
    "vit-b16": Architecture(vit_b16, Builder, "ViT-B/16 as exported from PyTorch"),
    "swinv2-b": Architecture(swinv2_b, KerasBuilder, "SwinV2-B as exported from Keras"),
    "convnext-b-v3": Architecture(convnext_b, Builder, "ConvNeXt-B as exported from PyTorch"),
}
#: Takes minutes for some pictures on a CPU.
FOR_GPUS = {"eva02-l": Architecture(eva02_l, Builder, "EVA02-L/14 as exported from PyTorch")}


def labels(tags: int) -> str:
    """A label file of the published shape: 4 ratings, then three quarters general tags, then characters."""
    rows = [(9999999 - i, name, 9) for i, name in enumerate(("general", "sensitive", "questionable", "explicit"))]
    general = (tags - len(rows)) * 3 // 4
    rows += [(i, f"tag_{i:05d}", 0 if i < general else 4) for i in range(tags - len(rows))]
    return "tag_id,name,category,count\n" + "".join(f"{i},{name},{category},0\n" for i, name, category in rows)


def make(name: str, folder: Path) -> Path:
    """The model folder of a key of ARCHITECTURES or FOR_GPUS; built when it is not there yet."""
    architecture = (ARCHITECTURES | FOR_GPUS)[name]
    target = folder / f"{name}-{'keras' if architecture.builder is KerasBuilder else 'pytorch'}"
    if (target / "model.onnx").exists():
        return target
    build = architecture.builder()
    output = architecture.graph(build)
    build.nodes.append(helper.make_node("Identity", [output], ["output"]))
    graph = helper.make_graph(
        build.nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [architecture.batch, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [architecture.batch, TAGS])],
        initializer=build.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    target.mkdir(parents=True, exist_ok=True)
    (target / "selected_tags.csv").write_text(labels(TAGS), encoding="utf-8")
    partial = target / "model.onnx.partial"
    onnx.save(model, str(partial))
    print(f"{target}: {partial.stat().st_size / 1e6:.0f} MB, {build.flop / 1e9:.0f} GFLOP an image")
    partial.rename(target / "model.onnx")
    return target

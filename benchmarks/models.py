"""Taggers of the published architectures with random weights: speed does not depend on the weights.

Each becomes a model folder (`model.onnx` + `selected_tags.csv`), which the captioner takes like a real one. The graphs
have the shape of the published exports of Keras models: NHWC input, scaling and sigmoid inside, GELU in single
operators, which onnxruntime fuses. Needs the `onnx` package.

ConvNeXt-B: Liu et al., "A ConvNet for the 2020s" (2022): depths 3, 3, 27, 3, widths 128 to 1024.
ViT-B/16: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2020): 12 blocks of width 768 with 12 heads; mean of the
tokens instead of a class token. Sizes agree with the published files: 388 MB (wd-v1-4-convnext-tagger-v2), and for
10,861 tags 378 MB (wd-vit-tagger-v3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
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

    def convolution(self, x: str, side: int, channels: int, out: int, kernel: int, *, depthwise: bool = False) -> str:
        """NCHW; depthwise: stride 1, same size; otherwise patches that do not overlap. `side` is that of the output."""
        per_group = 1 if depthwise else channels
        self.flop += 2 * side * side * out * per_group * kernel * kernel
        weight = self.normal(out, per_group, kernel, kernel, scale=1 / (kernel * math.sqrt(per_group)))
        shape: dict[str, Any] = {"kernel_shape": [kernel, kernel]}
        if depthwise:
            shape |= {"pads": [kernel // 2] * 4, "group": channels}
        else:
            shape |= {"strides": [kernel, kernel]}
        return self.node("Conv", x, weight, self.normal(out, scale=0.02), **shape)

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

    def head(self, x: str, width: int) -> str:
        """(batch, width) to probabilities."""
        logits = self.dense(
            self.layer_norm(x, width), 1, width, TAGS, scale=LOGIT_SPREAD / math.sqrt(width), bias=LOGIT_MEAN
        )
        return self.node("Sigmoid", logits)


def convnext_b(build: Builder) -> str:
    """ConvNeXt-B."""
    x, channels, side = build.scaled_input(), 3, SIDE
    for stage, (depth, width) in enumerate(((3, 128), (3, 256), (27, 512), (3, 1024))):
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
    return build.head(build.node("ReduceMean", x, axes=[1, 2], keepdims=0), channels)


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
    return build.head(build.node("ReduceMean", x, axes=[1], keepdims=0), width)


ARCHITECTURES: dict[str, Callable[[Builder], str]] = {"convnext-b": convnext_b, "vit-b16": vit_b16}


def labels(tags: int) -> str:
    """A label file of the published shape: 4 ratings, then three quarters general tags, then characters."""
    rows = [(9999999 - i, name, 9) for i, name in enumerate(("general", "sensitive", "questionable", "explicit"))]
    general = (tags - len(rows)) * 3 // 4
    rows += [(i, f"tag_{i:05d}", 0 if i < general else 4) for i in range(tags - len(rows))]
    return "tag_id,name,category,count\n" + "".join(f"{i},{name},{category},0\n" for i, name, category in rows)


def make(name: str, folder: Path) -> Path:
    """The model folder `folder/NAME-dynamic` of a key of ARCHITECTURES; built when it is not there yet."""
    target = folder / f"{name}-dynamic"
    if (target / "model.onnx").exists():
        return target
    build = Builder()
    output = ARCHITECTURES[name](build)
    build.nodes.append(helper.make_node("Identity", [output], ["output"]))
    graph = helper.make_graph(
        build.nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", TAGS])],
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

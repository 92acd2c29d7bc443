"""Small ONNX models with the interfaces of the published taggers, whose scores can be worked out by hand.

Each model takes the mean of every channel as it gets them, and scores each tag as `sigmoid(weights @ mean + bias)`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]  #: (3, T) and (T,)


def random_weights(tags: int, seed: int = 0, *, scale: float = 1.0) -> Weights:
    """Weights that spread the scores over (0, 1) for inputs of about ±1 / `scale`."""
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=(3, tags)) * scale).astype(np.float32)
    return weights, rng.normal(size=tags).astype(np.float32)


def expected(mean: NDArray[np.float32], weights: Weights) -> NDArray[np.float64]:
    """The scores of pictures with these channel means: (N, 3) to (N, T), in float64."""
    logits = mean.astype(np.float64) @ weights[0].astype(np.float64) + weights[1].astype(np.float64)
    return 1 / (1 + np.exp(-logits))


def save_model(
    path: Path,
    weights: Weights,
    *,
    layout: str = "NHWC",
    batch: int | str | None = "batch_size",
    size: int | str = 448,
    sigmoid: bool = True,
    three_outputs: bool = False,
    element: int = TensorProto.FLOAT,
    input_name: str = "input_1:0",
) -> Path:
    """Writes a tagger.

    Args:
        path: the file.
        weights: of the tags.
        layout: "NHWC" or "NCHW".
        batch: a number is a fixed batch dimension; a name or None is a dynamic one.
        size: the side of the picture; a name is a dynamic one.
        sigmoid: False ends the graph with logits.
        three_outputs: PixAI's `embedding`, `logits` and `prediction`, in this order.
        element: the type of input and output.
        input_name: the input's name.
    """
    tags = weights[1].size
    sides: list[int | str | None] = [size, size, 3] if layout == "NHWC" else [3, size, size]
    axes = [1, 2] if layout == "NHWC" else [2, 3]
    dtype = helper.tensor_dtype_to_np_dtype(element)
    nodes = [
        helper.make_node("ReduceMean", [input_name], ["embedding"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    outputs = [("logits", tags)]
    if sigmoid or three_outputs:
        name = "prediction" if three_outputs else "predictions_sigmoid"
        nodes.append(helper.make_node("Sigmoid", ["logits"], [name]))
        outputs = [("embedding", 3), ("logits", tags), (name, tags)] if three_outputs else [(name, tags)]
    graph = helper.make_graph(
        nodes,
        "tagger",
        [helper.make_tensor_value_info(input_name, element, [batch, *sides])],
        [helper.make_tensor_value_info(name, element, [batch, width]) for name, width in outputs],
        [
            numpy_helper.from_array(weights[0].astype(dtype), "weights"),
            numpy_helper.from_array(weights[1].astype(dtype), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def write_csv(path: Path, categories: list[int], *, extra: str = "") -> list[str]:
    """Writes a `selected_tags.csv` with a tag for each category, and `extra` columns. Returns the names."""
    names = [f"tag_{index}" for index in range(len(categories))]
    lines = [f"tag_id,name,category,count{extra}"]
    lines += [
        f"{1000 + index},{name},{category},{9 * index}{',x' if extra else ''}"
        for index, (name, category) in enumerate(zip(names, categories, strict=True))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return names


def wd14_folder(folder: Path, *, batch: int | str | None = "batch_size", tags: int = 12, size: int = 448) -> Weights:
    """Writes a WD14 tagger: NHWC, 0..255, probabilities; 4 ratings, then general tags, then 2 characters."""
    weights = random_weights(tags, scale=1 / 128)
    save_model(folder / "model.onnx", weights, batch=batch, size=size)
    write_csv(folder / "selected_tags.csv", [9] * 4 + [0] * (tags - 6) + [4] * 2)
    return weights


def masked_folder(
    folder: Path,
    *,
    size: int,
    batch: int | str | None = "batch_size",
    tags: int = 4,
    mask_type: int = TensorProto.BOOL,
) -> Weights:
    """Writes a tagger with a padding mask, and its description: it takes the mean of what is no padding.

    Its pictures are fitted into the square, on grey, and never enlarged; transparent pixels are grey as well.
    """
    weights = random_weights(tags)
    inputs = [
        helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [batch, 3, size, size]),
        helper.make_tensor_value_info("padding_mask", mask_type, [batch, size, size]),
    ]
    nodes = [
        helper.make_node("Cast", ["padding_mask"], ["is_padding"], to=TensorProto.BOOL),
        helper.make_node("Not", ["is_padding"], ["valid"]),
        helper.make_node("Cast", ["valid"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "sides"], ["count"], keepdims=1),
        helper.make_node("Squeeze", ["count", "last"], ["counts"]),
        helper.make_node("Unsqueeze", ["ones", "channel"], ["ones_by_channel"]),
        helper.make_node("Mul", ["pixel_values", "ones_by_channel"], ["shown"]),
        helper.make_node("ReduceSum", ["shown", "picture_sides"], ["sum"], keepdims=0),
        helper.make_node("Div", ["sum", "counts"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    places = {"sides": [1, 2], "last": [2], "channel": [1], "picture_sides": [2, 3]}
    graph = helper.make_graph(
        nodes,
        "tagger",
        inputs,
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, tags])],
        [
            numpy_helper.from_array(weights[0], "weights"),
            numpy_helper.from_array(weights[1], "bias"),
            *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in places.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    write_csv(folder / "selected_tags.csv", [0] * tags)
    fitted = {"type": "pad_to_size", "size": size, "background_color": 114, "enlarge": False}
    description = {
        "model": {"path": "model.onnx"},
        "labels": {"path": "selected_tags.csv"},
        "input": {
            "name": "pixel_values",
            "mask": "padding_mask",
            "size": size,
            "layout": "NCHW",
            "channels": "RGB",
            "range": {"mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5]},
            "resize": [fitted],
            "background": 114,
        },
        "output": {"name": "probabilities", "activation": "none"},
    }
    (folder / "tagger.json").write_text(json.dumps(description))
    return weights

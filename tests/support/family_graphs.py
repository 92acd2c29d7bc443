"""ONNX graphs with the inputs and outputs of families of taggers, whose scores can be worked out.

Each tag looks at one number of the input: its logit is `gain * number + bias`, steep enough that a pixel which is one
off shows in the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Numbers = NDArray[np.float32]

#: Logit of a tag that looks at padding, in the model that is told where that is.
PADDED_LOGIT = 2.5


@dataclass(frozen=True)
class Head:
    """What each tag looks at, and how its score follows."""

    places: NDArray[np.int64]  #: (T,) in the flattened input of one picture
    gains: Numbers  #: (T,)
    biases: Numbers  #: (T,)

    @classmethod
    def random(cls, tags: int, side: int, seed: int, *, gain: float, middle: float = 0) -> Head:
        """A head for pictures of this side, with gains of about ±`gain` around a middle value of the input."""
        rng = np.random.default_rng(seed)
        gains = gain * rng.uniform(0.6, 1.4, tags) * rng.choice([-1, 1], tags)
        biases = rng.normal(0, 1, tags) - gains * middle
        return cls(rng.integers(0, 3 * side * side, tags), gains.astype(np.float32), biases.astype(np.float32))

    def logits(self, numbers: Numbers, mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """(T,) for one picture, (3, S, S) or (S, S, 3); `mask` is (S, S) where the model takes one, channels first."""
        seen = numbers.reshape(-1)[self.places].astype(np.float64)
        logits = self.gains.astype(np.float64) * seen + self.biases
        if mask is not None:
            logits = np.where(mask.reshape(-1)[self.places % mask.size], PADDED_LOGIT, logits)
        return logits


@dataclass(frozen=True)
class Form:
    """Inputs and outputs of a family's graph."""

    shape: tuple[int | str, int | str, int | str]  #: of a picture
    outputs: tuple[str, ...]  #: of "embedding", "logits", "probabilities", "other" and "candidates", in their order
    names: tuple[str, ...]  #: of these outputs
    input: str = "input"
    batch: int | str = "batch_size"
    mask: str | None = None  #: the input that is True where there is padding
    external: str | None = None  #: the file with the weights


def save_graph(path: Path, head: Head, form: Form) -> None:
    """Writes a tagger; "other" is an output of the same width with wrong scores."""
    tags = head.places.size
    nodes = [
        helper.make_node("Flatten", [form.input], ["flat"], axis=1),
        helper.make_node("Gather", ["flat", "places"], ["seen"], axis=1),
        helper.make_node("Mul", ["seen", "gains"], ["steep"]),
        helper.make_node("Add", ["steep", "biases"], ["plain"]),
    ]
    weights: dict[str, NDArray[Any]] = {"places": head.places, "gains": head.gains, "biases": head.biases}
    logits = "plain"
    if form.mask is not None:
        area = int(form.shape[1]) * int(form.shape[2])
        weights |= {"pixels": head.places % area, "padded": np.array(PADDED_LOGIT, np.float32)}
        nodes += [
            helper.make_node("Flatten", [form.mask], ["flat_mask"], axis=1),
            helper.make_node("Gather", ["flat_mask", "pixels"], ["is_padding"], axis=1),
            helper.make_node("Where", ["is_padding", "padded", "plain"], ["masked"]),
        ]
        logits = "masked"
    makers = {
        "embedding": lambda name: helper.make_node("Flatten", ["seen"], [name], axis=1),
        "logits": lambda name: helper.make_node("Identity", [logits], [name]),
        "probabilities": lambda name: helper.make_node("Sigmoid", [logits], [name]),
        "other": lambda name: helper.make_node("Neg", [logits], [name]),
        "candidates": lambda name: helper.make_node("TopK", [logits, "four"], ["best", name], axis=1),
    }
    if "candidates" in form.outputs:
        weights["four"] = np.array([4], np.int64)
    nodes += [makers[kind](name) for kind, name in zip(form.outputs, form.names, strict=True)]
    inputs = [helper.make_tensor_value_info(form.input, TensorProto.FLOAT, [form.batch, *form.shape])]
    if form.mask is not None:
        inputs.append(helper.make_tensor_value_info(form.mask, TensorProto.BOOL, [form.batch, *form.shape[1:]]))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [form.batch, 4])
        if kind == "candidates"
        else helper.make_tensor_value_info(name, TensorProto.FLOAT, [form.batch, tags])
        for kind, name in zip(form.outputs, form.names, strict=True)
    ]
    graph = helper.make_graph(
        nodes, "tagger", inputs, outputs, [numpy_helper.from_array(value, name) for name, value in weights.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        model, str(path), save_as_external_data=form.external is not None, location=form.external, size_threshold=64
    )

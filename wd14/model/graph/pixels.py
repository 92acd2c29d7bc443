"""A graph that takes the bytes of pixels, and makes numbers of them itself: a quarter goes to the device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wd14.input_spec import InputSpec
from wd14.model.graph.editing import EditableGraph, Node
from wd14.model.graph.schema import FLOAT, UINT8
from wd14.model.preprocess import by_channel


def take_pixels(graph: EditableGraph, input_name: str, spec: InputSpec) -> None:
    """Makes the input uint8, 0..255; the graph then computes what `preprocess.values` does, to the bit.

    Raises:
        ValueError: the graph has no float32 input of that name; it is as it was.
    """
    if input_name not in graph.inputs or graph.element_types().get(input_name) != FLOAT:
        raise ValueError(f"the graph has no float32 input {input_name!r}")
    values = graph.free_name("values")
    for node in graph.nodes:
        node.inputs = [values if name == input_name else name for name in node.inputs]
    steps = _steps(spec)
    names = [graph.free_name(f"values_after_{step + 1}") for step in range(len(steps))] + [values]
    front = [Node("Cast", [input_name], names[:1], attributes={"to": FLOAT})]
    for (operator, operand), before, after in zip(steps, names, names[1:], strict=False):
        weight = graph.free_name(f"{after}_operand")
        graph.add_weight(weight, operand)
        front.append(Node(operator, [before, weight], [after]))
    graph.nodes = front + graph.nodes
    graph.set_type(input_name, UINT8)


def _steps(spec: InputSpec) -> list[tuple[str, NDArray[np.float32]]]:
    """The operators from pixels to numbers, each with its second operand, in the order of `preprocess.values`."""
    if spec.value_range == "0..255":
        return []
    if spec.value_range == "-1..1":
        return [("Div", np.array(127.5, np.float32)), ("Sub", np.array(1, np.float32))]
    scale = [("Mul", np.array(spec.scale, np.float32))] if spec.scale != 1 else []
    numbers = ("Sub", by_channel(spec.mean, spec)), ("Div", by_channel(spec.deviation, spec))
    return [("Div", np.array(255, np.float32)), *scale, *numbers]

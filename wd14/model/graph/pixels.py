"""A graph that takes the bytes of pixels, and makes numbers of them itself: a quarter goes to the device."""

from __future__ import annotations

import numpy as np

from wd14.input_spec import InputSpec
from wd14.model.graph.editing import EditableGraph, Node
from wd14.model.graph.schema import FLOAT, UINT8


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
    if spec.value_range == "0..255":
        front = [Node("Cast", [input_name], [values], attributes={"to": FLOAT})]
    else:
        numbers, scaled, half, one = map(graph.free_name, ("numbers", "scaled", "half_range", "one"))
        graph.add_weight(half, np.array(127.5, np.float32))
        graph.add_weight(one, np.array(1, np.float32))
        front = [
            Node("Cast", [input_name], [numbers], attributes={"to": FLOAT}),
            Node("Div", [numbers, half], [scaled]),
            Node("Sub", [scaled, one], [values]),
        ]
    graph.nodes = front + graph.nodes
    graph.set_type(input_name, UINT8)

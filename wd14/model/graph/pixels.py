"""A graph that takes the bytes of pixels, and makes numbers of them itself."""

from __future__ import annotations

from wd14.model.graph.editing import EditableGraph
from wd14.types import InputSpec


def take_pixels(graph: EditableGraph, input_name: str, spec: InputSpec) -> None:
    """Makes the input uint8, 0..255; the graph then computes what `preprocess` does, to the bit.

    Raises:
        ValueError: the graph has no float32 input of that name.
    """
    raise NotImplementedError

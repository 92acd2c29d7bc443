"""A graph that computes in float16, between float32 inputs and outputs."""

from __future__ import annotations

from wd14.model.graph.editing import EditableGraph


def to_half(graph: EditableGraph) -> bool:
    """Makes the graph compute in float16; False = it does so already, or cannot."""
    raise NotImplementedError

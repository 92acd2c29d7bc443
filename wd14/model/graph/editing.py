"""A graph in memory that can be written in another way; its weights stay in the file that they lie in.

Weights that lie in the model's own file become external data at their place in that file: the edited model is some
hundred kB, and onnxruntime maps the weights instead of copying them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(slots=True)
class Node:
    """A node of the graph."""

    operator: str
    inputs: list[str]  #: "" where an optional one is left out
    outputs: list[str]
    domain: str = ""
    name: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)  #: int, float, bytes, tuples of these, NDArray (a small
    #: tensor); others are kept as the bytes that they were read as (`RawAttribute`)


@dataclass(frozen=True, slots=True)
class RawAttribute:
    """An attribute that is written as it was read."""

    message: bytes


class EditableGraph:
    """The main graph of a model. Made by `read`; `to_bytes` is the model with what was changed.

    Attributes:
        nodes: in an order in which each comes after what it reads.
        inputs: names of what the graph takes, without weights.
        outputs: names of what it gives.
    """

    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]

    @classmethod
    def read(cls, path: Path) -> EditableGraph:
        """Reads a model's graph, without its weights.

        Raises:
            ModelContractError: no ONNX model, or damaged.
        """
        raise NotImplementedError

    @property
    def opset(self) -> int:
        """Version of the standard operators."""
        raise NotImplementedError

    def weight_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight or of a constant node's value; None = no such weight."""
        raise NotImplementedError

    def weight_type(self, name: str) -> int | None:
        """TensorProto.DataType of a weight or of a constant node's value (1 = float32, 10 = float16)."""
        raise NotImplementedError

    def value(self, name: str, *, most: int = 65_536) -> NDArray[Any] | None:
        """The value of a weight or a constant of at most so many elements; None = none, or larger."""
        raise NotImplementedError

    def add_weight(self, name: str, value: NDArray[Any]) -> None:
        """Adds a small weight, kept in the edited model itself."""
        raise NotImplementedError

    def free_name(self, like: str) -> str:
        """A name that nothing in the graph has yet."""
        raise NotImplementedError

    def use_domain(self, domain: str, version: int) -> None:
        """Lets nodes use the operators of a domain, such as `com.microsoft`, 1."""
        raise NotImplementedError

    def set_type(self, name: str, element: int) -> None:
        """Changes the element type that an input or output of the graph is declared with."""
        raise NotImplementedError

    def element_types(self) -> Mapping[str, int]:
        """TensorProto.DataType of the inputs and outputs of the graph."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The model as it is now.

        Weights of 1 KiB and more refer to the model's file by its name: whoever opens these bytes says in which folder
        that lies. Declared types of what lies between nodes are left out: runtimes infer them.
        """
        raise NotImplementedError

"""ONNX graphs written as formulas: what is done with a `Tensor` becomes nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: What onnxruntime 1.21 reads. Fixed, so that the file does not change with the `onnx` that writes it.
OPSET, IR_VERSION = 18, 8


class Graph:
    """Nodes and constants, named in the order in which they are made, so that every build is the same."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: Any, **attributes: Any) -> Tensor:
        """Adds a node with one output. Inputs that are not tensors are constants: tuples int64, the rest float32."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, [self._name(value) for value in inputs], [name], name, **attributes))
        return Tensor(self, name)

    def _name(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return value.name
        array = np.asarray(value, np.int64 if isinstance(value, tuple) else np.float32)
        self._constants.append(numpy_helper.from_array(array, f"c{len(self._constants)}"))
        return self._constants[-1].name

    def model(self, output: Tensor, name: str, side: int, tags: int) -> onnx.ModelProto:
        """The model: float32 `input` (batch, side, side, 3) to float32 `output` (batch, tags)."""
        self._nodes.append(helper.make_node("Identity", [output.name], ["output"]))
        taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", side, side, 3])
        given = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", tags])
        graph = helper.make_graph(self._nodes, name, [taken], [given], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def _operator(kind: str, *, swapped: bool = False) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: self.graph.node(kind, *((other, self) if swapped else (self, other)))


class Tensor:
    """A value in the graph: NumPy's operators, and each ONNX operator as a method of that name."""

    __array_ufunc__ = None  # `array @ tensor` is ours, not NumPy's

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def __getattr__(self, kind: str) -> Callable[..., Tensor]:
        return partial(self.graph.node, kind, self)

    __add__ = __radd__ = _operator("Add")
    __sub__, __rsub__ = _operator("Sub"), _operator("Sub", swapped=True)
    __mul__ = __rmul__ = _operator("Mul")
    __truediv__, __rtruediv__ = _operator("Div"), _operator("Div", swapped=True)
    __matmul__, __rmatmul__ = _operator("MatMul"), _operator("MatMul", swapped=True)
    __pow__ = _operator("Pow")

    def __gt__(self, limit: float) -> Tensor:
        return self.Greater(limit).Cast(to=TensorProto.FLOAT)  # 1.0 or 0.0

    def __lt__(self, limit: float) -> Tensor:
        return self.Less(limit).Cast(to=TensorProto.FLOAT)

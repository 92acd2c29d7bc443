"""What a graph may ask of OpenVINO, which has no limits of its own. Imports no OpenVINO: it is handed the model.

A graph of a few bytes can loop for ever, and make tensors of any size from what a picture holds. So graphs that nobody
vouches for have no loops and no branches here, and the size of every tensor is known before the first run.
"""

from __future__ import annotations

import math
from typing import Any

from wd14.errors import ModelContractError

#: Operators that run graphs of their own. OpenVINO runs a loop to its end, whatever stop is asked for, and may compute
#: both branches while it opens the model.
_WITH_GRAPHS = frozenset({"If", "Loop", "TensorIterator"})

_INSTEAD = "; set the device to cpu"


def check_graph(model: Any, most: int) -> None:
    """Checks a graph that nobody vouches for. Costs some 10 microseconds an operator.

    Args:
        model: as OpenVINO read it, for pictures of the size that it will get.
        most: bytes that all tensors of one run may take which are needed at the same time.

    Raises:
        ModelContractError: it has loops or branches, tensors of a size that is not known, or too large ones.
    """
    needed = peak = 0
    readers: dict[tuple[str, int], int] = {}  # of a tensor, that have not read it yet
    for operator in model.get_ordered_ops():
        kind = operator.get_type_name()
        if kind in _WITH_GRAPHS:
            raise ModelContractError(f"it has loops or branches ({kind}), which OpenVINO cannot stop{_INSTEAD}")
        if kind == "Constant":  # it has its size in the file
            continue
        for output in operator.outputs():
            readers[_key(output)] = len(output.get_target_inputs())
            needed += _bytes(output)
        peak = max(peak, needed)
        for read in operator.inputs():
            source = read.get_source_output()
            if _key(source) in readers:
                readers[_key(source)] -= 1
                needed -= 0 if readers[_key(source)] else _bytes(source)
    if peak > most:
        raise ModelContractError(
            f"it needs {peak / 1e9:,.1f} GB for a picture, and models that nobody vouches for may take"
            f" {most / 1e9:,.1f} GB{_INSTEAD}"
        )


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()


def _bytes(output: Any) -> int:
    shape = output.get_partial_shape()
    if shape.is_dynamic:
        raise ModelContractError(
            "it decides while it runs how large its tensors are, for which OpenVINO has no limit" + _INSTEAD
        )
    size: int = math.prod(side.get_length() for side in shape) * output.get_element_type().size
    return size

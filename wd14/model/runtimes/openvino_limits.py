"""What a graph may ask of OpenVINO, which has no limits of its own. Imports no OpenVINO: it is handed the model.

A graph of a few bytes can make tensors of any size, some of a size that depends on the picture. So of a graph that
nobody vouches for, the size of every tensor is known before the first run.
"""

from __future__ import annotations

import math
from typing import Any

from wd14.errors import ModelContractError
from wd14.model.files.find import ModelFiles

#: What a user can do about a model that is not given to OpenVINO.
INSTEAD = "; set the device to cpu"


def check_graph(files: ModelFiles, model: Any, most: int) -> None:
    """Checks a graph that nobody vouches for. Costs some 10 microseconds an operator.

    Args:
        files: of the model.
        model: as OpenVINO read it, for pictures of the size that it will get.
        most: bytes that the tensors of one run may take which are needed at the same time.

    Raises:
        ModelContractError: it has tensors of a size that is not known, or too large ones.
    """
    needed = peak = 0
    readers: dict[tuple[str, int], int] = {}  # of a tensor, that have not read it yet
    for operator in model.get_ordered_ops():
        if operator.get_type_name() == "Constant":  # it has its size in the file
            continue
        for output in operator.outputs():
            if output.get_partial_shape().is_dynamic:
                raise ModelContractError(
                    f"{files.model_path} decides while it runs how large its tensors are, for which OpenVINO has no"
                    f" limit{INSTEAD}"
                )
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
            f"{files.model_path} needs {peak / 1e9:,.1f} GB for a picture; models that nobody vouches for may take"
            f" {most / 1e9:,.1f} GB on OpenVINO{INSTEAD}"
        )


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()


def _bytes(output: Any) -> int:
    sides = (side.get_length() for side in output.get_partial_shape())
    size: int = math.prod(sides) * output.get_element_type().size
    return size

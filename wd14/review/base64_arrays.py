"""Arrays of numbers as text that JSON can hold."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def base64_of(numbers: NDArray[Any], type_: str) -> str:
    """Numbers as base64 of a little-endian array.

    Args:
        numbers: all of them fit into the type.
        type_: of an element, as numpy writes it: "<u2".
    """
    return base64.b64encode(np.ascontiguousarray(numbers.astype(type_, copy=False)).data).decode("ascii")

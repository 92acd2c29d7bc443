"""Weights as arrays over the files that they lie in: none is copied, and none is read before it is used."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ModelContractError
from wd14.model.graph.schema import NUMPY_TYPES
from wd14.model.graph.weights import Weight
from wd14.regular_files import open_file


class MappedWeights:
    """The weights of a graph. Their files stay mapped as long as this object or one of its arrays lives.

    Args:
        weights: by name, each at a place (`EditableGraph.packed_weights`).

    Attributes:
        arrays: by name; not to be written to.

    Raises:
        ModelContractError: a file cannot be read, or has become shorter.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        self._files: dict[Path, mmap.mmap] = {}
        self.arrays: dict[str, NDArray[Any]] = {}
        for name, weight in weights.items():
            if weight.place is not None:
                kind = np.dtype(NUMPY_TYPES[weight.element])
                data = self._map(weight.place.file)
                if weight.place.offset + weight.place.length > len(data):
                    raise ModelContractError(f"{weight.place.file} is cut off; download the model again")
                flat = np.frombuffer(data, kind, weight.size, weight.place.offset)
                self.arrays[name] = flat.reshape(weight.shape)

    def release(self) -> None:
        """Gives back the memory of what was read. What is used again is read again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for data in self._files.values():
                data.madvise(mmap.MADV_DONTNEED)

    def _map(self, path: Path) -> mmap.mmap:
        if path not in self._files:
            try:
                with open_file(path) as file:  # OpenVINO refuses arrays that cannot be written to, and writes to none
                    self._files[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except (OSError, ValueError) as error:  # ValueError: it is empty
                raise ModelContractError(f"{path} cannot be read: {error}") from error
        return self._files[path]

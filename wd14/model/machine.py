"""Which models suit this machine: the memory that they need against what is free, and whether there is a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

from wd14.model.files.description import ModelDescription
from wd14.regular_files import open_file

#: A model takes so many times its files, as the largest WD tagger was seen to, and so many bytes beside them for the
#: program and a few pictures of that side; what pictures take grows with their pixels.
_TIMES_FILES = 1.4
_BESIDE_FILES = 700_000_000
_SIDE = 448

#: From so many bytes of weights on, or pictures with sides of so many pixels, a model wants a GPU.
_LARGE_FILES = 900_000_000
_LARGE_SIDE = 800

#: Bytes of a file of the system; it has a few thousand.
_LONGEST_TEXT = 1 << 16

Suits = Literal["yes", "slow", "no"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What counts for a model."""

    memory: int | None  #: bytes that are free; None = the system does not say
    gpu: str | None  #: the GPU's kind, as `--device` has it, that the installed onnxruntime can use

    def suits(self, model: ModelDescription) -> Suits | None:
        """Whether the model runs here: well, slowly, or not, for want of memory. None = its size is not known."""
        needed = memory_needed(model)
        if needed is None:
            return None
        if self.memory is not None and needed > self.memory:
            return "no"
        is_large = (size_of(model) or 0) >= _LARGE_FILES or _side(model) >= _LARGE_SIDE
        return "slow" if is_large and self.gpu is None else "yes"


def this_machine() -> Machine:
    """What this machine has. Imports onnxruntime (a tenth of a second), and opens nothing on a device."""
    from wd14.model.runtimes.devices import usable_gpu
    from wd14.model.runtimes.onnxruntime_session import available_providers

    providers: list[str] = []
    with contextlib.suppress(ImportError):  # the list of models can be read without onnxruntime
        providers = available_providers()
    return Machine(_free_memory(), usable_gpu(providers))


def size_of(model: ModelDescription) -> int | None:
    """Bytes of all of a model's files; None where that of one with weights is not known."""
    if any(file.size is None for file in (model.model, *model.external)):
        return None
    return sum(file.size or 0 for file in model.files)


def memory_needed(model: ModelDescription) -> int | None:
    """Bytes of memory that scoring with the model takes, roughly; None where the size of its files is not known."""
    size = size_of(model)
    return None if size is None else round(_TIMES_FILES * size + _BESIDE_FILES * (_side(model) / _SIDE) ** 2)


def _side(model: ModelDescription) -> int:
    return _SIDE if model.spec is None else model.spec.size


def _free_memory() -> int | None:
    """Bytes that a program could take, within the limit of its container; None where the system does not say."""
    found = [value for value in (_available(), _left_in_container()) if value is not None]
    return min(found, default=None)


def _available() -> int | None:
    text = _text("/proc/meminfo")
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _left_in_container() -> int | None:
    folder = "/sys/fs/cgroup"
    most, used = _text(f"{folder}/memory.max").strip(), _text(f"{folder}/memory.current").strip()
    if not (most.isdecimal() and used.isdecimal()):  # "max" = no limit
        return None
    kept = dict(line.split() for line in _text(f"{folder}/memory.stat").splitlines() if len(line.split()) == 2)
    return max(0, int(most) - int(used) + int(kept.get("inactive_file", 0)))  # files that it gives up first


def _text(path: str) -> str:
    """What a file of the system says; "" where there is none."""
    try:
        with open_file(path) as file:
            return file.read(_LONGEST_TEXT).decode("ascii", "replace")
    except OSError:
        return ""

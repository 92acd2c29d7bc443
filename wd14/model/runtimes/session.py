"""What the tagger asks of a runtime: an open model, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from wd14.errors import ScoringError
from wd14.model.graph.facts import TensorFacts
from wd14.model.runtimes.stop_watch import StopWatch
from wd14.stop import StopToken
from wd14.types import Log

Precision = Literal["exact", "fast"]
"""exact = float32, with kohya's captions; fast = 16 bits where the hardware has them."""

#: Devices that are the processor itself: the model shares its cores with the decoding of pictures.
ON_PROCESSOR = frozenset({"cpu", "openvino"})

#: What the backends say when memory runs out, in lower case.
_OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",
    "available memory of",  # the arena: "Available memory of X is smaller than requested bytes of Y"
    "not enough memory",
    "e_outofmemory",
    "cl_out_of_",  # OpenCL, which OpenVINO has on GPUs: of resources, of the host's memory
    "cl_mem_object_allocation_failure",
    "8007000e",  # the same, as DirectML writes it
)


class Session(Protocol):
    """A model that is open on a device. `run` may be called by several threads at once."""

    device: str  #: what it really runs on: a name that the parameter `device` takes, never "auto"
    precision: Precision  #: what it really computes in
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """One run of the graph.

        Args:
            feeds: C-contiguous arrays by the names of the inputs.
            output: the name of the output to compute.

        Raises:
            MemoryError: the device has not enough for this batch.
            ScoringError: the model failed.
            JobStoppedError: a stop was asked for.
        """


@dataclass(frozen=True, slots=True)
class Opening:
    """What holds for the opening of any session."""

    threads: int | None = None  #: of one run on the CPU; None = the runtime's choice
    runs_at_once: int = 1  #: how many threads will call `run`
    log: Log | None = None
    stop: StopToken | None = None
    stop_watch: StopWatch | None = None  #: passes `stop` on


def first_line(error: BaseException) -> str:
    """The first line of an exception's text; runtimes add C++ stack traces."""
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else type(error).__name__


def run_error(
    error: Exception, stop_watch: StopWatch | None, reason: Callable[[Exception], str] = first_line
) -> Exception:
    """What a failed run is to raise, for what the runtime raised; `reason` finds in it what to say.

    Raises:
        JobStoppedError: it failed because a stop was asked for.
    """
    if isinstance(error, MemoryError):
        return error
    if stop_watch is not None:
        stop_watch.check()
    if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
        return MemoryError(str(error))
    return ScoringError(f"the model failed: {reason(error)}")

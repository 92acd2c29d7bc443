"""What can run a model on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from wd14.model.runtimes.devices import OPENVINO
from wd14.model.runtimes.session import Precision


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a model."""

    device: str  #: a key of `devices.DEVICES`; "auto" = the first GPU of onnxruntime that works, else its CPU
    precision: Precision = "exact"
    fused: bool = False  #: LayerNorm and GELU as one operator each (`graph.fusion`)
    batch: int | None = None  #: pictures at once; None = what suits the device

    @property
    def uses_openvino(self) -> bool:
        """Whether OpenVINO runs it, and not onnxruntime."""
        return self.device in OPENVINO

    def __str__(self) -> str:
        how = " (fast)" if self.precision == "fast" else " (fused)" if self.fused else ""
        return self.device + how


#: The unchanged graph on the CPU, run by onnxruntime: what others are compared with.
REFERENCE = Candidate("cpu")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial found about a candidate."""

    candidate: Candidate
    images_per_second: float | None = None  #: None = it does not work
    difference: float | None = None  #: largest difference of a score to the reference's
    problem: str = ""  #: why it does not work, in a line

    @property
    def speed(self) -> float:
        """Pictures a second; 0 = it does not work."""
        return self.images_per_second or 0.0

    @property
    def speed_in_words(self) -> str:
        """`2.79`, `31.4`, `312`."""
        return f"{self.speed:,.{0 if self.speed >= 100 else 1 if self.speed >= 10 else 2}f}"

    def __str__(self) -> str:
        return f"{self.candidate} {self.speed_in_words}"

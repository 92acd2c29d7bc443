"""Sessions of OpenVINO. The only file that imports it."""

from __future__ import annotations

from typing import Any

from wd14.model.files.find import ModelFiles
from wd14.model.runtimes.session import Opening, Precision, Session


def open_openvino(files: ModelFiles, device: str, precision: Precision, opening: Opening) -> Session:
    """Opens a model with OpenVINO.

    Args:
        files: of the model.
        device: "openvino" (CPU) or "openvino-gpu".
        precision: what was asked for; what it computes in is the session's own.
        opening: threads, streams (`runs_at_once`), log, stop.

    Raises:
        DeviceError: OpenVINO is not installed, or does not have the device.
        ModelContractError: OpenVINO cannot read the model.
        JobStoppedError: a stop was asked for.
    """
    raise NotImplementedError


def fast_on(device: str) -> bool:
    """Whether a device of OpenVINO computes in 16 bits in hardware; False where OpenVINO is not installed."""
    raise NotImplementedError


def _openvino() -> Any:
    import openvino

    return openvino

"""Opens a model with the runtime that suits what was asked for."""

from __future__ import annotations

from wd14.model.files.find import ModelFiles
from wd14.model.runtimes.devices import DEVICES
from wd14.model.runtimes.onnxruntime_session import open_onnxruntime
from wd14.model.runtimes.openvino_session import open_openvino
from wd14.model.runtimes.session import Opening, Precision, Session
from wd14.model.trial.candidates import Candidate


def open_session(
    files: ModelFiles, device: str, precision: Precision, opening: Opening, *, pictures: int | None
) -> Session:
    """Opens a model.

    Args:
        files: of the model.
        device: "auto" or a key of `devices.DEVICES`.
        precision: what was asked for.
        opening: threads, log, stop.
        pictures: how many are to be scored; None = not known.

    Raises:
        ConfigError: no such device.
        DeviceError: the device that was asked for does not work.
        ModelContractError: the model cannot be read.
        JobStoppedError: a stop was asked for.
    """
    del pictures
    if device in DEVICES and DEVICES[device].provider is None:
        return open_openvino(files, Candidate(device, precision), opening)
    return open_onnxruntime(files, Candidate(device), opening)

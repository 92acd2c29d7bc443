"""Devices, onnxruntime's execution providers, and a session on one. Imports no onnxruntime: it is handed the module."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wd14.errors import ConfigError, DeviceError, ModelContractError
from wd14.model.runtimes.session import ON_PROCESSOR, Precision, first_line
from wd14.stop import StopToken
from wd14.types import Log

CPU = "CPUExecutionProvider"

#: Levels of onnxruntime's logger, which starts with the first. Errors come as exceptions too, and are told once, by us,
#: with no names from a model's graph that could do something to a terminal; warnings of unused weights fill a screen.
_WARNING, FATAL = 2, 4

#: onnxruntime's exceptions that are about the model, whatever it was to run on.
_MODEL_FAULTS = ("InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that can be asked for."""

    name: str
    provider: str | None  #: of onnxruntime; None = OpenVINO runs it
    install: str  #: what makes it available
    gpu: bool = False  #: has memory of its own: graphs take pixels as bytes there, and may compute in float16
    options: Mapping[str, str] = field(default_factory=dict)  #: of the provider, to compute in float32
    fast: Mapping[str, str] | None = None  #: of the provider, to compute in 16 bits; None = graphs in float16 do


DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        Device("cpu", CPU, "pip install onnxruntime"),
        Device(
            "cuda",
            "CUDAExecutionProvider",
            "pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]' (and a current NVIDIA driver)",
            gpu=True,
            options={
                # Exhaustive search runs every algorithm anew for each batch size, the short last one included.
                "cudnn_conv_algo_search": "HEURISTIC",
                "arena_extend_strategy": "kSameAsRequested",
                # TF32 has 10 bits of mantissa: captions would differ from the CPU's near a threshold.
                "use_tf32": "0",
            },
        ),
        Device(
            "rocm",
            "ROCMExecutionProvider",
            "install onnxruntime-rocm from AMD's repository (repo.radeon.com)",
            gpu=True,
        ),
        Device(
            "migraphx",
            "MIGraphXExecutionProvider",
            "install onnxruntime-migraphx and ROCm from AMD's repository (repo.radeon.com)",
            gpu=True,
        ),
        Device(
            "coreml",
            "CoreMLExecutionProvider",
            "pip install onnxruntime, on a Mac",
            # The older format, and the Neural Engine in any, compute in 16 bits.
            options={
                "ModelFormat": "MLProgram",
                "MLComputeUnits": "CPUAndGPU",
                "AllowLowPrecisionAccumulationOnGPU": "0",
            },
            fast={"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "AllowLowPrecisionAccumulationOnGPU": "1"},
        ),
        Device("openvino", None, "pip install openvino"),
        Device("openvino-gpu", None, "pip install openvino (and the driver of the Intel GPU)"),
        Device(
            "directml",
            "DmlExecutionProvider",
            "pip uninstall onnxruntime, then pip install onnxruntime-directml, on Windows",
            gpu=True,
        ),
    )
}

#: The devices that OpenVINO runs; onnxruntime runs the others.
OPENVINO = tuple(device.name for device in DEVICES.values() if device.provider is None)

#: What `auto` tries of onnxruntime's, fastest first. CoreML is left out: it comes with every Mac's onnxruntime, splits
#: these graphs into pieces, and was seen to take from a third of the CPU's time to eight times of it.
AUTO_ORDER = ("cuda", "rocm", "migraphx", "directml", "cpu")


def choose(wanted: str, available: Sequence[str]) -> list[Device]:
    """The devices of onnxruntime to try, in order, for what was asked.

    Args:
        wanted: "auto" or a key of `DEVICES` that has a provider.
        available: onnxruntime's `get_available_providers()`.

    Raises:
        ConfigError: no such device.
        DeviceError: this onnxruntime was not built for the device; the message says what to install.
    """
    if wanted == "auto":
        return [DEVICES[name] for name in AUTO_ORDER if DEVICES[name].provider in available]
    device = DEVICES.get(wanted)
    if device is None:
        raise ConfigError(f"Device is {wanted!r}; allowed: auto, {', '.join(DEVICES)}")
    if device.provider is None or device.provider not in available:
        raise DeviceError(
            f"device {wanted} was asked for, but the installed onnxruntime has no {device.provider}"
            f" (it has: {', '.join(available)}). To get it: {device.install}. Or set the device to auto"
        )
    return [device]


def name_of(provider: str) -> str:
    """The device's name of a provider."""
    return next((device.name for device in DEVICES.values() if device.provider == provider), provider)


def idle_gpu(available: Sequence[str]) -> str | None:
    """What to tell a user whose NVIDIA GPU this onnxruntime cannot use, or None."""
    if DEVICES["cuda"].provider in available or sys.platform == "darwin":
        return None
    if any(DEVICES[name].provider in available for name in ("directml", "rocm", "migraphx")):
        return None
    if not _has_nvidia():
        return None
    return f"an NVIDIA GPU is there, but the installed onnxruntime cannot use it: {DEVICES['cuda'].install}"


def usable_gpu(available: Sequence[str]) -> str | None:
    """The GPU that `auto` would try first, by its device's name; None where there is none. Opens nothing on it."""
    for name in AUTO_ORDER:
        device = DEVICES[name]
        # onnxruntime for NVIDIA's GPUs is installed on machines without one too.
        if device.gpu and device.provider in available and (name != "cuda" or _has_nvidia()):
            return name
    return None


def _has_nvidia() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


@dataclass(frozen=True, slots=True)
class Source:
    """What a session is opened from."""

    path: Path  #: of the model
    rewritten: Callable[[Device], tuple[bytes, Precision] | None] = lambda _: None  #: the model as a device wants it,
    #: and what it then computes in; None = as its file has it
    precision: Precision = "exact"  #: what was asked for


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session of onnxruntime."""

    session: Any
    device: str
    precision: Precision


def open_session(
    ort: Any, source: Source, wanted: str, options: Any, log: Log | None, stop: StopToken | None
) -> OpenedSession:
    """A session on the first device that works. A rewritten model that does not open there is opened from its file.

    Args:
        ort: onnxruntime.
        source: the model.
        wanted: "auto" or a key of `DEVICES`.
        options: of the session.
        log: is told what it runs on when that is not what was hoped for.
        stop: ends the opening.

    Raises:
        DeviceError: the device that was asked for does not work.
        ModelContractError: onnxruntime cannot read the model.
        JobStoppedError: a stop was asked for meanwhile.
    """
    available = ort.get_available_providers()
    candidates = choose(wanted, available)
    problems: list[str] = []
    for device in candidates:
        said = _preload(ort) if device.name == "cuda" else ""
        try:
            session, precision = _session_on(ort, source, device, options, stop)
            running = session.get_providers()[0]
        except Exception as error:  # onnxruntime's exceptions have no other common class
            if stop is not None:
                stop.check()
            if device.provider == CPU or type(error).__name__ in _MODEL_FAULTS:
                raise ModelContractError(f"{source.path}: onnxruntime cannot read it: {first_line(error)}") from error
            problems.append(f"{device.name}: {first_line(error)}")
            continue
        if running != device.provider:
            problems.append(f"{device.name}: onnxruntime could not start it{said}")
        usable = running == CPU and precision == "exact" and candidates[-2:] == [device, DEVICES["cpu"]]
        if running == device.provider or usable:
            if wanted == "auto":
                warn(log, name_of(running), problems, available)
            return OpenedSession(session, name_of(running), precision)
    raise DeviceError(
        f"device {wanted} was asked for and does not work ({'; '.join(problems)})."
        f" To get it: {DEVICES[wanted].install if wanted in DEVICES else 'install onnxruntime'}."
        " Or set the device to auto"
    )


def _session_on(
    ort: Any, source: Source, device: Device, options: Any, stop: StopToken | None
) -> tuple[Any, Precision]:
    """A session on the device, or on the CPU: onnxruntime falls back without a word."""
    # A provider that cannot start fills stderr, past every session's own settings; we say it in one line ourselves.
    ort.set_default_logger_severity(FATAL)
    try:
        rewritten = source.rewritten(device)
        if rewritten is not None:
            with contextlib.suppress(Exception):  # what is wrong with the model itself, its file shows as well
                return _on_device(ort, rewritten[0], device, options, device.options), rewritten[1]
            if stop is not None:
                stop.check()
        if source.precision == "fast" and device.fast is not None:
            return _on_device(ort, str(source.path), device, options, device.fast), "fast"
        return _on_device(ort, str(source.path), device, options, device.options), "exact"
    finally:
        ort.set_default_logger_severity(_WARNING)


def _on_device(ort: Any, model: str | bytes, device: Device, options: Any, of_provider: Mapping[str, str]) -> Any:
    providers = [CPU] if device.provider == CPU else [(device.provider, dict(of_provider)), CPU]
    # Without onnxruntime's own falling back: it prints lines, and later runs would be on another device than we say.
    return ort.InferenceSession(model, sess_options=options, providers=providers, enable_fallback=0)


def _preload(ort: Any) -> str:
    """Loads the CUDA libraries that PyTorch or NVIDIA's wheels brought; returns which ones are missing, in words."""
    preload = getattr(ort, "preload_dlls", None)
    if preload is None:
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        preload()
    missing = re.findall(r"Failed to load (\S+?):", said.getvalue())
    return f"; libraries that were not found: {', '.join(missing)}" if missing else ""


def warn(log: Log | None, device: str, problems: Sequence[str], available: Sequence[str]) -> None:
    """Says why `auto` came to a device, where that is not what was hoped for.

    Args:
        log: is told so.
        device: what it came to.
        problems: of those that were tried before, `name: reason` each.
        available: onnxruntime's `get_available_providers()`.
    """
    if log is None:
        return
    if problems:
        log(f"Warning: running on {device}, since what is faster does not work ({'; '.join(problems)})")
    elif device in ON_PROCESSOR and (hint := idle_gpu(available)):
        log(f"Warning: running on {device}: {hint}")

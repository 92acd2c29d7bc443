"""Devices that no test machine has: onnxruntime is faked at its edge, providers and sessions, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wd14.config import CaptionConfig
from wd14.errors import ConfigError, DeviceError, ModelContractError
from wd14.model.runtimes.devices import DEVICES, Source, choose, idle_gpu, open_session
from wd14.model.runtimes.session import Precision

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
MODEL = Path("model.onnx")


class InvalidGraph(Exception):
    """Named as onnxruntime names it."""


class Session:
    def __init__(self, providers: list[str]) -> None:
        self.providers = providers

    def get_providers(self) -> list[str]:
        return self.providers


class FakeOrt:
    """An onnxruntime of which some providers were built in (`available`), and some of those work."""

    def __init__(self, available: list[str], working: list[str], error: Exception | None = None) -> None:
        self.available = available
        self.working = working
        self.error = error
        self.opened: list[list[Any]] = []
        self.models: list[str | bytes] = []
        self.preloads = 0
        self.severity = 2

    def get_available_providers(self) -> list[str]:
        return self.available

    def preload_dlls(self) -> None:
        self.preloads += 1
        print("Failed to load libcudnn.so.9: cannot open shared object file")  # noqa: T201 - as the real one does

    def set_default_logger_severity(self, level: int) -> None:
        self.severity = level

    def InferenceSession(
        self, model: str | bytes, *, sess_options: Any, providers: list[Any], enable_fallback: int
    ) -> Session:
        assert not enable_fallback, "a device that is not the one we say"
        self.opened.append(providers)
        self.models.append(model)
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        if self.error is not None and names[0] != CPU:
            raise self.error
        return Session([name for name in names if name in self.working])


def opened(ort: FakeOrt, wanted: str, log: list[str] | None = None) -> tuple[Any, str]:
    result = open_session(ort, Source(MODEL), wanted, None, None if log is None else log.append, None)
    return result.session, result.device


def test_the_parameter_offers_exactly_the_devices_there_are() -> None:
    annotation = CaptionConfig.model_fields["device"].annotation
    assert set(annotation.__args__) == {"auto", *DEVICES}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("available", "order"),
    [
        ([CPU], ["cpu"]),
        (["AzureExecutionProvider", CPU], ["cpu"]),
        (["TensorrtExecutionProvider", CUDA, CPU], ["cuda", "cpu"]),
        (["CoreMLExecutionProvider", CPU], ["cpu"]),
        (["MIGraphXExecutionProvider", "ROCMExecutionProvider", CPU], ["rocm", "migraphx", "cpu"]),
        (["DmlExecutionProvider", CPU], ["directml", "cpu"]),
        (["OpenVINOExecutionProvider", CPU], ["cpu"]),
    ],
)
def test_auto_tries_the_fastest_first(available: list[str], order: list[str]) -> None:
    assert [device.name for device in choose("auto", available)] == order


@pytest.mark.parametrize("name", [name for name in DEVICES if name != "cpu" and DEVICES[name].provider])
def test_a_device_that_was_not_built_in_says_what_to_install(name: str) -> None:
    with pytest.raises(DeviceError) as caught:
        choose(name, [CPU])
    message = str(caught.value)
    assert f"device {name} was asked for, but the installed onnxruntime has no {DEVICES[name].provider}" in message
    assert f"(it has: {CPU})" in message
    assert DEVICES[name].install in message
    assert "set the device to auto" in message


def test_an_unknown_device() -> None:
    with pytest.raises(ConfigError, match="'gpu'; allowed: auto, cpu, cuda"):
        choose("gpu", [CPU])


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_what_works_is_taken_without_a_word(wanted: str) -> None:
    ort, log = FakeOrt([CUDA, CPU], [CUDA, CPU]), list[str]()
    session, device = opened(ort, wanted, log)
    assert (device, session.get_providers()[0], log) == ("cuda", CUDA, [])
    assert ort.preloads == 1
    name, options = ort.opened[0][0]
    assert name == CUDA
    assert options["use_tf32"] == "0"


def test_cuda_libraries_are_looked_for_only_where_cuda_is_tried(capsys: pytest.CaptureFixture[str]) -> None:
    ort = FakeOrt([CPU], [CPU])
    opened(ort, "auto")
    assert ort.preloads == 0
    opened(FakeOrt([CUDA, CPU], [CUDA, CPU]), "auto")
    assert capsys.readouterr().out == "", "what onnxruntime prints about them stays off the job's output"


def test_an_onnxruntime_without_preload_dlls_works_too() -> None:
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    ort.preload_dlls = None  # type: ignore[method-assign, assignment]
    assert opened(ort, "cuda")[1] == "cuda"


def test_auto_falls_back_with_one_warning_and_the_reason() -> None:
    """onnxruntime itself falls back to the CPU without a word when CUDA's libraries are missing."""
    ort, log = FakeOrt([CUDA, CPU], [CPU]), list[str]()
    session, device = opened(ort, "auto", log)
    assert (device, session.get_providers()) == ("cpu", [CPU])
    assert log == [
        "Warning: running on cpu, since what is faster does not work (cuda: onnxruntime could not start it;"
        " libraries that were not found: libcudnn.so.9)"
    ]
    assert ort.severity == 2, "onnxruntime's own log is as it was"
    assert len(ort.opened) == 1, "the session that fell back is used: loading a model twice takes seconds"


def test_auto_goes_on_when_a_device_raises() -> None:
    log: list[str] = []
    ort = FakeOrt([CUDA, "DmlExecutionProvider", CPU], [CPU], RuntimeError("CUDA failure 35: driver too old\nstack"))
    assert opened(ort, "auto", log)[1] == "cpu"
    assert len(log) == 1
    assert "cuda: CUDA failure 35: driver too old; directml: CUDA" in log[0]


@pytest.mark.parametrize("error", [None, RuntimeError("CUDA failure 100: no CUDA-capable device is detected")])
def test_an_explicit_device_that_does_not_work_is_an_error(error: Exception | None) -> None:
    with pytest.raises(DeviceError) as caught:
        opened(FakeOrt([CUDA, CPU], [CPU], error), "cuda")
    message = str(caught.value)
    assert "device cuda was asked for and does not work" in message
    assert ("no CUDA-capable device" if error else "libcudnn.so.9") in message
    assert DEVICES["cuda"].install in message
    assert "\n" not in message


def test_a_rewritten_model_that_does_not_open_is_opened_from_its_file() -> None:
    class Picky(FakeOrt):
        def InferenceSession(self, model: str | bytes, **options: Any) -> Session:
            session = super().InferenceSession(model, **options)
            if isinstance(model, bytes):
                raise RuntimeError("no such operator")
            return session

    ort = Picky([CPU], [CPU])
    result = open_session(ort, Source(MODEL, lambda _: (b"rewritten", "fast")), "cpu", None, None, None)
    assert ort.models == [b"rewritten", "model.onnx"]
    assert result.precision == "exact"


@pytest.mark.parametrize(("precision", "models"), [("exact", [b"for cuda"]), ("fast", [b"for cuda", b"for cpu"])])
def test_a_graph_in_16_bits_does_not_stay_where_the_gpu_does_not_start(
    precision: Precision, models: list[bytes]
) -> None:
    ort = FakeOrt([CUDA, CPU], [CPU])
    source = Source(
        MODEL, lambda device: (f"for {device.name}".encode(), "exact" if device.name == "cpu" else precision)
    )
    result = open_session(ort, source, "auto", None, None, None)
    assert (result.device, result.precision, ort.models) == ("cpu", "exact", models)


def test_a_bad_model_is_not_blamed_on_the_device() -> None:
    with pytest.raises(ModelContractError, match=r"model\.onnx: onnxruntime cannot read it: node 5"):
        opened(FakeOrt([CUDA, CPU], [CUDA, CPU], InvalidGraph("node 5")), "cuda")


def test_a_gpu_that_this_onnxruntime_cannot_use_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    log: list[str] = []
    assert opened(FakeOrt([CPU], [CPU]), "auto", log)[1] == "cpu"
    assert len(log) == 1
    assert "an NVIDIA GPU is there" in log[0]
    assert "onnxruntime-gpu" in log[0]
    opened(FakeOrt([CPU], [CPU]), "cpu", log)
    assert len(log) == 1, "who asks for the CPU is not told about the GPU"
    assert idle_gpu(["DmlExecutionProvider", CPU]) is None


COREML = "CoreMLExecutionProvider"


@pytest.mark.parametrize(("precision", "units", "accumulation"), [("exact", "CPUAndGPU", "0"), ("fast", "ALL", "1")])
def test_coreml_computes_in_16_bits_only_where_that_was_asked_for(
    precision: Precision, units: str, accumulation: str
) -> None:
    """Its Neural Engine has no others."""
    ort = FakeOrt([COREML, CPU], [COREML, CPU])
    result = open_session(ort, Source(MODEL, precision=precision), "coreml", None, None, None)
    assert result.precision == precision
    name, options = ort.opened[0][0]
    assert name == COREML
    assert options == {
        "ModelFormat": "MLProgram",
        "MLComputeUnits": units,
        "AllowLowPrecisionAccumulationOnGPU": accumulation,
    }


def test_a_file_in_place_of_a_graph_in_float16_is_exact() -> None:
    """A graph that cannot be written in float16, on a device that computes in it no other way."""
    ort = FakeOrt([CUDA, CPU], [CUDA, CPU])
    result = open_session(ort, Source(MODEL, precision="fast"), "cuda", None, None, None)
    assert (result.device, result.precision) == ("cuda", "exact")
    assert ort.opened[0][0][1]["use_tf32"] == "0"

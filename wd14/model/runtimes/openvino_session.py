"""Sessions of OpenVINO. The only file that imports it.

OpenVINO can keep compiled models in a folder. On a CPU that gains nothing (opening ConvNeXt-B took 1.87 s of CPU time
with it and 1.88 without) and costs the size of the model on the disk and in memory, so nothing is kept.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from numpy.typing import NDArray

from wd14.errors import DeviceError, JobStoppedError, ModelContractError, ModelError
from wd14.model.files.find import ModelFiles
from wd14.model.graph.facts import Dimension, TensorFacts
from wd14.model.graph.mapped_weights import MappedWeights
from wd14.model.graph.rewriting import with_weights_apart
from wd14.model.runtimes.devices import DEVICES
from wd14.model.runtimes.memory_limit import BYTES, TIMES_FILES
from wd14.model.runtimes.openvino_limits import INSTEAD, check_graph
from wd14.model.runtimes.session import Opening, Precision, run_error
from wd14.model.runtimes.stop_watch import StopWatch, cancelled_by
from wd14.model.trial.candidates import Candidate
from wd14.text import printable
from wd14.threads import available_cores

#: Our devices as OpenVINO calls them; the 16 bits that `fast` computes in, as a capability and as a hint.
_CPU = ("CPU", "BF16", "bf16")
_GPU = ("GPU", "FP16", "f16")
_TARGETS = {"openvino": _CPU, "openvino-gpu": _GPU}

#: OpenVINO's names of types in onnxruntime's words; of the others only the name is shown.
_TYPES = {
    "f32": "float",
    "f16": "float16",
    "f64": "double",
    "bf16": "bfloat16",
    "u8": "uint8",
    "i32": "int32",
    "i64": "int64",
    "boolean": "bool",
}

#: Lines of its exceptions that say nothing to a user.
_NO_REASON = re.compile(
    r"Exception from|Check '|FrontEnd API failed|Model wasn't|Summary:|While validating|Shape inference"
    r"|.* with a message:"
)

#: OpenVINO makes its table of types at the first use, and lets go of the GIL meanwhile: two runs that begin at once
#: would wait for each other for ever. So it is used once before any run. One thread at a time imports it.
_first_use = threading.Lock()


class OpenvinoSession:
    """A model that OpenVINO runs. Made by `open_openvino`; see `session.Session`."""

    def __init__(
        self,
        compiled: Any,
        weights: MappedWeights | None,
        device: str,
        precision: Precision,
        stop_watch: StopWatch | None,
    ) -> None:
        self.device = device
        self.precision: Precision = precision
        self.inputs = tuple(_facts(port, port.node.friendly_name) for port in compiled.inputs)
        self.outputs = tuple(_facts(port, _output_name(port)) for port in compiled.outputs)
        self._compiled = compiled
        self._weights = weights  # in use as long as the model is
        self._ports = dict(zip((fact.name for fact in self.outputs), compiled.outputs, strict=True))
        self._stop_watch = stop_watch
        self._idle: list[Any] = []  # requests that no run uses

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """See `session.Session`."""
        with self._request() as request, cancelled_by(self._stop_watch, request.cancel):
            try:
                request.start_async(dict(feeds), share_inputs=True)
                request.wait()
                result: NDArray[Any] = request.get_tensor(self._ports[output]).data.copy()
            except Exception as error:  # its exceptions are RuntimeErrors, and MemoryError
                raise run_error(error, self._stop_watch, reason) from error
        return result

    @contextlib.contextmanager
    def _request(self) -> Iterator[Any]:
        """A request for one run; there are as many as there were runs at once."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        yield request
        self._idle.append(request)  # not after an error: its state is not known then


def open_openvino(files: ModelFiles, candidate: Candidate, opening: Opening) -> OpenvinoSession:
    """Opens a model with OpenVINO, for one picture at once: that is quickest, several runs at once fill the cores.

    Takes 1 to 2.5 s of CPU time for a model of 100 million weights, and for that time 2 to 3 times the memory of its
    file; afterwards 1.5 to 2 times.

    Args:
        files: of the model.
        candidate: device "openvino" (CPU) or "openvino-gpu"; precision, which is the session's own where the device has
            no 16 bits; fused or not.
        opening: threads, streams (`runs_at_once`), stop.

    Raises:
        DeviceError: OpenVINO is not installed, or does not have the device.
        ModelContractError: OpenVINO cannot read the model, or not run it; or nobody vouches for it and it may take any
            memory (`openvino_limits`).
        JobStoppedError: a stop was asked for; it ends the opening between two of its steps.
    """
    core = _core(candidate.device)
    target, _, half = _TARGETS[candidate.device]
    precision: Precision = "fast" if candidate.precision == "fast" and fast_on(candidate.device) else "exact"
    options = _options(target, half if precision == "fast" else "f32", opening)
    _check(opening)
    try:
        model, weights = _read(core, files, fused=candidate.fused)
        _check(opening)
        _take_one_picture(model, files)
        if not files.pinned:
            check_graph(
                files, model, BYTES // opening.runs_at_once + TIMES_FILES * sum(file.size for file in files.hashes)
            )
        compiled = core.compile_model(model, target, options)
    except (JobStoppedError, ModelError):
        raise
    except Exception as error:  # its exceptions have no other common class
        raise ModelContractError(f"{files.model_path}: OpenVINO cannot run it: {reason(error)}") from error
    _check(opening)
    if weights is not None:
        weights.release()  # the session has packed copies, and needs the file no more
    return OpenvinoSession(compiled, weights, candidate.device, precision, opening.stop_watch)


def fast_on(device: str) -> bool:
    """Whether a device of OpenVINO computes in 16 bits in hardware; False where OpenVINO or the device is missing."""
    target, capability, _ = _TARGETS[device]
    try:
        capabilities = _core(device).get_property(target, "OPTIMIZATION_CAPABILITIES")
    except (DeviceError, RuntimeError):
        return False
    return capability in capabilities


def check_device(device: str) -> None:
    """Checks that OpenVINO is installed and has a device; it is loaded for that, in 0.2 s.

    Raises:
        DeviceError: it is not, or has no such device here; the message says what to do.
    """
    _core(device)


def _core(device: str) -> Any:
    """OpenVINO, with this device.

    Raises:
        DeviceError: as `check_device`.
    """
    try:
        core = _core_of(_openvino())
        available = core.available_devices
    except Exception as error:  # a package that is broken or too old for what is beside it may raise anything
        raise DeviceError(
            f"device {device} was asked for, but OpenVINO cannot be loaded ({reason(error)})."
            f" To get it: {DEVICES[device].install}. Or set the device to auto"
        ) from error
    if not any(name.split(".")[0] == _TARGETS[device][0] for name in available):
        raise DeviceError(
            f"device {device} was asked for, but OpenVINO finds no such device (it has: {', '.join(available)})."
            f" To get it: {DEVICES[device].install}. Or set the device to auto"
        )
    return core


@cache
def _core_of(openvino: Any) -> Any:
    """OpenVINO's core, one for as long as the process lives.

    For processors with AMX OpenVINO gives the thread that first needs it a stack for signals, and takes that back with
    its last core: from another thread, the next Ctrl-C would end the process with a segmentation fault.
    """
    return openvino.Core()


def reason(error: BaseException) -> str:
    """What an exception of OpenVINO says, in a line: it comes after the places in its sources where it was raised."""
    lines = (line.strip().removeprefix("-- ") for line in str(error).splitlines())
    said = next((line for line in lines if line and not _NO_REASON.match(line)), type(error).__name__)
    return printable(said[:500])


def _read(core: Any, files: ModelFiles, *, fused: bool) -> tuple[Any, MappedWeights | None]:
    """The model, and its weights where they could be left in their file.

    OpenVINO's reader of ONNX files copies every weight. So it reads the graph with weights as inputs, and then gets
    constants in their place that lie in the file: 0.4 GB and a third of the time less for 100 million weights. It also
    computes what nobody needs, of any size; so of a graph that nobody vouches for it gets only what is needed.
    """
    try:
        content, weights = with_weights_apart(files, fused=fused)
        model = core.read_model(content)
        constant = _openvino().op.Constant
        for parameter in model.get_parameters():
            output = parameter.output(0)
            for name in output.get_names() & weights.arrays.keys():
                value = constant(weights.arrays[name], shared_memory=True).output(0)
                for reader in output.get_target_inputs():
                    reader.replace_source_output(value)
                model.remove_parameter(parameter)
        model.validate_nodes_and_infer_types()
    except Exception as error:  # a graph may be as odd as it likes: its file is what it was
        if files.pinned:
            return core.read_model(str(files.model_path)), None
        if isinstance(error, ModelError):
            raise ModelContractError(
                f"{error}. Such a model runs on OpenVINO only if it is a known one{INSTEAD}"
            ) from error
        raise
    return model, weights


def _take_one_picture(model: Any, files: ModelFiles) -> None:
    """Fixes what a model leaves open of its inputs' shapes: with it open, every run takes 6 to 10 % longer."""
    side = files.spec.size
    picture = (1, side, side, 3) if files.spec.layout == "NHWC" else (1, 3, side, side)
    shapes = {}
    for port in model.inputs:
        wanted = (1, side, side) if files.mask_name in port.get_names() else picture
        if port.partial_shape.rank.is_dynamic or len(port.partial_shape) != len(wanted):
            return
        given = zip(port.partial_shape, wanted, strict=True)
        shapes[port] = [fixed.get_length() if fixed.is_static else length for fixed, length in given]
    with contextlib.suppress(RuntimeError):  # it stays as it was
        model.reshape(shapes)


def _openvino() -> Any:
    """Imported late: most runs need none of it."""
    with _first_use:
        if "openvino" not in sys.modules:
            # Its import tells Intel that it was imported, by way of a package of its own, unless that cannot be
            # imported.
            before = sys.modules.get("openvino_telemetry")
            sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
            try:
                import openvino
            finally:
                if before is None:
                    del sys.modules["openvino_telemetry"]
                else:
                    sys.modules["openvino_telemetry"] = before
        import openvino

        openvino.Type.f32.to_dtype()
    return openvino


def _options(target: str, precision: str, opening: Opening) -> dict[str, Any]:
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"}
    options["NUM_STREAMS"] = str(opening.runs_at_once)
    if target == "CPU":
        threads = opening.threads or max(1, available_cores() // opening.runs_at_once)
        options["INFERENCE_NUM_THREADS"] = threads * opening.runs_at_once
        # Pinned, two jobs on one machine would have the same cores.
        options["ENABLE_CPU_PINNING"] = False
    return options


def _check(opening: Opening) -> None:
    if opening.stop is not None:
        opening.stop.check()


def _output_name(port: Any) -> str:
    """The name that the file gives an output; a tensor may have more names."""
    name: str = port.node.friendly_name
    return name.removesuffix("/sink_port_0")


def _facts(port: Any, name: str) -> TensorFacts:
    shape = port.partial_shape
    sides: tuple[Dimension, ...] | None = None
    if shape.rank.is_static:
        sides = tuple(side.get_length() if side.is_static else None for side in shape)
    kind: str = port.element_type.get_type_name()
    return TensorFacts(name, f"tensor({_TYPES.get(kind, kind)})", sides)

"""Sessions of onnxruntime. The only file that imports it."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from wd14.model.files.find import ModelFiles
from wd14.model.graph.facts import TensorFacts
from wd14.model.graph.rewriting import rewritten
from wd14.model.runtimes import devices
from wd14.model.runtimes.devices import FATAL, Device
from wd14.model.runtimes.memory_limit import limit_memory
from wd14.model.runtimes.session import Opening, Precision, run_error
from wd14.model.runtimes.stop_watch import StopWatch, cancelled_by
from wd14.model.trial.candidates import Candidate
from wd14.regular_files import open_file

#: Says from which folder the weights of a model come that is opened from bytes.
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"

#: Devices to which a batch is brought before its run begins, while another computes.
_INPUT_FIRST = ("cuda",)
#: Devices that do one run at a time.
_ONE_RUN = ("directml",)

#: Write the model down again for another runtime: whether they find weights in other files is not known everywhere.
#: They get the file itself unless 16 bits are asked for, which only a rewritten graph has.
_WRITING_MODELS_DOWN = ("coreml", "migraphx")


class OnnxruntimeSession:
    """A model that onnxruntime runs. Made by `open_onnxruntime`; see `session.Session`."""

    def __init__(self, session: Any, device: str, precision: Precision, stop_watch: StopWatch | None) -> None:
        self.device = device
        self.precision: Precision = precision
        self.inputs = tuple(map(_facts, session.get_inputs()))
        self.outputs = tuple(map(_facts, session.get_outputs()))
        self._session = session
        self._stop_watch = stop_watch
        self._turn = threading.Lock() if device in _ONE_RUN else contextlib.nullcontext()

    def run(self, feeds: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """See `session.Session`."""
        options = _onnxruntime().RunOptions()
        options.log_severity_level = FATAL
        with self._turn, cancelled_by(self._stop_watch, lambda: setattr(options, "terminate", True)):
            try:
                result: NDArray[Any]
                if self.device in _INPUT_FIRST:
                    result = self._run_bound(feeds, output, options)
                else:
                    result = self._session.run([output], dict(feeds), options)[0]
            except Exception as error:  # onnxruntime's exceptions have no other common class
                raise run_error(error, self._stop_watch) from error
            return result

    def _run_bound(self, feeds: Mapping[str, NDArray[Any]], output: str, options: Any) -> NDArray[Any]:
        """A run whose input is in the device's memory already; its output comes back.

        The session's own allocator takes the memory: that of `OrtValue` is not made for several threads.
        """
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        binding.bind_output(output, "cpu")
        self._session.run_with_iobinding(binding, options)
        result: NDArray[Any] = binding.copy_outputs_to_cpu()[0]
        return result


def open_onnxruntime(files: ModelFiles, candidate: Candidate, opening: Opening) -> OnnxruntimeSession:
    """Opens a model on a device.

    Args:
        files: of the model.
        candidate: the device, and how the graph is written for it. "auto" is the first GPU that works, else the CPU.
        opening: threads, log, stop.

    Raises:
        ConfigError: no such device.
        DeviceError: the device is not there, or does not work.
        ModelContractError: onnxruntime cannot read the model.
        JobStoppedError: a stop was asked for (onnxruntime >= 1.22 ends the opening itself).
    """
    ort = _onnxruntime()
    options = _session_options(opening.threads)
    limit_memory(ort, options, files=sum(file.size for file in files.hashes), pinned=files.pinned)
    linked = _give_linked_weights(options, files)
    source = devices.Source(
        files.model_path, lambda device: _rewritten(files, candidate, device, options), candidate.precision
    )
    with cancelled_by(opening.stop_watch, lambda: _cancel_opening(options)):
        opened = devices.open_session(ort, source, candidate.device, options, opening.log, opening.stop)
    del linked  # the session has copies
    return OnnxruntimeSession(opened.session, opened.device, opened.precision, opening.stop_watch)


def _rewritten(files: ModelFiles, candidate: Candidate, device: Device, options: Any) -> tuple[bytes, Precision] | None:
    """The model as the candidate wants it on a device. The options of the session learn where its weights lie.

    Even a plain candidate gains: the session maps the weights instead of reading them, which takes two thirds of the
    time and of the memory.
    What is left is packing them: a session from a stored optimised model opens hardly sooner (0.43 s of the processor
    instead of 0.47 for ConvNeXt-B), and would take as much disk as the model again.
    """
    if device.name in _WRITING_MODELS_DOWN and (candidate.precision == "exact" or not device.gpu):
        return None
    try:
        model = rewritten(files, candidate, gpu=device.gpu)
        options.add_session_config_entry(_WEIGHTS_FOLDER, os.fsencode(model.folder))
    except Exception:  # noqa: BLE001 - a graph may be as odd as it likes: its file is what it was
        return None
    return model.content, model.precision


def available_providers() -> list[str]:
    """The execution providers that the installed onnxruntime was built with, as it names them."""
    names: list[str] = _onnxruntime().get_available_providers()
    return names


def _onnxruntime() -> Any:
    """Imported late: a run from stored scores needs none of it."""
    # Before the import: later, its telemetry has written to the home folder already (onnxruntime 1.32 on Linux).
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _session_options(threads: int | None) -> Any:
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = FATAL
    options.inter_op_num_threads = 1
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def _give_linked_weights(options: Any, files: ModelFiles) -> list[mmap.mmap]:
    """Maps weights that a graph keeps in other files where these are links, as in the hub's cache.

    A session that is opened from the model's file needs them: onnxruntime from 1.24 on follows no such link, or only
    some. Nothing is read before that. They have to live until the session is open.
    """
    give = getattr(options, "add_external_initializers_from_files_in_memory", None)
    linked = [file for file in files.hashes if file.path != files.model_path and file.path.is_symlink() and file.size]
    if give is None or not linked:
        return []
    maps = []
    for file in linked:
        with open_file(file.path) as opened:
            maps.append(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    names = [file.path.relative_to(files.model_path.parent).as_posix() for file in linked]
    give(names, maps, list(map(len, maps)))
    return maps


def _cancel_opening(options: Any) -> None:
    """Ends the opening of a session soon, where onnxruntime can (since 1.22), with an exception there."""
    cancel = getattr(options, "set_load_cancellation_flag", None)
    if cancel is not None:
        cancel(True)


def _facts(argument: Any) -> TensorFacts:
    return TensorFacts(argument.name, argument.type, tuple(argument.shape))

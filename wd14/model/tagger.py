"""The ONNX session: pictures in, probabilities out. The only file that imports onnxruntime."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wd14.errors import ModelContractError, ScoringError
from wd14.model import devices
from wd14.model.activation import probabilities
from wd14.model.devices import first_line
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.files.graph import TensorFacts
from wd14.model.files.interface import Interface, check_spec, read_interface
from wd14.model.files.registry import DEFAULT
from wd14.model.memory_limit import limit_memory
from wd14.stop import StopToken
from wd14.types import UNUSED, FloatArray, InputSpec, Labels, Log

#: On a CPU, batches gain nothing (measured), and one picture at a time keeps memory low and progress smooth.
_CPU_BATCH = 1
#: Enough to fill a GPU; with the largest models it needs some GB of its memory.
_GPU_BATCH = 16

#: Level of onnxruntime's logger. Errors come as exceptions too, and are told once, by us, with no names from a model's
#: graph that could do something to a terminal; warnings about unused weights fill a screen.
_FATAL = 4

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
    "8007000e",  # the same, as DirectML writes it
)


class _StopWatch:
    """Passes a stop on to onnxruntime, which cannot look for one while it works: a thread does so, until the stop."""

    def __init__(self, stop: StopToken) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._to_cancel: set[Callable[[], None]] = set()
        threading.Thread(target=self._watch, name="wd14-stop-watch", daemon=True).start()

    def check(self) -> None:
        """Raises JobStoppedError when a stop has come."""
        self._stop.check()

    @contextlib.contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Calls `cancel` when a stop comes before the end of the block.

        Raises:
            JobStoppedError: one has come already.
        """
        with self._lock:
            self._stop.check()
            self._to_cancel.add(cancel)
        try:
            yield
        finally:
            with self._lock:
                self._to_cancel.discard(cancel)

    def _watch(self) -> None:
        while not self._stop.wait(60):
            pass
        with self._lock:
            for cancel in self._to_cancel:
                cancel()


def _cancelled_by(stop_watch: _StopWatch | None, cancel: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if stop_watch is None else stop_watch.cancelling(cancel)


class Tagger:
    """A model that is ready to score pictures. Made by `load`.

    `run` may be called by several threads at once.
    """

    def __init__(
        self,
        files: ModelFiles,
        session: Any,
        interface: Interface,
        device: str,
        log: Log | None,
        stop_watch: _StopWatch | None,
    ) -> None:
        self.files = files
        self.device = device  #: what it really runs on: "cpu", "cuda", …
        self.fixed_batch = interface.fixed_batch  #: pictures that go through at once; None = any number
        self._session = session
        self._interface = interface
        self._log = log
        self._limit = interface.fixed_batch  # most pictures at once; None = as many as come
        self._stop_watch = stop_watch
        self._lock = threading.Lock()  # of `_limit`
        unused = [index for index, category in enumerate(files.labels.categories) if category == UNUSED]
        self._unused = np.array(unused, dtype=np.intp) if unused else None

    @classmethod
    def load(
        cls,
        model: str | Path | ModelFiles = DEFAULT,
        *,
        device: str = "auto",
        intra_op_threads: int | None = None,
        log: Log | None = None,
        stop: StopToken | None = None,
    ) -> Tagger:
        """Opens a session on a device.

        Args:
            model: an id, a folder, or what `find_model` returned.
            device: "auto" or a key of `devices.DEVICES`.
            intra_op_threads: threads of one run on the CPU; None = onnxruntime's choice, one a core.
            log: is told what it runs on when that is not what was hoped for.
            stop: ends a download, the opening of the session (onnxruntime >= 1.22 can) and every run of it.

        Raises:
            ModelError: one of its kinds: not found, not downloaded, no tagger, device not there.
            ConfigError: no such device.
            JobStoppedError: a stop was asked for.
        """
        files = model if isinstance(model, ModelFiles) else find_model(model, log=log, stop=stop)
        if not len(files.labels):
            raise ModelContractError(f"{files.id} is no tagger: it adds no tag, and there is no session to open")
        options = _session_options(intra_op_threads)
        limit_memory(_onnxruntime(), options, files=sum(file.size for file in files.hashes), pinned=files.pinned)
        stop_watch = None if stop is None else _StopWatch(stop)
        with _cancelled_by(stop_watch, lambda: _cancel_opening(options)):
            session, chosen = devices.open_session(_onnxruntime(), files.model_path, device, options, log, stop)
        for file in files.hashes:  # the scores are stored under these hashes
            file.check()
        interface = read_interface(
            [_facts(argument) for argument in session.get_inputs()],
            [_facts(argument) for argument in session.get_outputs()],
            files.labels,
            model=str(files.model_path),
            output_name=files.output_name,
        )
        check_spec(interface, files.spec, str(files.model_path))
        return cls(files, session, interface, chosen, log, stop_watch)

    @property
    def labels(self) -> Labels:
        """The tags, in the order of the columns that `run` returns."""
        return self.files.labels

    @property
    def spec(self) -> InputSpec:
        """How `run` wants its pictures."""
        return self.files.spec

    @property
    def preferred_batch(self) -> int:
        """How many pictures to give to `run` at once when the user does not say."""
        if self.fixed_batch is not None:
            return self.fixed_batch
        return _CPU_BATCH if self.device == "cpu" else _GPU_BATCH

    @property
    def identity(self) -> str:
        """Names weights and labels."""
        return self.files.identity

    def run(self, batch: FloatArray) -> FloatArray:
        """Scores pictures.

        A fixed batch dimension is filled up and cut again; a batch that is too large for the device's memory goes
        through in halves, and so do later ones.

        Args:
            batch: (n, size, size, 3) or (n, 3, size, size) float32 as `spec` says; n >= 0.

        Returns:
            (n, T) float32 probabilities, T = len(labels). A row may hold NaN where the model computed none: the
            caller decides about rows.

        Raises:
            ValueError: the batch has another shape.
            ScoringError: the model failed on these pictures.
            ModelContractError: what comes out is not one probability for each label.
            JobStoppedError: a stop was asked for.
        """
        size, spec = self.spec.size, self.spec
        expected = (size, size, 3) if spec.layout == "NHWC" else (3, size, size)
        if batch.shape[1:] != expected:
            raise ValueError(f"expected a batch of shape (n, {', '.join(map(str, expected))}), got {batch.shape}")
        scores = np.empty((len(batch), len(self.labels)), dtype=np.float32)
        start = 0
        while start < len(batch):
            count = min(self._limit or len(batch), len(batch) - start)
            try:
                scores[start : start + count] = self._run_at_once(batch[start : start + count])
            except MemoryError as error:
                self._halve(count, error)
            else:
                start += count
        return scores

    def _run_at_once(self, batch: FloatArray) -> FloatArray:
        """One run of the session. Raises MemoryError where the device has not enough of it."""
        count = len(batch)
        if self.fixed_batch is not None and count < self.fixed_batch:
            missing = np.zeros((self.fixed_batch - count, *batch.shape[1:]), dtype=batch.dtype)
            batch = np.concatenate([batch, missing])
        feed = batch.astype(np.float16) if self._interface.input_type == "tensor(float16)" else batch
        options = _onnxruntime().RunOptions()
        options.log_severity_level = _FATAL
        with _cancelled_by(self._stop_watch, lambda: setattr(options, "terminate", True)):
            result = self._call(np.ascontiguousarray(feed), options)
        if result.ndim != 2 or result.shape != (len(batch), len(self.labels)):
            raise ModelContractError(
                f"{self.files.model_path}: expected {len(batch)} x {len(self.labels)} scores, one for each label,"
                f" the model gave {' x '.join(map(str, result.shape))}"
            )
        outputs = result[:count].astype(np.float32, copy=False)
        scores = probabilities(outputs, self.files.activation, model=str(self.files.model_path))
        if self._unused is not None:
            scores[:, self._unused] = 0
        return scores

    def _call(self, feed: Any, options: Any) -> Any:
        try:
            return self._session.run([self._interface.output_name], {self._interface.input_name: feed}, options)[0]
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime's exceptions have no other common class
            if self._stop_watch is not None:
                self._stop_watch.check()
            if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
                raise MemoryError(str(error)) from error
            raise ScoringError(f"the model failed: {first_line(error)}") from error

    def _halve(self, count: int, error: MemoryError) -> None:
        """Makes do with half of a batch that was too large.

        Raises:
            ScoringError: it cannot be made smaller.
        """
        if self.fixed_batch is not None or count <= 1:
            raise ScoringError(f"not enough memory on {self.device} for this picture") from error
        with self._lock:
            if self._limit is None or self._limit > count // 2:
                self._limit = count // 2
                if self._log is not None:
                    self._log(
                        f"Not enough memory on {self.device} for {count} pictures at once: going on with {count // 2}"
                    )


def _onnxruntime() -> Any:
    """Imported late: a run from stored scores needs none of it."""
    # Before the import: later, its telemetry has written to the home folder already (onnxruntime 1.32 on Linux).
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _session_options(intra_op_threads: int | None) -> Any:
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _FATAL
    options.inter_op_num_threads = 1
    if intra_op_threads is not None:
        options.intra_op_num_threads = intra_op_threads
    return options


def _cancel_opening(options: Any) -> None:
    """Ends the opening of a session soon, where onnxruntime can (since 1.22), with an exception there."""
    cancel = getattr(options, "set_load_cancellation_flag", None)
    if cancel is not None:
        cancel(True)


def _facts(argument: Any) -> TensorFacts:
    return TensorFacts(argument.name, argument.type, tuple(argument.shape))

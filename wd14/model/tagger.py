"""A tagger: pictures in, probabilities out, whatever runs the model."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ModelContractError, ScoringError
from wd14.input_spec import InputSpec
from wd14.model.activation import probabilities
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.files.interface import FLOAT_TYPES, PIXELS, Interface, check_spec, read_interface
from wd14.model.files.registry import DEFAULT
from wd14.model.preprocess import values
from wd14.model.runtimes.session import ON_PROCESSOR, Opening, Precision, Session
from wd14.model.runtimes.stop_watch import StopWatch
from wd14.model.turns import Turns
from wd14.stop import StopToken
from wd14.types import UNUSED, Box, FloatArray, Labels, Log, PixelArray

#: On a CPU, batches gain nothing (measured), and one picture at a time keeps memory low and progress smooth.
_CPU_BATCH = 1
#: Enough to fill a GPU; with the largest models it needs some GB of its memory.
_GPU_BATCH = 16
#: The types of `interface.MASK_TYPES`, as numpy has them.
_MASK_TYPES = {
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    PIXELS: np.uint8,
}


class Tagger:
    """A model that is ready to score pictures. Made by `load`.

    `run` may be called by several threads at once.
    """

    def __init__(self, files: ModelFiles, session: Session, interface: Interface, log: Log | None) -> None:
        self.files = files
        self.device = session.device  #: what it really runs on: "cpu", "cuda", …
        self.precision: Precision = session.precision  #: what it really computes in
        self.fixed_batch = interface.fixed_batch  #: pictures that go through at once; None = any number
        self.lines: tuple[str, ...] = ()  #: what it runs on and why, for a person
        self._best_batch: int | None = None  # as a trial found
        self._session = session
        self._interface = interface
        self._takes_pixels = interface.input_type == PIXELS
        self._log = log
        self._limit = interface.fixed_batch  # most pictures at once; None = as many as come
        self._lock = threading.Lock()  # of `_limit`
        self._turns = Turns()
        unused = [index for index, category in enumerate(files.labels.categories) if category == UNUSED]
        self._unused = np.array(unused, dtype=np.intp) if unused else None

    @classmethod
    def load(
        cls,
        model: str | Path | ModelFiles = DEFAULT,
        *,
        device: str = "auto",
        precision: Precision = "exact",
        intra_op_threads: int | None = None,
        runs_at_once: int = 1,
        pictures: int | None = 0,
        log: Log | None = None,
        stop: StopToken | None = None,
    ) -> Tagger:
        """Opens a session on a device.

        Args:
            model: an id, a folder, or what `find_model` returned.
            device: "auto" or a key of `devices.DEVICES`.
            precision: "fast" computes in 16 bits where the hardware gains by it.
            intra_op_threads: threads of one run on the CPU; None = the runtime's choice, one a core.
            runs_at_once: how many threads will call `run`.
            pictures: how many are to be scored; None = not known. From 100 on what is fastest is measured, once.
            log: is told what it runs on when that is not what was hoped for.
            stop: ends a download, the opening of the session (onnxruntime >= 1.22 can) and every run of it.

        Raises:
            ModelError: one of its kinds: not found, not downloaded, no tagger, device not there.
            ConfigError: no such device.
            JobStoppedError: a stop was asked for.
        """
        # Late: a run from stored scores opens no model, and need not import what opens one.
        from wd14.model.runtimes.opening import open_session

        files = model if isinstance(model, ModelFiles) else find_model(model, log=log, stop=stop)
        if not len(files.labels):
            raise ModelContractError(f"{files.id} is no tagger: it adds no tag, and there is no session to open")
        stop_watch = None if stop is None else StopWatch(stop)
        opening = Opening(intra_op_threads, runs_at_once, log=log, stop=stop, stop_watch=stop_watch)
        opened = open_session(files, device, precision, opening, pictures=pictures)
        tagger = cls.of_session(files, opened.session, log=log)
        tagger.lines, tagger._best_batch = opened.lines, opened.batch
        return tagger

    @classmethod
    def of_session(cls, files: ModelFiles, session: Session, *, log: Log | None = None) -> Tagger:
        """A tagger of an open session.

        Args:
            files: of the model.
            session: of these files.
            log: is told when the device has less memory than was hoped for.

        Raises:
            ModelError: the files were changed meanwhile, or are no tagger's.
        """
        for file in files.hashes:  # the scores are stored under these hashes
            file.check()
        interface = read_interface(
            session.inputs,
            session.outputs,
            files.labels,
            model=str(files.model_path),
            output_name=files.output_name,
            input_name=files.input_name,
            mask_name=files.mask_name,
            label_file=str(files.labels_path),
            input_types=(*FLOAT_TYPES, PIXELS),
        )
        check_spec(interface, files.spec, str(files.model_path))
        return cls(files, session, interface, log)

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
        return self._best_batch or (_CPU_BATCH if self.device in ON_PROCESSOR else _GPU_BATCH)

    @property
    def most_at_once(self) -> int | None:
        """How many pictures go through at once at most: a fixed batch, or what memory turned out to hold; None = any
        number so far.
        """
        return self._limit

    @property
    def identity(self) -> str:
        """Names weights and labels."""
        return self.files.identity

    @property
    def needs_boxes(self) -> bool:
        """Whether `run` has to know where each picture lies in its square: the model asks for a mask."""
        return self._interface.mask_name is not None

    def run(self, batch: PixelArray | FloatArray, boxes: Sequence[Box] | None = None) -> FloatArray:
        """Scores pictures.

        A fixed batch dimension is filled up and cut again; a batch that is too large for the device's memory goes
        through in halves, and so do later ones. What is too large beside other runs goes through after them.

        Args:
            batch: (n, size, size, 3) or (n, 3, size, size) as `spec` says; n >= 0. Pixels, uint8, as
                `preprocess.pixels` makes them; or, where the model does not run on a GPU, float32 as
                `preprocess.values` does.
            boxes: where each picture lies in its square, as `geometry.picture_box` says; needed by models with a mask,
                others do not look at it.

        Returns:
            (n, T) float32 probabilities, T = len(labels). A row may hold NaN where the model computed none: the
            caller decides about rows.

        Raises:
            ValueError: the batch has another shape, or another type, or its boxes are missing.
            ScoringError: the model failed on these pictures.
            ModelContractError: what comes out is not one probability for each label.
            JobStoppedError: a stop was asked for.
        """
        size, spec = self.spec.size, self.spec
        expected = (size, size, 3) if spec.layout == "NHWC" else (3, size, size)
        if batch.shape[1:] != expected:
            raise ValueError(f"expected a batch of shape (n, {', '.join(map(str, expected))}), got {batch.shape}")
        allowed = ("uint8",) if self._takes_pixels else ("uint8", "float32")
        if batch.dtype not in allowed:
            raise ValueError(f"expected a batch of {' or '.join(allowed)}, got {batch.dtype}")
        if self.needs_boxes and (boxes is None or len(boxes) != len(batch)):
            raise ValueError(f"expected {len(batch)} boxes, one for each picture, got {boxes and len(boxes)}")
        scores = np.empty((len(batch), len(self.labels)), dtype=np.float32)
        start = 0
        while start < len(batch):
            count = min(self._limit or len(batch), len(batch) - start)
            some = slice(start, start + count)
            try:
                with self._turns.taking() as turn:
                    scores[some] = self._run_at_once(batch[some], boxes and boxes[some])
            except MemoryError as error:
                self._make_do(count, error, shared=turn.shared)
            else:
                start += count
        return scores

    def _run_at_once(self, batch: PixelArray | FloatArray, boxes: Sequence[Box] | None) -> FloatArray:
        """One run of the session. Raises MemoryError where the device has not enough of it."""
        count = len(batch)
        if self.fixed_batch is not None and count < self.fixed_batch:
            missing = np.zeros((self.fixed_batch - count, *batch.shape[1:]), dtype=batch.dtype)
            batch = np.concatenate([batch, missing])
        feeds = {self._interface.input_name: self._feed(batch)}
        if self._interface.mask_name is not None:
            feeds[self._interface.mask_name] = self._mask(len(batch), boxes or ())
        result = self._session.run(feeds, self._interface.output_name)
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

    def _feed(self, batch: NDArray[Any]) -> NDArray[Any]:
        """The batch as the graph takes it, C-contiguous."""
        if not self._takes_pixels and batch.dtype == np.uint8:
            batch = values(batch, self.spec)
        if self._interface.input_type == "tensor(float16)":
            batch = batch.astype(np.float16)
        return np.ascontiguousarray(batch)

    def _mask(self, count: int, boxes: Sequence[Box]) -> NDArray[Any]:
        """(count, size, size): true where there is no picture but padding. What fills up a fixed batch has none."""
        mask: NDArray[Any] = np.zeros(
            (count, self.spec.size, self.spec.size), dtype=_MASK_TYPES[str(self._interface.mask_type)]
        )
        for padded, (left, top, right, bottom) in zip(mask, boxes, strict=False):
            padded[:] = True
            padded[top:bottom, left:right] = False
        return mask

    def _make_do(self, count: int, error: MemoryError, *, shared: bool) -> None:
        """Makes do with half of a batch that was too large; one that cannot be halved goes through by itself.

        Raises:
            ScoringError: it did.
        """
        if self.fixed_batch is not None or count <= 1:
            if not shared:
                raise ScoringError(f"not enough memory on {self.device} for this picture") from error
            if self._turns.one_at_a_time() and self._log is not None:
                self._log(f"Not enough memory on {self.device} for several runs at once: going on one by one")
            return
        with self._lock:
            if self._limit is None or self._limit > count // 2:
                self._limit = count // 2
                if self._log is not None:
                    self._log(
                        f"Not enough memory on {self.device} for {count} pictures at once: going on with {count // 2}"
                    )

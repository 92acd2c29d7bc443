"""Samples in, scored rows out: opening ahead of the model, batches as it allows, stored scores where there are some.

samples ─▶ decoding threads ─▶ batches ─▶ runner threads ─▶ rows, in the samples' order
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import TracebackType
from typing import Any, Self

import numpy as np

from wd14.config import CaptionConfig
from wd14.errors import ImageTooLargeError, RowError, ScoringError
from wd14.flow import Budget, Deferred, OrderedFlow
from wd14.images import Header, PictureFacts, flatten_to_png, inspect
from wd14.model.hub import ModelFiles
from wd14.model.preprocess import PREPROCESS_VERSION, prepare
from wd14.model.scores import ScoreStore, floor, usable_for
from wd14.model.tagger import Loading, Tagger
from wd14.types import EncodedPicture, FloatArray, Log, Sample

#: Rows that need no model travel in groups of this many: threads are cheap, but not free.
_GROUP = 16
#: Or until they hold so many bytes of pictures: what waits is bounded by memory, not only by number.
_GROUP_BYTES = 16 << 20
#: Pixels that may be open at once: a few ordinary pictures, or one huge one.
_PIXELS_AT_ONCE = 128_000_000
#: Rows back in which the same picture is recognised before its scores have reached the store.
_TWINS = 256
#: Pictures that are opened ahead of the model, beside four for each thread; one that is ready holds 2.4 MB.
_AHEAD = 8
#: Seconds that giving up the opening of a session may take.
_OPENING_ENDS = 1.5
#: Decoding threads by default, at most: 16 of them keep a fast GPU busy (about 550 mixed pictures/s).
_MOST_WORKERS = 16


@dataclass(eq=False, slots=True)
class Outcome:
    """What scoring a picture gave; rows of the same picture share one."""

    scores: FloatArray | None = None  #: (T,) float32
    error: RowError | None = None


@dataclass(eq=False, slots=True)
class Row:
    """A sample on its way; whoever holds it last takes the scores."""

    sample: Sample
    digest: bytes = b""  #: sha256 of the encoded picture
    array: FloatArray | None = None  #: the model's input, until it was scored
    stash: Any = None  #: what the line's `stash` made of it
    outcome: Outcome = field(default_factory=Outcome)
    from_scores: bool = False
    notes: list[str] = field(default_factory=list)

    def take_scores(self) -> FloatArray:
        """The scores, (T,) float32.

        Raises:
            RowError: what happened to the row instead.
        """
        if self.outcome.error is not None:
            raise self.outcome.error
        if self.outcome.scores is None:
            raise ScoringError("the model gave no scores")
        return self.outcome.scores

    def size(self) -> int:
        """Bytes of encoded pictures that it holds."""
        return len(self.sample.data or b"")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ScoringLine:
    """Scores samples in order; a context manager, whose end stops all threads.

    Args:
        samples: iterated in a thread of the line's.
        model: the files of the tagger; its session is opened when the first picture needs it.
        config: the parameters.
        log: where to say what a person should know.
        stash: called in a decoding thread with every sample that could be read, and its picture as it is to be saved;
            what it returns stays with the row.

    `take` raises whatever ended the samples or opening the session, besides what it documents.
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        model: ModelFiles,
        config: CaptionConfig,
        *,
        log: Log,
        stash: Callable[[Sample, EncodedPicture], Any] = lambda *_: None,
    ) -> None:
        self._model = model
        self._config = config
        self._log = log
        self._stash = stash
        self._closed = False
        self._pixels = Budget(_PIXELS_AT_ONCE)
        self._max_pixels = round(config.max_megapixels * 1_000_000)
        thresholds = [config.threshold_for(name) for name in set(model.labels.categories) - {"rating"}]
        self._floored = config.threshold_mode != "fixed" or usable_for(min(thresholds, default=1.0))
        self._store = ScoreStore.open(config.cache_path, log=log) if config.cache else ScoreStore.off()
        self._view = self._store.view(model.identity, _preprocessing(config), model.labels)
        runners = cpu_runners(cores())
        self._threads = max(1, cores() // runners)
        self._loading = Loading()
        self._tagger: Deferred[Tagger] = Deferred(self._open_tagger, "wd14-session")
        self._gate = threading.BoundedSemaphore(runners)
        workers = min(cores(), _MOST_WORKERS)
        if config.max_data_loader_n_workers is not None:
            workers = config.max_data_loader_n_workers
        self._together = 1
        self._decoding: OrderedFlow[list[Sample], list[Row]] | None = None
        decoded: Iterable[list[Row]]
        if workers == 0:
            decoded = map(self._decode_all, self._handfuls(samples))
        else:
            # Far enough ahead that a huge picture, which the others must wait for, keeps no thread from working.
            decoded = self._decoding = OrderedFlow(
                self._decode_all,
                self._handfuls(samples),
                workers=workers,
                window=_AHEAD + 4 * workers,
                name="wd14-decode",
            )
        rows = chain.from_iterable(decoded)
        # One batch waits for each that runs, so that no runner waits for a batch to be put together.
        self._running = OrderedFlow(
            self._score, self._batches(rows), workers=runners, window=2 * runners, name="wd14-run"
        )
        if not self._floored or self._view.is_empty():
            self._tagger.start()

    def take(self, timeout: float) -> list[Row]:
        """The next rows, in order; fresh scores are kept in the store on the way.

        Raises:
            Exhausted: there are no more.
            TimeoutError: none was ready within `timeout` seconds.
        """
        rows = self._running.take(timeout)
        fresh = ((row.digest, row.outcome.scores) for row in rows if not row.from_scores)
        self._view.put((digest, scores) for digest, scores in fresh if scores is not None)
        return rows

    @property
    def device(self) -> str | None:
        """What the model ran on, or None when it was not needed."""
        tagger = self._tagger.peek()
        return None if tagger is None else tagger.device

    def close(self) -> None:
        """Stops the threads and keeps the scores that are there."""
        self._closed = True
        self._loading.give_up()
        tagger = self._tagger.peek()
        if tagger is not None:
            tagger.terminate()
        if self._decoding is not None:
            self._decoding.close()
        self._running.close()
        # A process that ends while one of its threads opens a session is aborted.
        self._tagger.wait(_OPENING_ENDS)
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_tagger(self) -> Tagger:
        tagger = Tagger.load(
            self._model,
            device=self._config.device,
            intra_op_threads=self._threads,
            log=self._log,
            loading=self._loading,
        )
        if self._closed:  # meanwhile: what waits for it must not begin
            tagger.terminate()
        self._log(f"Model: {self._config.model} ({len(tagger.labels):,} tags) on {tagger.device}")
        return tagger

    def _handfuls(self, samples: Iterable[Sample]) -> Iterator[list[Sample]]:
        """Samples as they go to the decoding threads: one by one, or several while they need no model."""
        handful: list[Sample] = []
        for sample in samples:
            handful.append(sample)
            if len(handful) >= self._together or sample.data is not None:
                yield handful
                handful = []
        if handful:
            yield handful

    def _decode_all(self, samples: list[Sample]) -> list[Row]:
        """A handful of samples. Rows from stored scores come so quickly that waking a thread for each costs most."""
        rows = [self._decode(sample) for sample in samples]
        self._together = _GROUP if all(row.from_scores for row in rows) else 1
        return rows

    def _decode(self, sample: Sample) -> Row:
        """Reads a picture and finds its stored scores, or opens and prepares it. Any thread."""
        row = Row(sample)
        try:
            data, stamp = sample.load()
            row.digest = hashlib.sha256(data).digest()
            if self._floored:
                row.outcome.scores = self._view.get(row.digest)
            row.from_scores = row.outcome.scores is not None
            facts = inspect(data, max_pixels=self._max_pixels) if row.from_scores else self._prepare(row, data)
            picture = EncodedPicture(data, stamp)
            if facts.needs_flattening and self._config.flatten_transparency and not self._config.in_place:
                with self._pixels.taking(facts.pixels):
                    flat = flatten_to_png(data, max_pixels=self._max_pixels)
                picture = EncodedPicture(flat, as_png=True)
                row.notes.append("saved as RGB PNG on white")
            if facts.frames > 1:
                row.notes.append(f"first of {facts.frames} frames")
            row.stash = self._stash(sample, picture)
            if row.stash is not None and sample.data is not None:
                row.sample = replace(sample, data=None)  # the bytes have a place; what waits must not hold them too
        except RowError as error:
            row.outcome.error = error
        except MemoryError:
            row.outcome.error = ImageTooLargeError("there is not enough memory to open it")
        if row.outcome.error is not None:
            row.array = None
        return row

    def _prepare(self, row: Row, data: bytes) -> PictureFacts:
        """Opens a picture for the model."""
        header = Header(data, max_pixels=self._max_pixels)
        self._tagger.start()
        config = self._config
        with self._pixels.taking(header.facts.pixels):
            image = header.decode(exif_orientation=config.exif_orientation).image
            row.array = prepare(image, self._model.spec, profile=config.profile, image_size=config.image_size)
        return header.facts

    def _batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Groups rows, in order, so that each group has one batch for the model at most."""
        group: list[Row] = []
        wanted = held = 0
        recent: OrderedDict[bytes, Outcome] = OrderedDict()
        for row in rows:
            group.append(row)
            if row.array is not None:
                twin = recent.get(row.digest)
                if twin is not None:
                    row.outcome, row.array, row.from_scores = twin, None, True
                else:
                    wanted += 1
                    recent[row.digest] = row.outcome
                    if len(recent) > _TWINS:
                        recent.popitem(last=False)
            if row.array is None:
                held += row.size()
            full = len(group) - wanted >= _GROUP or held >= _GROUP_BYTES
            if full or (wanted and wanted >= self._batch_size()):
                yield group
                group, wanted, held = [], 0, 0
        if group:
            yield group

    def _batch_size(self) -> int:
        """Rows that go through the model at once; known once the session is."""
        tagger = self._tagger.result()
        if self._config.batch_size is not None:
            return self._config.batch_size
        return tagger.preferred_batch

    def _score(self, rows: list[Row]) -> list[Row]:
        """Scores a group's rows that need it. A runner thread."""
        waiting = [row for row in rows if row.array is not None]
        if waiting:
            tagger = self._tagger.result()
            with self._gate:
                self._run(tagger, waiting)
        return rows

    def _run(self, tagger: Tagger, rows: list[Row]) -> None:
        try:
            scores = tagger.run(_together(rows))
        except (ScoringError, MemoryError) as error:
            if len(rows) > 1:  # one picture must not cost its neighbours: each by itself
                for row in rows:
                    self._run(tagger, [row])
                return
            reason = error if isinstance(error, ScoringError) else ScoringError("not enough memory for this picture")
            rows[0].outcome.error = reason
            rows[0].array = None
            return
        for row, values in zip(rows, scores, strict=True):
            row.array = None
            try:
                kept = floor(values, tagger.labels)
                row.outcome.scores = kept if self._floored else values
            except ScoringError as error:
                row.outcome.error = error


def _together(rows: Sequence[Row]) -> FloatArray:
    """The rows' arrays as a batch; each is in memory once."""
    arrays = [row.array for row in rows if row.array is not None]
    if len(arrays) == 1:
        return arrays[0][np.newaxis]
    batch: FloatArray = np.stack(arrays)
    for row, view in zip(rows, batch, strict=True):
        row.array = view
    return batch


def cpu_runners(count: int) -> int:
    """How many runs share a CPU's cores: more runs of fewer threads each waste less (performance.md: 1.01-1.11x)."""
    return max(1, min(count, 4))


def _preprocessing(config: CaptionConfig) -> str:
    """All that shapes the model's input beside the picture and the model: part of a stored score's key."""
    upright = "upright" if config.exif_orientation else "as stored"
    return f"v{PREPROCESS_VERSION} {config.profile} image_size={config.image_size} {upright}"

"""Scores decoded rows: several runs of the model at once, results in the rows' order."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ScoringError
from wd14.model.batching import batches
from wd14.model.no_tagger import NoTagger
from wd14.model.score_store.row_format import floor, rating_mask
from wd14.model.tagger import Tagger
from wd14.threads import BackgroundCall, OrderedMap, available_cores
from wd14.types import Box, DecodedRow, PixelArray

AnyTagger = Tagger | NoTagger

#: Bytes of pictures that wait in batches, ready for the model: 400 of 448 pixels a side, or one batch of more.
_BYTES_AT_ONCE = 256 << 20


def runs_at_once() -> int:
    """How many runs of the model share a CPU's cores.

    Several runs of few threads each are quicker than one run of many (1.01-1.13 times, benchmarks/README.md).
    """
    return max(1, min(available_cores(), 4))


def threads_of_a_run() -> int:
    """How many threads each of those runs has."""
    return max(1, available_cores() // runs_at_once())


class Scorer:
    """Scored rows in groups, in order; a context manager, whose end stops the threads.

    Args:
        rows: decoded rows; iterated in a thread of the scorer's.
        tagger: the model; waited for when the first row needs it.
        batch_size: rows that go through the model at once; None = what suits the model and its device.
        keep_low_scores: whether fresh scores stay as the model gave them, instead of as the score store keeps them.
    """

    def __init__(
        self,
        rows: Iterable[DecodedRow],
        tagger: BackgroundCall[AnyTagger],
        *,
        batch_size: int | None,
        keep_low_scores: bool,
    ) -> None:
        self._tagger = tagger
        self._batch_size = batch_size
        self._keep_low_scores = keep_low_scores
        self._ratings: NDArray[np.bool_] | None = None  # of the model's labels
        runs = runs_at_once()
        self._running_now = threading.BoundedSemaphore(runs)
        # One batch waits for each that runs, so that no thread waits for a batch to be put together.
        self._threads = OrderedMap(
            self._score,
            batches(rows, self._find_batch_size),
            workers=runs,
            window=2 * runs,
            name="wd14-run",
            weigh=_bytes_for_model,
            most_bytes=_BYTES_AT_ONCE,
        )

    def take(self, timeout: float) -> list[DecodedRow]:
        """The next rows.

        Raises:
            Exhausted: there are no more.
            TimeoutError: none was ready within `timeout` seconds.
            Exception: whatever ended the rows or the opening of the model.
        """
        return self._threads.take(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.close()

    def _find_batch_size(self) -> int:
        return self._batch_size or self._tagger.result().preferred_batch

    def _score(self, rows: list[DecodedRow]) -> list[DecodedRow]:
        """Scores those of a group that need it. In one of the threads."""
        for_model = [row for row in rows if row.pixels is not None]
        if for_model:
            tagger = self._tagger.result()
            with self._running_now:
                self._run(tagger, for_model)
        return rows

    def _run(self, tagger: AnyTagger, rows: list[DecodedRow]) -> None:
        try:
            scores = tagger.run(_as_batch(rows), _boxes(rows))
        except (ScoringError, MemoryError) as error:
            if len(rows) > 1:  # one picture must not cost its neighbours: each by itself
                for row in rows:
                    self._run(tagger, [row])
                return
            reason = error if isinstance(error, ScoringError) else ScoringError("not enough memory for this picture")
            rows[0].result.error = reason.without_frames()
            rows[0].pixels = None
            return
        if self._ratings is None:
            self._ratings = rating_mask(tagger.labels)
        for row, values in zip(rows, scores, strict=True):
            row.pixels = None
            try:
                stored = floor(values, self._ratings)
                row.result.scores = values if self._keep_low_scores else stored
            except ScoringError as error:
                row.result.error = error.without_frames()


def _boxes(rows: list[DecodedRow]) -> list[Box] | None:
    """Where the rows' pictures lie; None where the rows do not say."""
    boxes = [row.box for row in rows if row.box is not None]
    return boxes if len(boxes) == len(rows) else None


def _bytes_for_model(rows: list[DecodedRow]) -> int:
    return sum(row.pixels.nbytes for row in rows if row.pixels is not None)


def _as_batch(rows: list[DecodedRow]) -> PixelArray:
    """The rows' pixels as a batch, (n, …); each is in memory once."""
    arrays = [row.pixels for row in rows if row.pixels is not None]
    if len(arrays) == 1:
        return arrays[0][np.newaxis]
    batch: PixelArray = np.stack(arrays)
    for row, view in zip(rows, batch, strict=True):
        row.pixels = view
    return batch

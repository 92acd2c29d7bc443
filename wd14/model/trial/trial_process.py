"""A process that tries one candidate: opens it, scores two pictures, measures its speed.

A `Request` comes as a line of stdin, an `Answer` goes out as a line of stdout. The process ends at once when its stdin
does: whoever asked has gone.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import BinaryIO

import numpy as np

from wd14.model.runtimes.devices import DEVICES
from wd14.model.runtimes.opening import open_candidate
from wd14.model.runtimes.session import ON_PROCESSOR, Opening, first_line
from wd14.model.tagger import Tagger
from wd14.model.trial.best_batch import best_batch
from wd14.model.trial.pictures import trial_pictures
from wd14.model.trial.request import Answer, Request
from wd14.model.trial.share import ProcessorShare
from wd14.threads import limit_cores
from wd14.types import Box, FloatArray, PixelArray

#: A candidate is measured for so many runs at least, but no longer than so many seconds.
_RUNS, _MOST_SECONDS = 6, 8.0


def main() -> None:
    """Answers the request that comes through stdin."""
    out = _own_stdout()
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    out.write(_answer(line).to_json())
    out.flush()
    os._exit(0)  # threads of a runtime may still be at work


def _own_stdout() -> BinaryIO:
    """The stream for the answer; what libraries print goes nowhere."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def _answer(line: bytes) -> Answer:
    try:
        request = Request.from_json(line)
        limit_cores(request.cores)
        return _tried(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, the candidate does not work
        return Answer([], problem=first_line(error))


def _tried(request: Request) -> Answer:
    candidate, runs = request.candidate, request.runs_at_once
    opening = Opening(request.threads, runs)
    tagger = Tagger.of_session(request.files, open_candidate(request.files, candidate, opening))
    if (tagger.device, tagger.precision) != (candidate.device, candidate.precision):
        return Answer([], problem=f"it runs on {tagger.device}, {tagger.precision}")
    pictures, boxes = trial_pictures(tagger.spec, has_mask=tagger.needs_boxes)
    if not request.seconds:
        return Answer(tagger.run(pictures, boxes).tolist())
    measured = _Measured(tagger, pictures, boxes, runs, request.seconds)
    if DEVICES[tagger.device].gpu and tagger.fixed_batch is None:
        batch, speed = best_batch(measured.speed)
        return Answer(measured.scores(), speed, batch)
    share = ProcessorShare(runs * (request.threads or 1))
    speed = measured.speed(tagger.preferred_batch)
    return Answer(measured.scores(), speed / share.so_far() if tagger.device in ON_PROCESSOR else speed)


class _Measured:
    """The runs of a tagger that are timed. They score the two pictures in turns."""

    def __init__(
        self, tagger: Tagger, pictures: PixelArray, boxes: list[Box], runs_at_once: int, seconds: float
    ) -> None:
        self._tagger = tagger
        self._pictures = pictures
        self._boxes = boxes
        self._runs_at_once = runs_at_once
        self._seconds = seconds
        self._scores: dict[int, FloatArray] = {}

    def speed(self, batch: int) -> float:
        """Pictures a second of several runs at once, from the median of the runs: a disturbed one does not count.

        Raises:
            MemoryError: so many pictures at once do not fit into the device's memory.
        """
        batches = [np.repeat(self._pictures[index : index + 1], batch, axis=0) for index in range(2)]
        numbers, began = count(), time.perf_counter()
        times: list[float] = []

        def run() -> None:
            while True:
                start, number = time.perf_counter(), next(numbers)
                took = start - began
                if number >= 2 and ((took > self._seconds and number >= _RUNS) or took > _MOST_SECONDS):
                    return
                scores = self._tagger.run(batches[number % 2], self._boxes[number % 2 : number % 2 + 1] * batch)
                times.append(time.perf_counter() - start)
                self._scores.setdefault(number % 2, scores[:1])

        with ThreadPoolExecutor(self._runs_at_once) as runners:
            for runner in [runners.submit(run) for _ in range(self._runs_at_once)]:
                runner.result()
        if self._tagger.most_at_once is not None and self._tagger.most_at_once < batch:
            raise MemoryError(f"{batch} pictures at once do not fit")
        return self._runs_at_once * batch / statistics.median(times)

    def scores(self) -> list[list[float]]:
        """The scores of the two pictures."""
        rows: list[list[float]] = np.concatenate([self._scores[index] for index in range(2)]).tolist()
        return rows

"""Measures candidates, each in a process of its own: its memory is free for the next, and its end is not the job's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, cast

import numpy as np

from wd14.errors import ModelContractError
from wd14.model.files.find import ModelFiles
from wd14.model.runtimes.session import Opening
from wd14.model.trial.candidates import REFERENCE, Candidate, Verdict
from wd14.model.trial.request import Answer, Request
from wd14.stop import StopToken
from wd14.threads import BackgroundCall, available_cores

#: Seconds that a candidate is measured for, at least.
SECONDS = 1.5
#: Seconds after which a candidate counts as one that does not work.
LIMIT = 60.0
#: The best two are measured a second time, in turns, where one has at least this part of the other's speed.
_CLOSE = 0.9
#: Starts the process, which finds the packages where this one does.
_START = "import sys; sys.path[:] = sys.argv[1:]; from wd14.model.trial.trial_process import main; main()"
#: Seconds in which a process that has said its last, and the pipes of a killed one, end.
_LAST_WORDS = 5.0
#: Seconds between two looks at whether a stop was asked for.
_LOOK = 0.05


def measure(files: ModelFiles, groups: Sequence[Sequence[Candidate]], opening: Opening) -> list[Verdict]:
    """Tries candidates: a B-size model takes one to two seconds to open, and three to be measured.

    Args:
        files: of the model.
        groups: tried in order, until one has a candidate that works. Where a device does not work with the unchanged
            graph, it is not tried further.
        opening: as the job will open its session.

    Returns:
        A verdict on the reference first, then on each candidate that was tried. Nothing where the reference cannot be
        run in another process.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    trial = _Trial(files, opening)
    if not trial.has_reference():
        return []
    for group in groups:
        if trial.try_all(group):
            break
    return list(trial.verdicts.values())


def check_runs(files: ModelFiles, opening: Opening) -> None:
    """Lets onnxruntime, which bounds the memory of a run, run the unchanged graph once in a process of its own.

    Raises:
        ModelContractError: it does not run.
        JobStoppedError: a stop was asked for.
    """
    answer = _ask(_request(files, REFERENCE, opening, seconds=0), opening.stop)
    if answer.problem:
        raise ModelContractError(
            f"{files.model_path}: expected a model that onnxruntime can run, since OpenVINO has no limits for memory;"
            f" it cannot: {answer.problem}"
        )


class _Trial:
    """The trial of one model."""

    def __init__(self, files: ModelFiles, opening: Opening) -> None:
        self.verdicts: dict[Candidate, Verdict] = {}
        self._files = files
        self._opening = opening
        self._reference = np.empty((0, 0), np.float32)
        self._slow: set[Candidate] = set()  # took too long

    def has_reference(self) -> bool:
        """Tries the reference; False = it cannot be run."""
        answer = _ask(_request(self._files, REFERENCE, self._opening), self._opening.stop)
        self._reference = np.array(answer.scores, np.float32)
        self._note(REFERENCE, answer)
        return not answer.problem

    def try_all(self, group: Sequence[Candidate]) -> bool:
        """Tries a group, and what is close a second time; returns whether one of it works, or may work."""
        broken: set[str] = set()
        for candidate in group:
            if candidate not in self.verdicts and candidate.device not in broken:
                self._try(candidate)
            verdict = self.verdicts.get(candidate)
            if candidate == Candidate(candidate.device) and verdict and not verdict.speed:
                broken.add(candidate.device)
        working = sorted((each for each in group if self._speed(each)), key=self._speed, reverse=True)
        if len(working) > 1 and self._speed(working[1]) >= _CLOSE * self._speed(working[0]):
            for candidate in working[:2]:
                self._try(candidate)
        return bool(working or self._slow & set(group))

    def _speed(self, candidate: Candidate) -> float:
        verdict = self.verdicts.get(candidate)
        return 0.0 if verdict is None else verdict.speed

    def _try(self, candidate: Candidate) -> None:
        self._note(candidate, _ask(_request(self._files, candidate, self._opening), self._opening.stop))

    def _note(self, candidate: Candidate, answer: Answer) -> None:
        """Notes what was found; of two speeds the better one, since a busy machine only makes them smaller."""
        if answer.took_too_long:
            self._slow.add(candidate)
        if answer.problem:
            self.verdicts[candidate] = Verdict(candidate, problem=answer.problem)
            return
        scores = np.array(answer.scores, np.float32)
        if scores.shape != self._reference.shape or answer.images_per_second is None:
            self.verdicts[candidate] = Verdict(candidate, problem="its scores are not as many as the model's tags")
            return
        difference = float(np.abs(scores - self._reference).max(initial=0))
        if not np.isfinite(difference):
            self.verdicts[candidate] = Verdict(candidate, problem="some of its scores are no numbers")
            return
        speed = max(answer.images_per_second, self._speed(candidate))
        self.verdicts[candidate] = Verdict(replace(candidate, batch=answer.batch), speed, difference)


def _request(files: ModelFiles, candidate: Candidate, opening: Opening, *, seconds: float | None = None) -> Request:
    most = SECONDS if seconds is None else seconds
    return Request(files, candidate, opening.threads, opening.runs_at_once, available_cores(), most)


def _ask(request: Request, stop: StopToken | None) -> Answer:
    """Asks a process; whatever goes wrong with it is the answer's problem.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    if not sys.executable:
        return Answer([], problem="there is no Python interpreter to start")
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the job, which ends it
        )
    except OSError as error:
        return Answer([], problem=f"its process could not be started: {error.strerror or error}")
    with process:
        return _conversation(process, request, stop or StopToken())


def _conversation(process: subprocess.Popen[bytes], request: Request, stop: StopToken) -> Answer:
    to_process, from_process = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

    def ask() -> bytes:
        with suppress(OSError):  # it has ended already: there will be no answer
            to_process.write(request.to_json())
            to_process.flush()
        return from_process.read()

    asking = BackgroundCall(ask, "wd14-trial")
    asking.start()
    ends = time.monotonic() + LIMIT
    try:
        while not asking.wait(_LOOK):
            stop.check()
            if time.monotonic() > ends:
                return Answer([], problem=f"it took more than {LIMIT:g} s", took_too_long=True)
        return Answer.from_json(asking.result())
    except ValueError:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WORDS)
        return Answer([], problem=f"its process ended without an answer (status {process.poll()})")
    finally:
        process.kill()
        asking.wait(_LAST_WORDS)
        with suppress(OSError):  # what it did not read
            to_process.close()

"""Opens a model in the way that suits best."""

from __future__ import annotations

from dataclasses import dataclass

from wd14.errors import DeviceError, ModelError
from wd14.model.files.find import ModelFiles
from wd14.model.runtimes.devices import OPENVINO, warn
from wd14.model.runtimes.onnxruntime_session import available_providers, open_onnxruntime
from wd14.model.runtimes.openvino_session import check_device, open_openvino
from wd14.model.runtimes.session import Opening, Precision, Session, first_line
from wd14.model.trial.candidates import Candidate
from wd14.model.trial.choosing import Choice, choose
from wd14.model.trial.trial import check_runs
from wd14.model.trial.words import lines


@dataclass(frozen=True, slots=True)
class Opened:
    """An open model."""

    session: Session
    batch: int | None  #: pictures at once that suit it; None = not known
    lines: tuple[str, ...]  #: what it runs on and why, for a person


def open_session(
    files: ModelFiles, device: str, precision: Precision, opening: Opening, *, pictures: int | None
) -> Opened:
    """Opens a model with what suits best: by an earlier trial, or by one that is made now and takes some seconds.

    Args:
        files: of the model.
        device: "auto" or a key of `devices.DEVICES`.
        precision: what was asked for.
        opening: threads, log, stop.
        pictures: how many are to be scored; None = not known. For few of them nothing is measured.

    Raises:
        ConfigError: no such device.
        DeviceError: the device that was asked for does not work.
        ModelContractError: the model cannot be read.
        JobStoppedError: a stop was asked for.
    """
    choice = choose(files, device, precision, opening, pictures=pictures)
    if device in OPENVINO and not files.pinned and not choice.verdicts:
        check_device(device)
        check_runs(files, opening)
    *others, last = choice.candidates
    missing: set[str] = set()
    for candidate in others:
        if candidate.device in missing:
            continue
        try:
            return _opened(open_candidate(files, candidate, opening), candidate, choice, device, precision, opening)
        except (ModelError, MemoryError) as error:
            if isinstance(error, DeviceError):
                if candidate.device == last.device:  # there is no other
                    raise
                missing.add(candidate.device)
            if opening.log is not None:
                opening.log(f"Warning: {candidate} does not work: {first_line(error)}")
    return _opened(open_candidate(files, last, opening), last, choice, device, precision, opening)


def open_candidate(files: ModelFiles, candidate: Candidate, opening: Opening) -> Session:
    """Opens a model with the runtime that has the candidate's device; raises as `open_session`."""
    if candidate.uses_openvino:
        return open_openvino(files, candidate, opening)
    return open_onnxruntime(files, candidate, opening)


def _opened(
    session: Session, candidate: Candidate, choice: Choice, device: str, precision: Precision, opening: Opening
) -> Opened:
    if device == "auto" and candidate.device != "auto":  # else `devices` has said so
        problems = [f"{each.candidate}: {each.problem}" for each in choice.broken]
        warn(opening.log, session.device, problems, available_providers())
    return Opened(session, candidate.batch, tuple(lines(session, choice, precision)))

"""Which candidates to open a model with, in order: by what a trial found, or by what is known without one."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from wd14.model.files.find import ModelFiles
from wd14.model.graph.rewriting import fusible
from wd14.model.runtimes.devices import AUTO_ORDER, DEVICES, OPENVINO
from wd14.model.runtimes.onnxruntime_session import available_providers
from wd14.model.runtimes.openvino_session import fast_on
from wd14.model.runtimes.session import Opening, Precision
from wd14.model.trial.candidates import REFERENCE, Candidate, Verdict
from wd14.model.trial.trial import measure
from wd14.model.trial.verdicts import Asked, measuring, recall, remember

#: A trial is worth its time from so many pictures, and for models of so many bytes.
FEWEST_PICTURES = 100
SMALLEST_MODEL = 32 << 20

#: Largest difference of a score with which a candidate counts as exact.
LARGEST_DIFFERENCE = 1e-5
#: The same of one in 16 bits; above it something is broken.
_LARGEST_FAST_DIFFERENCE = 0.05
#: How many times as fast as the unchanged graph an exact candidate must be, and one in 16 bits as the best exact one.
_GAIN, _GAIN_OF_FAST = 1.03, 1.1

Groups = Sequence[Sequence[Candidate]]
"""What can be compared: of a group everything; a later group matters where nothing of the earlier ones works."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to open a model with."""

    candidates: tuple[Candidate, ...]  #: to be tried in this order; the last one's error counts
    verdicts: tuple[Verdict, ...] = ()  #: what a trial found: first the first candidate's, then others that work
    why_exact: str = ""  #: where `fast` was asked for and exact was chosen: why
    broken: tuple[Verdict, ...] = ()  #: GPUs that did not work


def choose(files: ModelFiles, device: str, precision: Precision, opening: Opening, *, pictures: int | None) -> Choice:
    """What to open a model with. Where a trial is due it takes some seconds, once for a model and a machine.

    Args:
        files: of the model.
        device: "auto" or a key of `devices.DEVICES`.
        precision: what was asked for.
        opening: as the session will be opened.
        pictures: how many are to be scored; None = not known.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    providers = available_providers()
    groups = groups_for(files, device, precision, providers)
    found: Sequence[Verdict] | None = None
    if _trial_helps(files, groups) and _may_be_there(device, providers):
        asked = Asked(files.identity, device, precision)
        found = recall(asked)
        if found is None and is_due(files, pictures):
            found = _measured(files, asked, groups, opening)
    return chosen(found, groups, device, precision) if found else _unmeasured(files, device, precision, groups)


def is_due(files: ModelFiles, pictures: int | None) -> bool:
    """Whether a trial is worth its time."""
    large = sum(file.size for file in files.hashes) >= SMALLEST_MODEL
    return large and (pictures is None or pictures >= FEWEST_PICTURES)


def groups_for(files: ModelFiles, device: str, precision: Precision, providers: Collection[str]) -> Groups:
    """What can be compared for what was asked; the unchanged graph comes first in each group.

    Args:
        files: of the model.
        device: "auto" or a key of `devices.DEVICES`.
        precision: what was asked for.
        providers: of the installed onnxruntime.
    """
    fast = precision == "fast"
    # OpenVINO has no limits for the memory of a graph that nobody vouches for: it must be asked for.
    openvino = [name for name in OPENVINO if files.pinned and _openvino_may_have(name)]
    if device == "auto":
        gpus = [name for name in AUTO_ORDER if name != "cpu" and DEVICES[name].provider in providers]
        others = [way for name in openvino for way in _ways(name, fast=fast)]
        return [*(_ways(name, fast=fast) for name in gpus), [*_ways("cpu", fast=fast), *others]]
    bits = _ways("openvino", fast=True) if fast and device == "cpu" and "openvino" in openvino else []
    return [[*_ways(device, fast=fast), *(each for each in bits if each.precision == "fast")]]


def chosen(found: Sequence[Verdict], groups: Groups, device: str, precision: Precision) -> Choice:
    """What to open a model with, by what a trial found.

    Args:
        found: the verdicts; those on what can no longer be compared are passed over.
        groups: what can be compared.
        device: what was asked for.
        precision: what was asked for.
    """
    verdicts = {replace(each.candidate, batch=None): each for each in found}
    plain = Candidate(device)
    broken: list[Verdict] = []
    for group in groups:
        there = [verdicts[each] for each in group if each in verdicts]
        working = [each for each in there if each.speed]
        unchanged = {each.candidate.device: each for each in working if _is_unchanged(each.candidate)}
        exact = [each for each in working if _is_exact(each, device, unchanged.get(each.candidate.device))]
        if exact:
            break
        broken += there[:1]
    else:
        return Choice((plain,))
    best = max(exact, key=lambda each: each.speed)
    if _is_unchanged(exact[0].candidate) and best.speed < _GAIN * exact[0].speed:
        best = exact[0]
    first, why = best, ""
    if precision == "fast":
        fast = [each for each in working if each.candidate.precision == "fast"]
        fast = [each for each in fast if each.difference is not None and each.difference <= _LARGEST_FAST_DIFFERENCE]
        first = max(fast, key=lambda each: each.speed, default=best)
        if first.speed < _GAIN_OF_FAST * best.speed:
            why = "16 bits gain nothing here" if fast else "nothing here computes in 16 bits"
            first = best
    # What "auto" falls back to is "auto" itself: it says what it thinks of a GPU that does not work.
    order = [plain if each.candidate == REFERENCE and device == "auto" else each.candidate for each in (first, best)]
    others = sorted((each for each in working if each is not first), key=lambda each: each.speed, reverse=True)
    return Choice(tuple(dict.fromkeys([*order, plain])), (first, *others), why, tuple(broken))


def _is_exact(verdict: Verdict, device: str, unchanged: Verdict | None) -> bool:
    """Whether a candidate that works counts as exact; what was asked for does in any case, and so do GPUs.

    Args:
        verdict: on the candidate.
        device: what was asked for.
        unchanged: the verdict on the unchanged graph on the same device. A GPU adds up in another order, and so has a
            difference of its own.
    """
    candidate = verdict.candidate
    if candidate.precision != "exact" or verdict.difference is None:
        return False
    if _is_unchanged(candidate) and (candidate.device == device or candidate.device not in OPENVINO):
        return True
    own = unchanged.difference if unchanged is not None and DEVICES[candidate.device].gpu else None
    return verdict.difference <= max(LARGEST_DIFFERENCE, 2 * (own or 0.0))


def _is_unchanged(candidate: Candidate) -> bool:
    """Whether a device gets the graph as it is."""
    return replace(candidate, batch=None) == Candidate(candidate.device)


def _trial_helps(files: ModelFiles, groups: Groups) -> bool:
    """Whether a trial can find out which of several is best, or whether an unknown graph runs on OpenVINO."""
    ways = [each for group in groups for each in group]
    return len(ways) > 1 or (ways[0].uses_openvino and not files.pinned)


def _ways(device: str, *, fast: bool) -> list[Candidate]:
    """The ways to run a model on a device; the unchanged graph first."""
    plain, fused = Candidate(device), Candidate(device, fused=True)
    if device == "coreml":  # gets the file as it is
        return [plain, Candidate(device, "fast")] if fast else [plain]
    if not fast or device == "cpu":
        return [plain, fused]
    half = [Candidate(device, "fast", fused=True)]
    return [plain, fused, *([Candidate(device, "fast")] if device in OPENVINO else []), *half]


def _worth_trying(groups: Groups, *, fusible: bool) -> Groups:
    """Of two ways that are the same where nothing is fused, one; of OpenVINO's the fused one, which opens sooner."""
    return [
        [
            each
            for each in group
            if replace(each, fused=not each.fused) not in group
            or (not each.fused if not fusible else each.fused or not each.uses_openvino)
        ]
        for group in groups
    ]


def _may_be_there(device: str, providers: Collection[str]) -> bool:
    """Whether a device that was asked for may be there; where it is not, the opening says what to do."""
    if device in OPENVINO:
        return _openvino_may_have(device)
    return device == "auto" or (device in DEVICES and DEVICES[device].provider in providers)


def _openvino_may_have(device: str) -> bool:
    """Whether OpenVINO may have a device here; it is not loaded to find out."""
    if find_spec("openvino") is None:
        return False
    return device == "openvino" or sys.platform == "win32" or Path("/dev/dri").exists()


def _measured(files: ModelFiles, asked: Asked, groups: Groups, opening: Opening) -> Sequence[Verdict] | None:
    """What a trial finds, of this process or of another one that is quicker; None = none can be made, or need be."""
    groups = _worth_trying(groups, fusible=fusible(files))
    if not _trial_helps(files, groups):
        return None
    with measuring(opening.stop) as may_measure:
        if not may_measure:
            return None
        found: Sequence[Verdict] | None = recall(asked)
        if found is None:
            if opening.log is not None:
                opening.log("Measuring what runs this model fastest on this machine, once: some seconds for each way.")
            found = measure(files, groups, opening)
            if found:
                remember(asked, files.id, found)
        return found


def _unmeasured(files: ModelFiles, device: str, precision: Precision, groups: Groups) -> Choice:
    """What to open a model with where nothing was measured: the unchanged graph, or 16 bits by what the device has."""
    plain = Candidate(device)
    if precision == "exact":
        return Choice((plain,))
    fast = [replace(each, fused=False) for group in groups for each in group if each.precision == "fast"]
    fast = [each for each in fast if each.device not in OPENVINO or fast_on(each.device)]
    if fast:
        return Choice((*dict.fromkeys(fast), plain))
    why = "nothing here computes in 16 bits"
    if device in ("auto", "cpu") and not _openvino_may_have("openvino"):
        why += " (with the package openvino, a processor with AVX512-BF16 or AMX does)"
    elif device in ("auto", "cpu") and not files.pinned:
        why = "for a model that nobody vouches for, OpenVINO must be asked for by name"
    return Choice((plain,), why_exact=why)

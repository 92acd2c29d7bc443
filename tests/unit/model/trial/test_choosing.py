"""What a model is opened with, by what a trial found; and whether a trial is made at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.onnx_models import wd14_folder
from wd14.errors import DeviceError, ModelContractError
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.runtimes import opening
from wd14.model.runtimes.session import Opening, Precision
from wd14.model.tagger import Tagger
from wd14.model.trial import choosing
from wd14.model.trial.candidates import REFERENCE, Candidate, Verdict
from wd14.model.trial.choosing import choose, chosen, groups_for
from wd14.model.trial.verdicts import Asked, remember, remembered

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
FUSED, OPENVINO, BITS = Candidate("cpu", fused=True), Candidate("openvino"), Candidate("openvino", "fast")
GROUPS = [[REFERENCE, FUSED, OPENVINO, BITS]]


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    wd14_folder(tmp_path / "model", size=16)
    return find_model(tmp_path / "model")


def speeds(**found: float) -> list[Verdict]:
    known = {"cpu": REFERENCE, "fused": FUSED, "openvino": OPENVINO, "bits": BITS}
    return [Verdict(known[name], speed or None, 1e-6 if name != "bits" else 0.01) for name, speed in found.items()]


@pytest.mark.parametrize(
    ("found", "precision", "first"),
    [
        (speeds(cpu=2.0, fused=2.2, openvino=1.8), "exact", FUSED),
        (speeds(cpu=2.0, fused=1.9, openvino=2.1), "exact", OPENVINO),
        (speeds(cpu=2.0, fused=2.05, openvino=2.05), "exact", Candidate("auto")),  # within 3 %: what is plainest
        (speeds(cpu=2.0, fused=0, openvino=0), "exact", Candidate("auto")),
        (speeds(cpu=2.0, fused=2.2, openvino=1.8, bits=5.0), "fast", BITS),
        (speeds(cpu=2.0, fused=2.2, openvino=1.8, bits=2.4), "fast", FUSED),  # less than a tenth faster
        (speeds(cpu=2.0, bits=0), "fast", Candidate("auto")),
    ],
)
def test_the_fastest_that_counts_comes_first(found: list[Verdict], precision: Precision, first: Candidate) -> None:
    choice = chosen(found, GROUPS, "auto", precision)
    assert choice.candidates[0] == first
    assert choice.candidates[-1] == Candidate("auto"), "where it does not open any more, the plainest does"
    assert bool(choice.why_exact) == (precision == "fast" and first != BITS)


@pytest.mark.parametrize("difference", [2e-5, float("nan"), None])
def test_what_differs_is_not_exact(difference: float | None) -> None:
    found = [*speeds(cpu=2.0), Verdict(FUSED, 3.0, difference)]
    assert chosen(found, GROUPS, "auto", "exact").candidates == (Candidate("auto"),)


@pytest.mark.parametrize("difference", [0.2, float("nan")])
def test_16_bits_that_are_far_off_are_broken(difference: float) -> None:
    found = [*speeds(cpu=2.0), Verdict(BITS, 9.0, difference)]
    assert chosen(found, GROUPS, "auto", "fast").candidates == (Candidate("auto"),)


def test_a_gpu_that_works_comes_first_with_the_batch_that_suited_it() -> None:
    gpu, half = Candidate("cuda"), Candidate("cuda", "fast", fused=True)
    groups = [[gpu, Candidate("cuda", fused=True), half], [REFERENCE, FUSED]]
    found = [
        *speeds(cpu=2.0),
        Verdict(replace(gpu, batch=16), 90.0, 4e-5),
        Verdict(replace(half, batch=32), 300.0, 0.01),
    ]
    choice = chosen(found, groups, "auto", "fast")
    assert choice.candidates == (replace(half, batch=32), replace(gpu, batch=16), Candidate("auto"))
    broken = [*speeds(cpu=2.0, fused=3.0), Verdict(gpu, problem="driver too old")]
    choice = chosen(broken, groups, "auto", "exact")
    assert choice.candidates == (FUSED, Candidate("auto"))
    assert choice.broken[0].problem == "driver too old"


def test_openvino_is_not_tried_by_itself_for_a_graph_that_nobody_vouches_for(files: ModelFiles) -> None:
    """It has no limits for memory, and a graph of a few bytes can ask for any amount."""
    assert not files.pinned
    for device in ("auto", "cpu"):
        ways = [way for group in groups_for(files, device, "fast", [CPU]) for way in group]
        assert not [way for way in ways if way.uses_openvino]
    known = replace(files, pinned=True)
    assert BITS in groups_for(known, "auto", "fast", [CPU])[-1]
    assert BITS in groups_for(known, "cpu", "fast", [CPU])[0]
    assert [group[0] for group in groups_for(known, "auto", "exact", [CUDA, CPU])] == [Candidate("cuda"), REFERENCE]


@pytest.mark.parametrize(
    ("pictures", "size", "made"),
    [(None, 1 << 30, True), (100, 1 << 30, True), (99, 1 << 30, False), (None, 1 << 20, False)],
)
def test_a_trial_is_made_once_and_where_it_is_worth_its_time(
    pictures: int | None, size: int, made: bool, files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def measure(*arguments: Any) -> list[Verdict]:
        calls.append(arguments)
        return speeds(cpu=2.0, fused=3.0)

    monkeypatch.setattr(choosing, "measure", measure)
    monkeypatch.setattr(choosing, "fusible", lambda _: True)
    large = replace(files, hashes=tuple(replace(each, size=size) for each in files.hashes))
    log: list[str] = []
    for _ in range(2):
        choice = choose(large, "cpu", "exact", Opening(log=log.append), pictures=pictures)
        assert choice.candidates[0] == (FUSED if made else REFERENCE)
    assert len(calls) == len(log) == len(remembered()) == made


def test_nothing_is_measured_where_it_cannot_be_remembered(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WD14_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(choosing, "measure", lambda *_: pytest.fail("it was measured"))
    monkeypatch.setattr(choosing, "is_due", lambda *_: True)
    monkeypatch.setattr(choosing, "fusible", lambda _: True)
    assert choose(files, "cpu", "exact", Opening(), pictures=None).candidates == (REFERENCE,)


def test_a_model_runs_as_the_trial_found_best_and_says_so(files: ModelFiles) -> None:
    remember(Asked(files.identity, "cpu", "exact"), "name", speeds(cpu=2.0, fused=31.42))
    tagger = Tagger.load(files, device="cpu")
    assert tagger.lines == ("The model runs on cpu (fused): 31.4 pictures/s; cpu 2.00 (measured).",)


def test_what_opens_no_more_is_said_and_the_next_one_taken(files: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as OpenVINO, which somebody has removed since."""
    known = replace(files, pinned=True)
    remember(Asked(files.identity, "auto", "exact"), "name", speeds(cpu=2.0, openvino=9.0))

    def fail(*_: object) -> None:
        raise DeviceError("it is gone")

    monkeypatch.setattr(opening, "open_openvino", fail)
    log: list[str] = []
    tagger = Tagger.load(known, log=log.append)
    assert (tagger.device, tagger.lines) == ("cpu", ("The model runs on cpu.",))
    assert "Warning: openvino does not work: it is gone" in log


def test_openvino_gets_a_graph_that_nobody_vouches_for_only_after_onnxruntime_ran_it(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a trial, which is remembered, or by itself."""

    def refuse(*_: object) -> None:
        raise ModelContractError("it takes 60 GB")

    def fail(*_: object) -> None:
        raise DeviceError("OpenVINO was asked")

    monkeypatch.setattr(opening, "check_runs", refuse)
    monkeypatch.setattr(opening, "open_openvino", fail)
    with pytest.raises(ModelContractError, match="it takes 60 GB"):
        Tagger.load(files, device="openvino")
    with pytest.raises(DeviceError, match="OpenVINO was asked"):
        Tagger.load(replace(files, pinned=True), device="openvino")
    remember(Asked(files.identity, "openvino", "exact"), "name", speeds(cpu=2.0, openvino=2.1))
    monkeypatch.setattr(choosing, "find_spec", lambda _: True)
    with pytest.raises(DeviceError, match="OpenVINO was asked"):
        Tagger.load(files, device="openvino")


@pytest.mark.parametrize(
    ("fusible", "exact", "fast"),
    [
        (True, [REFERENCE, FUSED, replace(OPENVINO, fused=True)], [replace(BITS, fused=True)]),
        (False, [REFERENCE, OPENVINO], [BITS]),
    ],
)
def test_what_is_the_same_is_measured_once(
    fusible: bool, exact: list[Candidate], fast: list[Candidate], files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []

    def measure(_: ModelFiles, groups: Any, *more: Any) -> list[Verdict]:
        tried.extend(groups)
        return []

    monkeypatch.setattr(choosing, "measure", measure)
    monkeypatch.setattr(choosing, "is_due", lambda *_: True)
    monkeypatch.setattr(choosing, "fusible", lambda _: fusible)
    monkeypatch.setattr(choosing, "_openvino_may_have", lambda device: device == "openvino")
    monkeypatch.setattr(choosing, "available_providers", lambda: [CPU])
    monkeypatch.setattr(choosing, "fast_on", lambda _: False)
    known = replace(files, pinned=True)
    choose(known, "auto", "exact", Opening(), pictures=None)
    choose(known, "auto", "fast", Opening(), pictures=None)
    assert tried == [exact, exact + fast]
    tried.clear()
    choose(known, "openvino", "exact", Opening(), pictures=None)
    assert tried == [], "there is nothing to compare"
    choose(files, "openvino", "exact", Opening(), pictures=None)
    assert tried == [[replace(OPENVINO, fused=fusible)]], "whether it is harmless is to be found out"

"""Trials for real: processes that open a small model, run it, and are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import masked_folder, wd14_folder
from wd14.errors import JobStoppedError, ModelContractError
from wd14.input_spec import InputSpec, PadToSquare, Resize
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.runtimes.session import Opening
from wd14.model.trial import trial
from wd14.model.trial.candidates import REFERENCE, Candidate
from wd14.model.trial.pictures import trial_pictures
from wd14.model.trial.request import Request
from wd14.model.trial.trial import check_runs, measure
from wd14.published import Published
from wd14.stop import StopToken
from wd14.types import UNUSED, Labels

#: Processes that do not answer, and say which one they are.
HANGS = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    wd14_folder(tmp_path / "model", size=16)
    return find_model(tmp_path / "model")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_pictures_are_the_same_on_every_machine() -> None:
    pictures, _ = trial_pictures(InputSpec(size=32))
    assert pictures.shape == (2, 32, 32, 3)
    assert pictures.dtype == np.uint8
    assert pictures.reshape(2, -1).astype(np.int64).sum(axis=1).tolist() == [479196, 391629]


def test_a_request_arrives_as_it_was_sent(files: ModelFiles) -> None:
    """All but names, thresholds and categories: a run needs to know how many tags there are, and which are unused."""
    spec = InputSpec(fit="stages", stages=(PadToSquare(), Resize((16, 16))), value_range="normalized")
    labels = Labels(("a", "b", "c"), ("general", UNUSED, "rating"))
    files = replace(files, spec=spec, labels=labels, input_name="pictures", mask_name="mask")
    request = Request(files, Candidate("cpu", fused=True), 2, 3, 4, 0.5)
    received = Request.from_json(request.to_json())
    bare = replace(files, thresholds=Published(), labels=Labels(("", "", ""), ("", UNUSED, "")))
    assert received == replace(request, files=bare)


def test_candidates_are_measured_and_one_that_does_not_work_says_why(
    files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    monkeypatch.setattr(trial, "_CLOSE", 2.0)  # nothing is tried twice
    groups = [[Candidate("cuda"), Candidate("cuda", fused=True)], [REFERENCE, Candidate("cpu", fused=True)]]
    reference, broken, fused = measure(files, groups, Opening(threads=1))
    assert (reference.candidate, reference.difference) == (REFERENCE, 0.0)
    assert fused.candidate == Candidate("cpu", fused=True)
    assert fused.difference == pytest.approx(0, abs=1e-5)
    assert reference.speed > 0 < fused.speed
    assert (broken.candidate, broken.speed) == (Candidate("cuda"), 0), "its fused form is not tried"
    assert "the installed onnxruntime has no CUDAExecutionProvider" in broken.problem


def test_a_model_with_a_mask_is_tried_with_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    masked_folder(tmp_path, size=16)
    files = find_model(tmp_path)
    reference, other = measure(files, [[REFERENCE, Candidate("openvino")]], Opening(threads=1))
    assert (reference.problem, other.problem) == ("", "")
    assert other.difference == pytest.approx(0, abs=1e-5)
    pictures, boxes = trial_pictures(files.spec, has_mask=True)
    assert boxes == [(0, 0, 16, 16), (0, 4, 16, 12)]
    assert (pictures[1][:, :4] == 114).all()


def test_a_model_that_the_reference_cannot_run_has_no_trial(files: ModelFiles) -> None:
    files.model_path.write_bytes(b"no model")
    assert measure(files, [[REFERENCE]], Opening(threads=1)) == []
    with pytest.raises(ModelContractError, match="expected a model that onnxruntime can run"):
        check_runs(files, Opening(threads=1))


@pytest.mark.skipif(sys.platform == "win32", reason="looks at processes")
def test_a_stop_ends_the_process(files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_START", HANGS)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "process"), *sys.path])
    stop = StopToken()
    monkeypatch.setattr(stop, "check", lambda: stop_when_it_runs())

    def stop_when_it_runs() -> None:
        if (tmp_path / "process").exists() and (tmp_path / "process").read_text():
            raise JobStoppedError("enough")

    with pytest.raises(JobStoppedError):
        measure(files, [[REFERENCE]], Opening(stop=stop))
    assert not is_alive(int((tmp_path / "process").read_text()))


def test_one_that_takes_too_long_and_one_that_dies_do_not_work(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_START", HANGS)
    monkeypatch.setattr(trial, "LIMIT", 0.2)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "process"), *sys.path])
    with pytest.raises(ModelContractError, match=r"it took more than 0\.2 s"):
        check_runs(files, Opening())
    monkeypatch.setattr(trial, "LIMIT", 60.0)
    for start in ("import os; os.kill(os.getpid(), 9)", "print('noise')", "1 / 0"):
        monkeypatch.setattr(trial, "_START", start)
        with pytest.raises(ModelContractError, match="ended without an answer"):
            check_runs(files, Opening())


def test_the_process_ends_with_whoever_asked(files: ModelFiles) -> None:
    """A killed job leaves no process behind that holds a model in memory."""
    request = Request(files, REFERENCE, 1, 1, 1, 5.0)
    command = [sys.executable, "-c", trial._START, *sys.path]
    done = subprocess.run(command, input=request.to_json(), stdout=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, b"")  # `run` closes stdin when it has sent all

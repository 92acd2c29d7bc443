"""Jobs in 16 bits, on the processor: by OpenVINO, where the processor has bfloat16."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.scale_workers import InProcess
from wd14.cli import main as cli
from wd14.model.runtimes.openvino_session import fast_on
from wd14.model.trial.candidates import Candidate, Verdict
from wd14.model.trial.verdicts import Asked, remember, remembered

bits = pytest.mark.skipif(not fast_on("openvino"), reason="this processor has no bfloat16, or there is no OpenVINO")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(place / f"{number}.png")
    return place


def caption(folder: Path, output: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[str, dict[str, Any]]:
    """Captions pictures; returns what was said, and what the model ran on."""
    words = ["caption", str(folder), "--output", str(output), "--custom-model=builtin/colours", "--no-review", *more]
    assert cli.main(words) == 0
    made = json.loads((output / ".wd14" / "provenance.json").read_text("utf-8"))
    return capsys.readouterr().out, {key: made["model"][key] for key in ("device", "precision")}


@bits
def test_scores_in_16_bits_are_for_fast_jobs_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, ran = caption(folder, tmp_path / "fast", capsys, "--precision=fast")
    assert ran == {"device": "openvino", "precision": "fast"}
    assert "The model runs on openvino in bfloat16." in said
    assert "Its scores differ a little from exact ones, and are stored apart from them." in said
    said, ran = caption(folder, tmp_path / "again", capsys, "--precision=fast")
    assert (ran["device"], "(3 from stored scores)" in said) == (None, True)
    said, ran = caption(folder, tmp_path / "exact", capsys)
    assert (ran, "from stored scores" in said) == ({"device": "cpu", "precision": "exact"}, False)
    capsys.readouterr()
    assert cli.main(["cache"]) == 0
    listed = capsys.readouterr().out
    assert "builtin/colours  (v1 kohya image_size=0 upright)" in listed
    assert "builtin/colours  (v1 kohya image_size=0 upright fast)" in listed


@bits
def test_a_run_over_shards_says_what_it_ran_in_and_goes_on_in_the_same_precision(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wd14.scale.local_engine.LocalEngine", InProcess)
    words = ["scale", str(folder), str(tmp_path / "out"), "--custom-model=builtin/colours"]
    assert cli.main([*words, "--precision=fast"]) == 0
    made = json.loads((tmp_path / "out" / "provenance.json").read_text("utf-8"))
    assert (made["model"]["device"], made["model"]["precision"]) == ("openvino", "fast")
    capsys.readouterr()
    assert cli.main(words) == 2
    assert "precision: fast -> exact" in capsys.readouterr().err


def test_a_fast_job_takes_exact_scores_that_are_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    caption(folder, tmp_path / "exact", capsys)
    said, ran = caption(folder, tmp_path / "fast", capsys, "--precision=fast")
    assert (ran["device"], "(3 from stored scores)" in said) == (None, True)


def test_a_device_without_16_bits_runs_exact_and_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wd14.model.trial.choosing.fast_on", lambda _: False)
    said, ran = caption(folder, tmp_path / "out", capsys, "--precision=fast")
    assert ran == {"device": "cpu", "precision": "exact"}
    assert "Precision fast was asked for, and the model runs exact: nothing here computes in 16 bits." in said
    said, ran = caption(folder, tmp_path / "exact", capsys)
    assert "(3 from stored scores)" in said, "what ran counts, not what was asked for"


def test_a_device_that_is_not_there_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["caption", str(folder), "--custom-model=builtin/colours", "--device=migraphx", "--precision=fast"]
    assert cli.main(words) != 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("device migraphx was asked for") == 1


def test_the_command_cache_shows_what_trials_found_and_forgets_it(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = (
        Verdict(Candidate("cpu"), 2.5, 0.0),
        Verdict(Candidate("openvino"), 31.42, 1e-6),
        Verdict(Candidate("cuda"), problem="driver too old"),
    )
    remember(Asked("identity", "auto", "exact"), "owner/tagger", verdicts)
    assert cli.main(["cache"]) == 0
    assert (
        "owner/tagger (auto, exact): openvino 31.4, cpu 2.50 pictures/s; cuda: driver too old"
        in capsys.readouterr().out
    )
    assert cli.main(["cache", "--clear"]) == 0
    assert remembered() == []

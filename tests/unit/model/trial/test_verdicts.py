"""What trials found is remembered, and nothing that happens to the file matters to a job."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from wd14.cache_folders import cache_folder
from wd14.errors import JobStoppedError
from wd14.model.trial import verdicts
from wd14.model.trial.candidates import REFERENCE, Candidate, Verdict
from wd14.model.trial.verdicts import Asked, forget_all, measuring, recall, remember, remembered
from wd14.stop import StopToken

ASKED = Asked("identity", "auto", "exact")
FOUND = (
    Verdict(REFERENCE, 2.5, 0.0),
    Verdict(Candidate("cuda", "fast", fused=True, batch=16), 300.0, 0.01),
    Verdict(Candidate("openvino"), problem="not installed"),
)


def test_it_comes_back_for_the_same_question_on_the_same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with measuring(None) as may_measure:
        assert may_measure
        assert recall(ASKED) is None
        remember(ASKED, "name", FOUND[:1])
        remember(ASKED, "name", FOUND)
    assert recall(ASKED) == FOUND
    assert len(remembered()) == 1
    for other in (
        Asked("other", "auto", "exact"),
        Asked("identity", "cpu", "exact"),
        Asked("identity", "auto", "fast"),
    ):
        assert recall(other) is None
    monkeypatch.setattr(verdicts, "available_cores", lambda: 96)
    assert recall(ASKED) is None, "another machine"
    assert forget_all() == 1
    assert remembered() == []


def test_a_trial_for_fast_answers_for_exact_too() -> None:
    fast = Asked(ASKED.model, ASKED.device, "fast")
    remember(fast, "name", FOUND)
    assert recall(ASKED) == FOUND
    remember(ASKED, "name", FOUND[:1])
    assert recall(ASKED) == FOUND[:1], "its own comes first"
    assert recall(fast) == FOUND


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"trials": [{"machine": 1}]}',
        b'{"trials": [[]]}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"0" * (2 << 20),
    ],
)
def test_a_damaged_file_counts_as_none_and_is_begun_anew(text: bytes) -> None:
    (cache_folder() / "runtimes.json").write_bytes(text)
    assert recall(ASKED) is None
    remember(ASKED, "name", FOUND)
    assert recall(ASKED) == FOUND


@pytest.mark.parametrize(
    ("written", "damaged"),
    [
        ("2.5", '"2.5"'),
        ("2.5", "NaN"),
        ("2.5", "-1"),
        ("2.5", "1" + "0" * 400),
        ("0.01", "true"),
        ("16", "-16"),
        ("16", "2.5"),
        ('"cuda"', "[]"),
        ('"fast"', "{}"),
        ("true", "[]"),
        ('"auto"', "[]"),
    ],
)
def test_what_no_trial_can_have_found_is_damage(written: str, damaged: str) -> None:
    remember(ASKED, "name", FOUND)
    path = cache_folder() / "runtimes.json"
    assert written in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(written, damaged), "utf-8")
    assert remembered() == []


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST", 2)
    for model in "abc":
        remember(Asked(model, "auto", "exact"), model, FOUND)
    assert [each.name for each in remembered()] == ["b", "c"]


def _hold(ready: Any, seconds: float) -> None:
    with measuring(None):
        ready.set()
        time.sleep(seconds)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no such locks")
def test_another_process_that_measures_is_waited_for_until_a_stop() -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(ready, 60.0), daemon=True)
    holder.start()
    try:
        assert ready.wait(60)
        stop = StopToken()
        stop.request("enough")
        with pytest.raises(JobStoppedError, match="enough"), measuring(stop):
            pytest.fail("two processes measure at once")
    finally:
        holder.kill()
        holder.join()
    with measuring(None) as may_measure:
        assert may_measure, "a killed one leaves nothing behind"


def test_nothing_is_measured_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    with measuring(None):
        pass  # an earlier run made the lock's file
    monkeypatch.setattr(Path, "write_bytes", full)
    with measuring(None) as may_measure:
        assert not may_measure
    assert not list(cache_folder().glob("*.tmp"))


def test_a_link_to_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("runtimes.json", "runtimes.lock"):
        (cache_folder() / name).symlink_to(tmp_path / "pipe")
    assert remembered() == []
    with measuring(None):
        remember(ASKED, "name", FOUND)
    assert recall(ASKED) == FOUND

"""The current host: parameters, progress, stop and end of a job, with a stand-in for its SDK."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support import lab_sdk
from wd14.config import CaptionConfig
from wd14.errors import JobStoppedError, OutputError
from wd14.hosts.base import Host
from wd14.hosts.lab import host as lab_host
from wd14.hosts.lab.host import LabHost, serve
from wd14.types import Progress, Summary, Written

HALF = Progress(done=50, total=100, failed=2, from_scores=0, pictures_per_second=2.34567, remaining_seconds=1.0)


class Desk:
    """A workspace with a job in it, and the host that runs it."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]) -> None:
        monkeypatch.setenv("_TFL_EXPERIMENT_ID", "beta")
        monkeypatch.setattr(lab_host, "_PAUSE", 0.0)
        self.workspace = home / "workspace"
        self.lab = lab_sdk.install(monkeypatch, self.workspace, data)
        self.host = LabHost()

    def write_output(self) -> Summary:
        place = self.host.destination(CaptionConfig(), "pics")
        folder = place.parent / place.name
        for each in (".wd14", "train"):
            (folder / each).mkdir(parents=True)
        (folder / ".wd14" / "report.json").write_text("{}")
        Image.new("RGB", (40, 30), "red").save(folder / "train" / "a.png")
        row = {"file_name": "a.png", "caption": "red"}
        (folder / "train" / "metadata.jsonl").write_text(json.dumps(row) + "\n")
        return Summary(total=5, captioned=3, from_scores=1, failed=1, seconds=2.0, output=str(folder))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path, monkeypatch, {"parameters": {"dataset_name": "pics", "thresh": "0.5", "in_place": "true"}})
    made.host.begin()
    yield made
    made.host.close()


@pytest.mark.parametrize(
    ("data", "thresh"),
    [
        ({"parameters": {"thresh": "0.1"}, "config": {"thresh": "0.2"}, "thresh": "0.3"}, "0.1"),
        ({"config": {"thresh": "0.2"}, "thresh": "0.3"}, "0.2"),
        ({"parameters": {}, "config": "text", "thresh": "0.3"}, "0.3"),
        # A job that is started by a request to the API: the descriptions of task.yaml.
        ({"parameters": {"thresh": {"type": "float", "default": 0.4, "min": 0}}}, 0.4),
        ({"parameters": {"thresh": {"type": "float", "title": "Threshold"}}}, None),
        ({}, None),
    ],
)
def test_parameters_are_found_where_hosts_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, Any], thresh: str | float | None
) -> None:
    desk = Desk(tmp_path, monkeypatch, data)
    desk.host.begin()
    assert desk.host.settings().get("thresh") == thresh
    desk.host.close()


def test_the_job_is_the_hosts(desk: Desk) -> None:
    assert desk.lab.experiment == "beta"
    assert desk.host.settings() == {"thresh": "0.5"}


def test_the_dataset_is_built_on_the_workspaces_disk_and_nothing_is_left(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    place = desk.host.destination(CaptionConfig(output_dataset_name="New"), "pics")
    assert place.staging.parent == desk.workspace / "temp"
    assert (place.parent, place.name) == (place.staging / "done", "new")
    desk.host.log(f"Result: {place.parent / place.name}")
    assert desk.lab.lines == ["Result: new"]
    assert capsys.readouterr().out == "Result: new\n"
    desk.host.close()
    assert list((desk.workspace / "temp").iterdir()) == []


def test_an_sdk_that_prints_its_lines_is_left_to_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab_sdk.Job, "log_info", lambda *_: None)  # a coroutine in the SDKs that do not
    desk.host.log("a line")
    assert desk.lab.lines == ["a line"]
    assert capsys.readouterr().out == ""


def test_a_workspace_in_a_bucket_is_told_less_often_and_built_for_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, monkeypatch, {})
    sys.modules["lab"].dirs.get_workspace_dir = lambda: "s3://bucket/workspace"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    desk.host.begin()
    assert desk.host.report_every == 4.0
    assert desk.host.destination(CaptionConfig(), "pics").staging.parent == tmp_path
    desk.host.close()


def test_progress_is_reported_with_metrics_about_once_a_second(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for _ in range(100):
        now[0] += 0.1
        desk.host.progress(HALF)
    assert len(desk.lab.reports) == 10
    assert desk.lab.reports[0] == (49, {"pictures": 50, "pictures_per_second": 2.346, "failed": 2})


def test_an_sdk_without_metrics_gets_the_percentage(desk: Desk) -> None:
    seen: list[int] = []
    desk.lab.update_progress = lambda progress: seen.append(progress)  # type: ignore[method-assign, assignment, misc]
    desk.host.progress(HALF)
    assert seen == [49]


def test_the_stop_flag_stops_the_job(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.host.report_every = 0.0
    desk.host.progress(HALF)
    assert not desk.host.stop.requested
    desk.lab.job.data["stop"] = True
    desk.host.progress(HALF)
    assert desk.host.stop.reason == "stopped from the host"
    desk.host.fail(JobStoppedError("stopped from the host"), Written())
    assert desk.lab.job.status == "STOPPED"
    message = (
        "Stopped after 50 of 100 pictures. No dataset was written. Their scores are kept: the next run goes on from"
    )
    assert desk.lab.job.data["completion_details"].startswith(message)
    assert desk.lab.ended is None  # `error` would make it FAILED for a moment
    assert capsys.readouterr().out.startswith(message)


def test_a_failure_is_reported(desk: Desk) -> None:
    desk.host.fail(OutputError("cannot write"), Written())
    assert desk.lab.ended == ("cannot write", None)
    assert desk.lab.job.data["error_msg"] == "cannot write"  # what the list of jobs shows
    assert desk.lab.job.status == "FAILED"


def test_a_failure_that_cannot_be_reported_is_shown_all_the_same(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.lab.failures = 1
    desk.host.fail(OutputError("cannot write"), Written())
    assert capsys.readouterr().out == (
        "Failed: cannot write\n"
        "The host's storage did not answer (RuntimeError: 503 Slow Down): it does not show how the job ended.\n"
    )


def test_a_storage_that_fails_for_a_moment_does_not_end_the_job(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.host.report_every = 0.0
    desk.lab.failures = 2
    for _ in range(3):
        desk.host.progress(HALF)
    assert len(desk.lab.reports) == 1
    assert capsys.readouterr().out.count("503 Slow Down") == 1


def test_a_finished_job_has_its_dataset_and_what_the_page_shows(desk: Desk) -> None:
    desk.host.finish(desk.write_output())
    assert desk.lab.artifacts == [("contact_sheet.png", None), ("captions.csv", "evals"), ("wd14_report.json", None)]
    saved = desk.workspace / "datasets" / "pics_captions"
    assert (saved / "train" / "metadata.jsonl").is_file()
    assert desk.lab.reports[-1] == (99, {"pictures": 5, "pictures_per_second": 2.5, "failed": 1})
    score = {
        "captioned": 4,
        "failed": 1,
        "rejected": 0,
        "without_tags": 0,
        "from_scores": 1,
        "pictures_per_second": 2.5,
    }
    assert desk.lab.ended == ("captioned 4 of 5 pictures, 1 failed", score)
    assert next(iter(desk.lab.ended[1])) == "captioned"  # the page shows the first one
    assert desk.host.end_reported
    assert desk.lab.lines[0] == "Result: the dataset pics_captions, listed with this job."
    assert desk.lab.lines[1].startswith(f"For the Diffusion LoRA trainer: dataset = {saved}. It reads captions from")
    assert "Caption Column (caption_column) = text" in desk.lab.lines[1]


def test_the_review_page_is_an_artifact_and_its_place_is_said(desk: Desk) -> None:
    def write(dataset: Path, target: Path) -> int:
        target.write_text(f"page of {dataset.name}")
        return 3

    desk.host._write_page = write
    desk.host.finish(desk.write_output())
    assert desk.lab.artifacts[-1] == ("review.html", None)
    said = [line for line in desk.lab.lines if "review" in line]
    assert said[0].startswith("Review page: the artifact review.html;")
    assert "no thumbnails of 3 pictures" in said[1]


def test_a_review_page_that_cannot_be_saved_fails_no_job(desk: Desk) -> None:
    def write(dataset: Path, target: Path) -> int:
        raise OSError(28, "No space left on device")

    desk.host._write_page = write
    desk.host.finish(desk.write_output())
    assert desk.lab.ended is not None
    assert any(line.startswith("The review page could not be saved as an artifact (") for line in desk.lab.lines)


def test_captions_in_the_trainers_column_need_no_advice(desk: Desk) -> None:
    summary = desk.write_output()
    row = {"file_name": "a.png", "text": "red"}
    (Path(summary.output or "") / "train" / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    desk.host.finish(replace(summary, caption_column="text"))
    assert desk.lab.lines[1].endswith("pics_captions")
    assert len(desk.lab.artifacts) == 3


def test_the_end_is_reported_again_where_the_storage_did_not_answer(desk: Desk) -> None:
    summary = Summary(5, 5, 0, 0, 1.0, None)
    desk.lab.failures = 3  # progress, and twice the end
    desk.host.finish(summary)
    assert desk.lab.ended is not None
    desk.lab.ended, desk.lab.failures, desk.host.end_reported = None, 4, False
    with pytest.raises(RuntimeError, match="503"):
        desk.host.finish(summary)
    assert not desk.host.end_reported


def test_a_stop_after_the_dataset_is_saved_says_that_it_is_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    summary = desk.write_output()
    in_temporary_folder = Written(output=summary.output)
    desk.host.progress(HALF)
    desk.host.fail(KeyboardInterrupt(), in_temporary_folder)
    assert "No dataset was written." in desk.lab.job.data["completion_details"]
    monkeypatch.setattr(desk.lab, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        desk.host.finish(summary)
    desk.host.fail(KeyboardInterrupt(), in_temporary_folder)
    assert desk.lab.job.data["completion_details"] == "Stopped when the dataset pics_captions was complete."


def test_an_artifact_that_cannot_be_saved_does_not_fail_the_job(desk: Desk) -> None:
    desk.lab.failures = 1
    desk.host.finish(desk.write_output())
    assert [name for name, _ in desk.lab.artifacts] == ["captions.csv", "wd14_report.json"]
    assert desk.lab.lines[0] == ("The contact sheet could not be saved as an artifact (RuntimeError: 503 Slow Down).")
    assert desk.lab.ended is not None


def test_sigterm_stops_the_job_and_the_process_ends_well(desk: Desk) -> None:
    def run_job(host: Host) -> Summary:
        os.kill(os.getpid(), signal.SIGTERM)
        host.stop.check()
        raise AssertionError

    desk.host.close()
    before = signal.getsignal(signal.SIGTERM)
    try:
        serve(run_job)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert desk.lab.job.status == "STOPPED"
    assert list((desk.workspace / "temp").iterdir()) == []

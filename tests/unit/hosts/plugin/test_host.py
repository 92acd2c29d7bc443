"""The classic host: begin, progress, stop and end of a job, as its record shows them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import classic_sdk
from tests.support.classic_sdk import StandIn, Workspace, command_line
from wd14.config import CaptionConfig
from wd14.errors import HostError, JobStoppedError, OutputError
from wd14.hosts.base import Host
from wd14.hosts.plugin import host as plugin
from wd14.hosts.plugin.datasets import registration
from wd14.hosts.plugin.host import PluginHost, serve
from wd14.types import Progress, Summary, Written

ARGV = command_line({"dataset_name": "pics", "in_place": "True", "template_name": "first-task"})


class Desk(Workspace):
    """A workspace with one job in it, and the host that runs it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.sdk = StandIn(self.path)
        self.host = PluginHost(self.sdk, ARGV, str(self.path))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(sys, "argv", ["harness", *ARGV])
    monkeypatch.setattr("wd14.hosts.plugin.job_record._RECORD_PATIENCE", 0.1)
    return Desk(tmp_path)


def at(done: int, total: int | None = 100) -> Progress:
    return Progress(done, total, failed=0, from_scores=0, pictures_per_second=2.0, remaining_seconds=1.0)


SUMMARY = Summary(
    *(5, 3, 1, 1, 1.0, "/w/datasets/pics_captions-2"),
    model="owner/wd-tagger",
    thresholds="general 0.35, character 0.85",
    caption_column="text",
)


def test_progress_is_written_every_two_seconds_as_the_page_reads_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    desk.host.begin()
    before = desk.sdk.job.writes
    for done in range(100):
        now[0] += 0.1
        desk.host.progress(at(done))
    assert 4 <= desk.sdk.job.writes - before <= 5  # in 10 seconds
    assert desk.record["progress"] > 50


def test_a_running_job_shows_tenths_its_speed_and_the_time_left(desk: Desk) -> None:
    desk.host.progress(Progress(1500, 3456, 2, 0, 12.34, 158.6))
    assert desk.record["progress"] == 43.0  # 99 % of the way belong to the pictures
    assert desk.data["generator"] == "1,500 of 3,456 pictures, 12.3 pictures/s, 2 failed"
    assert desk.data["estimated_time_remaining"] == 159


@pytest.mark.parametrize(
    ("progress", "line", "left"),
    [
        (Progress(0, None, 0, 0, 0.0, None), "0 pictures", None),
        (Progress(8, 8, 0, 0, 2.0, 0.0), "8 of 8 pictures, 2.0 pictures/s", 1),
    ],
)
def test_what_is_not_known_is_not_shown(desk: Desk, progress: Progress, line: str, left: int | None) -> None:
    """The page shows a time left of 0 as a lone 0."""
    desk.host.progress(progress)
    assert (desk.data["generator"], desk.data["estimated_time_remaining"]) == (line, left)


def test_a_begun_job_has_its_start_and_the_tasks_name(desk: Desk) -> None:
    desk.host.begin()
    assert desk.data["start_time"]
    assert desk.data["template_name"] == "first-task"


def test_stop_pressed_in_the_queue_is_seen_at_the_beginning(desk: Desk) -> None:
    desk.press_stop()
    with pytest.raises(JobStoppedError):
        desk.host.begin()


def test_the_stop_flag_stops_the_job(desk: Desk) -> None:
    desk.host.report_every = 0.0
    desk.host.progress(at(7, None))
    assert not desk.host.stop.requested
    desk.press_stop()
    desk.host.progress(at(7, None))
    assert desk.host.stop.reason == "stopped from the host"
    desk.host.fail(JobStoppedError("stopped from the host"), Written())
    assert desk.record["status"] == "STOPPED"
    assert desk.data["completion_details"].startswith("Stopped after 7 pictures.")
    assert desk.data["generator"] == "7 pictures"


def test_a_finished_job_names_its_dataset_and_what_made_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.press_stop()  # too late: it does not undo the end
    desk.host.finish(SUMMARY)
    assert desk.data["dataset_id"] == "pics_captions-2"
    assert desk.data["completion_status"] == "success"
    assert desk.data["completion_details"] == "captioned 4 of 5 pictures, 1 failed"
    assert desk.data["generator"] == "wd-tagger, general 0.35, character 0.85"
    assert desk.data["estimated_time_remaining"] is None
    assert desk.data["end_time"]
    assert (desk.record["progress"], desk.record["status"]) == (100, "RUNNING")
    assert desk.host.end_reported
    result, training = capsys.readouterr().out.splitlines()
    assert result == "\x1b[1;32mResult: the dataset pics_captions-2 (Datasets > Generated Datasets)\x1b[0m"
    assert training.startswith("To train on it: set Caption Column to text in the trainer's task.")


def test_a_failed_job_has_its_reason_in_short_and_its_output_all_of_it(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.host.fail(OutputError("cannot write /home/someone/datasets/x: no right to. Ask for one."), Written())
    assert desk.data["completion_status"] == "failed"
    assert desk.data["completion_details"] == "cannot write x: no right to."
    assert desk.data["end_time"]
    assert desk.record["status"] == "RUNNING"  # the host makes it COMPLETE and shows the reason
    assert capsys.readouterr().out == (
        "\x1b[31mFailed: cannot write /home/someone/datasets/x: no right to. Ask for one.\x1b[0m\n"
    )


def test_only_failures_and_the_result_have_a_colour(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.host.log("Failed: a.png: not an image")
    desk.host.log("Dataset: pics, 3 pictures")
    failed, plain = capsys.readouterr().out.splitlines()
    assert failed == "\x1b[31mFailed: a.png: not an image\x1b[0m"
    assert plain == "Dataset: pics, 3 pictures"


def test_an_unexpected_error_cannot_colour_the_output_itself(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.host.fail(ValueError("\x1b]8;;http://x\x07bad\x1b[2J"), Written())
    assert "\x1b" not in capsys.readouterr().out.replace("\x1b[31m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize("sent", ["True", True, 1])
def test_caption_files_are_left_off_and_said(desk: Desk, sent: object, capsys: pytest.CaptureFixture[str]) -> None:
    host = PluginHost(
        desk.sdk, command_line({"caption_files": sent, "in_place": "False", "thresh": 0.5}), str(desk.path)
    )
    config = CaptionConfig.from_values(host.settings())
    assert (config.caption_files, config.thresh) == (False, 0.5)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Caption Files is left at its default here: text files beside the pictures break")


def test_the_dataset_is_built_aside_on_the_same_disk(desk: Desk) -> None:
    place = desk.host.destination(CaptionConfig(), "pics")
    assert (place.parent, place.name) == (desk.path / "datasets", "pics_captions")
    assert place.staging == desk.path / "temp"
    assert place.extra_files is registration


def test_a_temp_folder_on_another_disk_is_not_used(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_device", lambda path: 1 if path.name == "temp" else 2)
    assert desk.host.destination(CaptionConfig(), "pics").staging == desk.path


def test_a_folder_is_on_the_disk_that_is_mounted_there() -> None:
    assert plugin._device(Path("/dev")) == Path("/dev").stat().st_dev != plugin._device(Path("/"))


def test_a_temp_folder_that_does_not_exist_is_on_its_parents_disk(desk: Desk) -> None:
    (desk.path / "temp").rmdir()
    assert desk.host.destination(CaptionConfig(), "pics").staging == desk.path / "temp"


def test_a_workspace_that_is_no_folder_is_refused(desk: Desk) -> None:
    host = PluginHost(desk.sdk, ARGV, "s3://bucket/workspace")
    with pytest.raises(HostError, match="needs a workspace on a disk"):
        host.begin()


def test_sigterm_stops_the_job_and_the_process_ends_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_job(host: Host) -> Summary:
        os.kill(os.getpid(), signal.SIGTERM)
        host.stop.check()
        raise AssertionError

    monkeypatch.setenv("TFL_HOME_DIR", str(desk.path.parent))
    for name in classic_sdk.MODULES:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # so that the real ones are put back
    classic_sdk.install(desk.sdk)
    monkeypatch.setattr(sys, "argv", ["harness", *ARGV, "--mode", "x"])  # ends a process whose SDK sees it
    serve(run_job)
    assert desk.record["status"] == "STOPPED"

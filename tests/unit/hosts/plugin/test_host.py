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
from wd14.types import Progress, Summary

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


def test_progress_is_written_about_once_a_second(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    desk.host.begin()
    before = desk.sdk.job.writes
    for done in range(100):
        now[0] += 0.05
        desk.host.progress(at(done))
    assert desk.sdk.job.writes - before == 5
    assert desk.record["progress"] > 50


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
    desk.host.fail(JobStoppedError("stopped from the host"))
    assert desk.record["status"] == "STOPPED"
    assert desk.data["completion_details"].startswith("Stopped after 7 images.")


def test_a_finished_job_names_its_dataset(desk: Desk) -> None:
    desk.press_stop()  # too late: it does not undo the end
    desk.host.finish(Summary(5, 4, 0, 1, 1.0, str(desk.path / "datasets" / "pics_captions-2")))
    assert desk.data["dataset_id"] == "pics_captions-2"
    assert desk.data["completion_status"] == "success"
    assert desk.data["completion_details"] == "captioned 4 of 5 images, 1 failed"
    assert desk.data["end_time"]
    assert (desk.record["progress"], desk.record["status"]) == (100, "RUNNING")
    assert desk.host.end_reported


def test_a_failed_job_has_its_reason(desk: Desk) -> None:
    desk.host.fail(OutputError("cannot write"))
    assert desk.data["completion_status"] == "failed"
    assert desk.data["completion_details"] == "cannot write"
    assert desk.data["end_time"]
    assert desk.record["status"] == "RUNNING"  # the host makes it COMPLETE and shows the reason


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

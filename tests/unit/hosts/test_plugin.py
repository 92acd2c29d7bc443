"""The classic host's parameters, datasets and record, each on its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.classic_sdk import StandIn
from wd14.config import CaptionConfig
from wd14.errors import HostError, JobStoppedError, OutputError, SourceNotFoundError
from wd14.hosts.plugin import host as plugin
from wd14.hosts.plugin import job_record as record_module
from wd14.hosts.plugin.arguments import job_values, sdk_arguments
from wd14.hosts.plugin.datasets import find_dataset
from wd14.hosts.plugin.host import PluginHost
from wd14.hosts.plugin.job_record import JobRecord
from wd14.types import Progress, Summary


def words(config: Mapping[str, Any], input_file: Path | None = None) -> list[str]:
    made = ["--plugin_dir", "/p"]
    for key, value in config.items():
        made += [f"--{key}", str(value)]
    made += ["--experiment_name", "alpha", "--job_id", "1"]
    return made if input_file is None else [*made, "--input_file", str(input_file)]


def input_file(folder: Path, config: Mapping[str, Any]) -> Path:
    path = folder / "plugin_input.json"
    path.write_text(json.dumps({"experiment": {}, "config": config}), "utf-8")
    return path


def test_typed_values_are_taken_from_the_input_file(tmp_path: Path) -> None:
    config = {
        "thresh": 0.35,
        "cache": False,
        "undesired_tags": ["a", "b"],
        "batch_size": None,
        "trigger_words": "--x, y",
    }
    values = job_values(words(config, input_file(tmp_path, config)))
    assert {key: values[key] for key in config} == config
    assert values["job_id"] == "1"


def test_without_the_input_file_strings_mean_the_same(tmp_path: Path) -> None:
    config = {
        "thresh": 0.5,
        "cache": False,
        "undesired_tags": ["a", "b"],
        "batch_size": None,
        "caption_separator": ", ",
        "general_threshold": "",
    }
    typed = CaptionConfig.from_values(job_values(words(config, input_file(tmp_path, config))))
    strings = CaptionConfig.from_values(job_values(words(config)))
    assert typed == strings
    assert strings.undesired_tags == ("a", "b")
    assert strings.cache is False
    assert strings.general_threshold is None


@pytest.mark.parametrize("content", ["", "[]", '{"config": 3}', "{", '{"experiment": {}}'])
def test_a_damaged_input_file_is_passed_over(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "input.json"
    path.write_text(content, "utf-8")
    assert job_values(words({"thresh": 0.5}, path))["thresh"] == "0.5"
    assert capsys.readouterr().err == ""


def test_another_jobs_input_file_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = input_file(tmp_path, {"dataset_name": "theirs", "thresh": 0.5})
    values = job_values(words({"dataset_name": "ours", "thresh": 0.5}, others))
    assert values["dataset_name"] == "ours"
    assert "another job's (dataset_name differ)" in capsys.readouterr().out


def test_the_sdk_sees_only_options_that_it_knows() -> None:
    argv = words({"dataset_name": "my pics", "mode": "x", "model": "y", "generation_model": "m", "note": "--run"})
    assert sdk_arguments(argv) == [
        "--dataset_name=my pics",
        "--generation_model=m",
        "--experiment_name=alpha",
        "--job_id=1",
    ]


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    folder = tmp_path / "datasets"
    for name, index in {
        "my-pics": {"dataset_id": "my-pics", "location": "local"},
        "owner_name": {"dataset_id": "owner/name", "location": "huggingface"},
        "no-location": {"dataset_id": "owner/other"},
    }.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "index.json").write_text(json.dumps(index))
    (folder / "bare").mkdir()
    (folder / "bare" / "a.png").write_bytes(b"")
    (folder / "torn").mkdir()
    (folder / "torn" / "index.json").write_text("{")
    (folder / "torn" / "a.png").write_bytes(b"")
    (tmp_path / "secret").mkdir()
    return folder


@pytest.mark.parametrize("name", ["my-pics", "My Pics", "bare", "torn"])
def test_a_local_dataset_is_its_folder(datasets: Path, name: str) -> None:
    expected = "my-pics" if name == "My Pics" else name
    assert find_dataset(datasets, name) == datasets / expected


@pytest.mark.parametrize(("name", "hub_id"), [("owner/name", "owner/name"), ("no-location", "owner/other")])
def test_a_hub_dataset_is_its_id(datasets: Path, name: str, hub_id: str) -> None:
    assert find_dataset(datasets, name) == hub_id


@pytest.mark.parametrize("name", ["gone", "../secret", "..", ".", "/etc", "my-pics/../../secret"])
def test_a_dataset_that_is_not_there_is_not_there(datasets: Path, name: str) -> None:
    with pytest.raises(SourceNotFoundError, match="there are: bare, my-pics, no-location, owner_name, torn"):
        find_dataset(datasets, name)


def test_a_workspace_without_datasets(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="there are none"):
        find_dataset(tmp_path / "datasets", "x")


class Desk:
    """A workspace with one job in it, and the host that runs it."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = home / "workspace"
        (self.workspace / "jobs" / "1").mkdir(parents=True)
        (self.workspace / "datasets" / "pics").mkdir(parents=True)
        (self.workspace / "datasets" / "pics" / "a.png").write_bytes(b"")
        (self.workspace / "temp").mkdir()
        self.path = self.workspace / "jobs" / "1" / "index.json"
        self.whole = {
            "id": "1",
            "experiment_id": "alpha",
            "status": "RUNNING",
            "type": "GENERATE",
            "progress": 0,
            "job_data": {"config": {"a": 1}},
        }
        self.path.write_text(json.dumps(self.whole))
        argv = words({"dataset_name": "pics", "in_place": "True"})
        monkeypatch.setattr(sys, "argv", ["harness", *argv])
        monkeypatch.setattr(record_module, "_RECORD_PATIENCE", 0.1)
        self.sdk = StandIn(self.workspace)
        self.host = PluginHost(self.sdk, argv, str(self.workspace))

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.path.read_text())
        return record

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.record["job_data"]
        return data

    def press_stop(self) -> None:
        record = self.record
        record["job_data"]["stop"] = True
        self.path.write_text(json.dumps(record))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def at(done: int, total: int | None = 100) -> Progress:
    return Progress(done, total, failed=0, from_scores=0, images_per_second=2.0, remaining_seconds=1.0)


def test_progress_is_written_about_once_a_second(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(
        "wd14.hosts.plugin.host.time.monotonic", lambda: next(clock) / 100
    )  # 10 ms between two looks at it
    desk.host.begin()
    before = desk.sdk.job.writes
    for done in range(100):
        desk.host.progress(at(done))
    assert 0 < desk.sdk.job.writes - before <= 6
    assert desk.record["progress"] > 50


def test_a_percentage_that_stands_still_is_not_written_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "LOOK_EVERY", 0.0)
    desk.host.progress(at(50))
    before = desk.sdk.job.writes
    for _ in range(20):
        desk.host.progress(at(50))
    assert desk.sdk.job.writes == before


def test_stop_is_seen_also_while_the_percentage_stands_still(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "LOOK_EVERY", 0.0)
    desk.host.progress(at(0, None))
    desk.press_stop()
    desk.host.progress(at(0, None))
    assert desk.host.stop.reason == "stopped from the host"
    desk.host.fail(JobStoppedError("stopped from the host"))
    assert desk.record["status"] == "STOPPED"
    assert desk.data["completion_details"].startswith("Stopped ")


def test_a_finished_job_names_its_dataset(desk: Desk) -> None:
    place = str(desk.workspace / "datasets" / "pics_captions-2")
    desk.host.finish(Summary(5, 4, 0, 1, 1.0, place))
    assert desk.data["dataset_id"] == "pics_captions-2"
    assert desk.data["completion_status"] == "success"
    assert desk.data["completion_details"] == "captioned 4 of 5 images, 1 failed"
    assert desk.record["progress"] == 100


def test_stop_pressed_after_the_end_does_not_undo_it(desk: Desk) -> None:
    desk.press_stop()
    desk.host.finish(Summary(5, 5, 0, 0, 1.0, str(desk.workspace / "datasets" / "x")))
    assert desk.record["status"] == "RUNNING"
    assert desk.data["completion_status"] == "success"


def test_an_error_that_nobody_expected_is_told_with_its_place(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("nothing")
    except ValueError as error:
        desk.host.fail(error)
    told = capsys.readouterr()
    assert "Failed: ValueError: invalid literal" in told.out
    assert "test_plugin.py" in told.out
    assert told.err == ""
    assert desk.data["completion_details"].startswith("ValueError: invalid literal")


def test_an_error_of_ours_is_told_without_a_traceback(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.host.fail(OutputError("cannot write"))
    assert capsys.readouterr().out == "Failed: cannot write\n"
    assert desk.data["completion_status"] == "failed"


def test_a_record_that_is_being_rewritten_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    record = JobRecord(desk.sdk)
    record.look(1)
    desk.path.write_text("")
    before = desk.sdk.job.writes
    written = []

    def meanwhile(_seconds: float) -> None:
        written.append(desk.sdk.job.writes)
        desk.path.write_text(json.dumps(desk.whole))

    monkeypatch.setattr("wd14.hosts.plugin.job_record.time.sleep", meanwhile)
    record.look(1)
    assert written == [before]
    assert desk.record == desk.whole


def test_a_stop_pressed_after_the_record_was_lost_is_seen(desk: Desk) -> None:
    record = JobRecord(desk.sdk)
    assert record.look(1) is False
    desk.path.write_text('{"progress": 3, "job_data": {"stop": true}}')
    assert record.look(2) is True
    assert desk.data == {"config": {"a": 1}, "stop": True}


@pytest.mark.parametrize("torn", ["", '{"progress": 3}'])
def test_a_lost_record_is_put_back_before_the_end_is_noted(desk: Desk, torn: str) -> None:
    record = JobRecord(desk.sdk)
    record.look(1)
    desk.path.write_text(torn)
    record.note("completion_status", "success")
    assert desk.data == {"config": {"a": 1}, "completion_status": "success"}
    assert (desk.record["status"], desk.record["type"], desk.record["experiment_id"]) == (
        "RUNNING",
        "GENERATE",
        "alpha",
    )


def test_a_record_that_cannot_be_written_does_not_end_the_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tests.support.classic_sdk.Job._set_json_data", full)
    desk.host.begin()
    desk.host.progress(at(10))
    desk.host.finish(Summary(1, 1, 0, 0, 1.0, "x"))
    assert capsys.readouterr().out.count("No space left") == 1


def test_the_dataset_is_built_aside_on_the_same_disk(desk: Desk) -> None:
    place = desk.host.destination(CaptionConfig(), "pics")
    assert place.parent == desk.workspace / "datasets"
    assert place.name == "pics_captions"
    assert place.staging == desk.workspace / "temp"
    assert place.extra_files is not None
    index = json.loads(place.extra_files("pics_captions-2", 3)["index.json"])
    assert index["dataset_id"] == "pics_captions-2"
    assert index["json_data"] == {"generated": True, "files": ["metadata.jsonl"], "sample_count": 3}


def test_a_temp_folder_on_another_disk_is_not_used(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_device", lambda path: 1 if path.name == "temp" else 2)
    assert desk.host.destination(CaptionConfig(), "pics").staging == desk.workspace


def test_a_job_never_writes_into_its_source(desk: Desk) -> None:
    assert "in_place" not in desk.host.settings()


def test_a_workspace_that_is_no_folder_is_refused(desk: Desk) -> None:
    host = PluginHost(desk.sdk, words({"dataset_name": "pics"}), "s3://bucket/workspace")
    with pytest.raises(HostError, match="needs a workspace on a disk"):
        host.begin()

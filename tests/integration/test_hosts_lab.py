"""Whole jobs as tasks of the current host, with the real `lab` SDK in a workspace of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support import bucket

if find_spec("lab") is None:  # looked for and not imported: an import makes folders in the user's home
    pytest.skip("the SDK `transformerlab` is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
#: From 0.0.53 on a job has its own datasets, and the SDK's inner functions are coroutines.
CURRENT = tuple(int(part) for part in version("transformerlab").split(".")[:3]) >= (0, 0, 53)
PARAMETERS = {"dataset_name": "my-pics", "generation_model": "builtin/colours", "thresh": "0.35"}


@dataclass
class Ended:
    """How a task ended."""

    returncode: int
    output: str
    errors: str
    record: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.record["job_data"]
        return data


class Workspace:
    """A workspace of the host, with a job waiting in it. `root` is where its files are on this machine."""

    def __init__(self, home: Path, *, in_bucket: bool = False) -> None:
        self.home = home
        self.in_bucket = in_bucket
        self.root = home / "bucket" / "workspace-t1" if in_bucket else home / "workspace"
        self.root.mkdir(parents=True)
        experiment = self.root / "experiments" / "alpha"
        experiment.mkdir(parents=True)
        (experiment / "index.json").write_text(json.dumps({"id": "alpha", "name": "alpha", "config": {}}))
        self.job = (experiment if CURRENT else self.root) / "jobs" / "7"

    def add_pictures(self, photos: Path, name: str = "my-pics") -> Path:
        folder = self.root / "datasets" / name
        folder.mkdir(parents=True)
        for photo in photos.iterdir():
            (folder / photo.name).write_bytes(photo.read_bytes())
        return folder

    def start(self, parameters: Mapping[str, Any], **env: str) -> subprocess.Popen[str]:
        self.job.mkdir(parents=True, exist_ok=True)
        record = {"id": "7", "experiment_id": "alpha", "status": "LAUNCHING", "type": "REMOTE", "progress": 0}
        record["job_data"] = {"parameters": dict(parameters)}
        (self.job / "index.json").write_text(json.dumps(record))
        known = {"_TFL_JOB_ID": "7", "_TFL_EXPERIMENT_ID": "alpha", "TFL_HOME_DIR": str(self.home)}
        command = [sys.executable, str(ROOT / "main.py"), "--task"]
        if self.in_bucket:
            known |= {"TFL_STORAGE_URI": "s3://workspace-t1", "TFL_REMOTE_STORAGE_ENABLED": "true"}
            known |= {"BUCKET_FOLDER": str(self.home / "bucket"), "TMPDIR": str(self.home)}
            command.insert(1, str(bucket.__file__))
        return subprocess.Popen(
            command,
            env={**os.environ, **known, **env},
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        output, errors = process.communicate(timeout=120)
        return Ended(process.returncode, output, errors, json.loads((self.job / "index.json").read_text()))

    def run(self, parameters: Mapping[str, Any], **env: str) -> Ended:
        return self.end(self.start(parameters, **env))

    def folder_of(self, dataset_id: str) -> Path:
        return self.job / "datasets" / dataset_id if CURRENT else self.root / "datasets" / dataset_id

    def leftovers(self) -> list[str]:
        """What the job left of its own on the machine."""
        return [str(path) for path in self.home.rglob("wd14-*")]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home")


def captions_in(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert all(set(row) == {"file_name", "caption"} for row in rows)
    return {row["file_name"]: row["caption"] for row in rows}


def test_a_job_runs_from_its_parameters_to_a_listed_dataset(workspace: Workspace, photos: Path) -> None:
    workspace.add_pictures(photos)
    done = workspace.run({**PARAMETERS, "output_dataset_name": "My Captions"})
    assert done.returncode == 0, done.output + done.errors
    assert done.record["status"] == "COMPLETE"
    assert done.record["progress"] == 100
    assert done.data["completion_status"] == "success"
    assert done.data["completion_details"] == "captioned 5 of 5 images, 0 failed"
    score = done.data["score"]
    assert (score["images"], score["failed"]) == (5, 0)
    assert score["pictures_per_second"] > 0
    dataset_id = done.data["dataset_id"]
    assert dataset_id == ("7_my-captions" if CURRENT else "my-captions")
    folder = workspace.folder_of(dataset_id)
    captions = captions_in(folder)
    assert sorted(captions) == sorted(photo.name for photo in photos.iterdir())
    for name in captions:
        assert (folder / name).read_bytes() == (photos / name).read_bytes()
    assert json.loads((folder / ".wd14" / "report.json").read_text())["summary"]["captioned"] == 5
    assert (workspace.job / "artifacts" / "wd14_report.json").is_file()
    log = (workspace.job / "output_7.txt").read_text()
    for words in ("Dataset: my-pics, 5 pictures", "Model: builtin/colours", "Result: my-captions"):
        assert words in log
        assert words in done.output
    assert workspace.leftovers() == []
    if CURRENT:
        assert done.data["generated_datasets"] == [dataset_id]
        assert done.data["current_metrics"]["images"] == 5
        assert done.data["current_metrics"]["failed"] == 0
        assert done.data["current_metrics"]["pictures_per_second"] > 0
    else:
        index = json.loads((folder / "index.json").read_text())
        assert index["json_data"]["generated"] is True


def test_a_dataset_that_is_there_is_left_alone(workspace: Workspace, photos: Path) -> None:
    workspace.add_pictures(photos)
    first = workspace.run(PARAMETERS)
    before = sorted((path, path.stat().st_mtime_ns) for path in workspace.folder_of(first.data["dataset_id"]).iterdir())
    second = workspace.run(PARAMETERS)
    assert second.data["completion_details"] == "captioned 5 of 5 images, 0 failed"
    after = sorted((path, path.stat().st_mtime_ns) for path in workspace.folder_of(first.data["dataset_id"]).iterdir())
    assert after == before
    folders = [path.parent for path in (workspace.job if CURRENT else workspace.root).rglob("metadata.jsonl")]
    assert len(folders) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dataset_name": ""}, "No dataset is named"),
        ({"dataset_name": "gone"}, "The workspace has no dataset 'gone' (deleted or renamed?); there are: my-pics"),
        ({"thresh": "7"}, "Tag Confidence Threshold (thresh) is '7'; allowed: a number from 0 to 1"),
        ({"custom_model": "no/such/folder/at/all"}, "no/such/folder/at/all"),
    ],
)
def test_a_failure_shows_its_reason(workspace: Workspace, photos: Path, change: dict[str, str], reason: str) -> None:
    workspace.add_pictures(photos)
    done = workspace.run({**PARAMETERS, **change}, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.data["completion_status"] == "failed"
    assert reason in done.data["completion_details"]
    assert reason in done.output
    assert done.record["status"] == ("FAILED" if CURRENT else "COMPLETE")
    assert "dataset_id" not in done.data
    assert workspace.leftovers() == []


def test_sigterm_is_a_stop(workspace: Workspace) -> None:
    folder = workspace.root / "datasets" / "my-pics"
    folder.mkdir(parents=True)
    for index in range(400):
        Image.new("RGB", (32, 32), (index % 256, index // 256, 9)).save(folder / f"{index}.png")
    process = workspace.start(PARAMETERS)
    time.sleep(0.1)
    log = workspace.job / "output_7.txt"
    deadline = time.monotonic() + 60
    while not log.exists() or "Model: " not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    done = workspace.end(process)
    assert time.monotonic() - asked < 3  # then the host sends SIGKILL
    assert done.returncode == 0  # anything else is a crash to the host
    assert done.record["status"] == "STOPPED"
    assert done.data["completion_details"].startswith("Stopped after ")
    assert "dataset_id" not in done.data
    assert workspace.leftovers() == []


def test_a_folder_or_a_version_can_be_named(workspace: Workspace, photos: Path) -> None:
    first = workspace.add_pictures(photos, "group/v1")
    (first / "coffee.png").unlink()
    workspace.add_pictures(photos, "group/v2")
    for name, number in [("group", 5), ("group/v1", 4), (str(photos), 5)]:
        done = workspace.run({**PARAMETERS, "dataset_name": name})
        assert done.data["completion_details"] == f"captioned {number} of {number} images, 0 failed"


def test_a_workspace_in_a_bucket(tmp_path: Path, photos: Path) -> None:
    workspace = Workspace(tmp_path / "home", in_bucket=True)
    workspace.add_pictures(photos)
    done = workspace.run({**PARAMETERS, "output_dataset_name": "captions"})
    assert done.returncode == 0, done.output + done.errors
    assert done.data["completion_details"] == "captioned 5 of 5 images, 0 failed"
    folder = workspace.folder_of(done.data["dataset_id"])
    captions = captions_in(folder)
    assert sorted(captions) == sorted(photo.name for photo in photos.iterdir())
    for name in captions:
        assert (folder / name).read_bytes() == (photos / name).read_bytes()
    assert (folder / ".wd14" / "provenance.json").is_file()
    assert workspace.leftovers() == []


def test_a_bucket_that_refuses_the_pictures_keeps_no_half_dataset(tmp_path: Path, photos: Path) -> None:
    workspace = Workspace(tmp_path / "home", in_bucket=True)
    workspace.add_pictures(photos)
    done = workspace.run({**PARAMETERS, "output_dataset_name": "captions"}, BUCKET_REFUSES="rocket.jpg")
    assert done.returncode == 1
    assert "the workspace did not take the dataset" in done.data["completion_details"]
    assert "Access Denied" in done.data["completion_details"]
    assert not any(workspace.folder_of("captions").glob("*.png"))
    assert not any((workspace.job / "datasets").glob("*/*.png"))
    assert workspace.leftovers() == []

"""Whole jobs as uploaded tasks of the current host, with the real `lab` SDK in a workspace of their own."""

from __future__ import annotations

import csv
import json
import os
import secrets
import shlex
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
import yaml  # type: ignore[import-untyped,unused-ignore]
from PIL import Image

from tests.support.s3_server import Bucket

sdk = find_spec("lab")  # looked for and not imported: an import makes folders in the user's home
if sdk is None or sdk.origin is None:
    pytest.skip("the SDK `transformerlab` is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
VERSION = tuple(int(part) for part in version("transformerlab").split(".")[:3])
#: From 0.0.53 on a job has its own datasets, and the SDK's inner functions are coroutines.
CURRENT = VERSION >= (0, 0, 53)
HAS_REMOTE_TRAP = Path(sdk.origin).with_name("remote_trap.py").is_file()
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
    """A workspace of the host, with a job waiting in it.

    Args:
        home: the host's home folder.
        task: the uploaded task, where jobs start.
        bucket: where the workspace is, if not on the disk; `root` has a copy of it.
    """

    def __init__(self, home: Path, task: Path, bucket: Bucket | None = None) -> None:
        self.home = home
        self.task = task
        self.bucket = bucket
        self.root = home / "workspace"
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

    def start(self, parameters: Mapping[str, Any], *, run: str = "{run}", **env: str) -> subprocess.Popen[str]:
        """Starts the task's own command as the host does; `run` is what a provider puts around it."""
        self.job.mkdir(parents=True, exist_ok=True)
        record = {"id": "7", "experiment_id": "alpha", "status": "LAUNCHING", "type": "REMOTE", "progress": 0}
        record["job_data"] = {"parameters": dict(parameters)}
        (self.job / "index.json").write_text(json.dumps(record))
        known = {"_TFL_JOB_ID": "7", "_TFL_EXPERIMENT_ID": "alpha", "TFL_HOME_DIR": str(self.home)}
        known["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if self.bucket is not None:
            self.bucket.fill(self.root)
            (self.home / "tmp").mkdir(exist_ok=True)
            known |= {**self.bucket.env, "TMPDIR": str(self.home / "tmp")}
        own = yaml.safe_load((self.task / "task.yaml").read_text("utf-8"))["run"]
        return subprocess.Popen(
            ["/bin/sh", "-c", run.format(run=own, quoted=shlex.quote(f"{own}; echo hook ran"))],
            env={**os.environ, **known, **env},
            cwd=self.task,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        output, errors = process.communicate(timeout=120)
        if self.bucket is not None:
            self.bucket.copy_to(self.root)
        return Ended(process.returncode, output, errors, json.loads((self.job / "index.json").read_text()))

    def run(self, parameters: Mapping[str, Any], **env: str) -> Ended:
        return self.end(self.start(parameters, **env))

    def folder_of(self, dataset_id: str) -> Path:
        return self.job / "datasets" / dataset_id if CURRENT else self.root / "datasets" / dataset_id

    def leftovers(self) -> list[str]:
        """What the job left of its own on the machine."""
        return [str(path) for path in self.home.rglob(".wd14-*")]


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploaded")
    subprocess.run([str(ROOT / "scripts" / "task"), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, task: Path) -> Workspace:
    return Workspace(tmp_path / "home", task)


@pytest.fixture
def workspace_in_a_bucket(tmp_path: Path, task: Path, s3_port: str) -> Workspace:
    (tmp_path / "home").mkdir()
    return Workspace(tmp_path / "home", task, Bucket(tmp_path, s3_port, f"workspace-{secrets.token_hex(4)}"))


def captions_in(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in (folder / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert all(set(row) == {"file_name", "caption"} for row in rows)
    return {row["file_name"]: row["caption"] for row in rows}


def check_dataset(folder: Path, photos: Path) -> None:
    """The dataset has all pictures, byte for byte, and opens with exactly the two columns."""
    from datasets import load_dataset

    captions = captions_in(folder)
    assert sorted(captions) == sorted(photo.name for photo in photos.iterdir())
    for name in captions:
        assert (folder / "train" / name).read_bytes() == (photos / name).read_bytes()
    assert (folder / ".wd14" / "provenance.json").is_file()
    opened = load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(photos.parent / "hf"))
    assert {name: split.column_names for name, split in opened.items()} == {"train": ["image", "caption"]}
    # As the trainers of the host's gallery do it.
    opened = load_dataset(str(folder), split="train", cache_dir=str(photos.parent / "hf"))
    assert sorted(opened["caption"]) == sorted(captions.values())


def test_a_job_runs_from_its_parameters_to_a_listed_dataset(workspace: Workspace, photos: Path) -> None:
    workspace.add_pictures(photos)
    done = workspace.run({**PARAMETERS, "output_dataset_name": "My Captions"})
    assert done.returncode == 0, done.output + done.errors
    assert done.record["status"] == "COMPLETE"
    assert done.record["progress"] == 100
    assert done.data["completion_status"] == "success"
    assert done.data["completion_details"] == "captioned 5 of 5 pictures"
    score = done.data["score"]
    assert (score["captioned"], score["failed"]) == (5, 0)
    assert score["pictures_per_second"] > 0
    dataset_id = done.data["dataset_id"]
    assert dataset_id == ("7_my-captions" if CURRENT else "my-captions")
    folder = workspace.folder_of(dataset_id)
    check_dataset(folder, photos)
    assert json.loads((folder / ".wd14" / "report.json").read_text())["summary"]["captioned"] == 5
    log = (workspace.job / "output_7.txt").read_text()
    result = f"Result: the dataset {dataset_id}, listed with this job."
    for words in ("Dataset: my-pics, 5 pictures", "Model: builtin/colours", result, f"dataset = {folder}"):
        assert words in log
        assert words in done.output
    assert workspace.leftovers() == []
    if CURRENT:
        assert done.data["generated_datasets"] == [dataset_id]
        assert done.data["current_metrics"]["pictures"] == 5
        assert done.data["current_metrics"]["failed"] == 0
        assert done.data["current_metrics"]["pictures_per_second"] > 0
    else:
        index = json.loads((folder / "index.json").read_text())
        assert index["json_data"]["generated"] is True


def test_the_page_has_a_contact_sheet_the_captions_and_the_report(workspace: Workspace, photos: Path) -> None:
    workspace.add_pictures(photos)
    done = workspace.run(PARAMETERS)
    artifacts = workspace.job / "artifacts"
    assert json.loads((artifacts / "wd14_report.json").read_text())["summary"]["captioned"] == 5
    with Image.open(artifacts / "contact_sheet.png") as sheet:
        assert (sheet.format, sheet.width > 1000) == ("PNG", True)
    assert (artifacts / "review.html").read_text("utf-8").count('"inline":["') == 1
    assert "Review page: the artifact review.html" in done.output
    (table,) = done.data["eval_results"]  # the host's list of tables
    rows = list(csv.reader(Path(table).read_text("utf-8").splitlines()))
    assert rows[0] == ["picture", "caption"]
    captions = captions_in(workspace.folder_of(done.data["dataset_id"]))
    assert dict(rows[1:]) == {f"train/{name}": caption for name, caption in captions.items()}


def test_a_dataset_that_is_there_is_left_alone(workspace: Workspace, photos: Path) -> None:
    workspace.add_pictures(photos)
    first = workspace.run(PARAMETERS)
    folder = workspace.folder_of(first.data["dataset_id"])
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    second = workspace.run(PARAMETERS)
    assert second.data["completion_details"] == "captioned 5 of 5 pictures"
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    check_dataset(workspace.folder_of(second.data["dataset_id"]), photos)
    assert second.data["dataset_id"] != first.data["dataset_id"]


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
    assert reason in done.data["error_msg"]  # what the list of jobs shows
    assert reason in done.output
    assert done.record["status"] == ("FAILED" if CURRENT else "COMPLETE")
    assert "dataset_id" not in done.data
    assert workspace.leftovers() == []


PROVIDERS = {
    # A hook of the provider runs whatever became of the task.
    "shell": "{run}; echo hook ran",
    # How the current host starts a task: it reports to the host how the command ended.
    "remote trap": "exec python -m lab.remote_trap -- {quoted}",
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_stop_ends_a_job_as_stopped(workspace: Workspace, provider: str) -> None:
    """The host sends SIGTERM to the shell and to Python, twice, and SIGKILL three seconds later."""
    if provider == "remote trap" and not HAS_REMOTE_TRAP:
        pytest.skip("this SDK has no tfl-remote-trap")
    folder = workspace.root / "datasets" / "my-pics"
    folder.mkdir(parents=True)
    for index in range(400):
        Image.new("RGB", (32, 32), (index % 256, index // 256, 9)).save(folder / f"{index}.png")
    process = workspace.start(PARAMETERS, run=PROVIDERS[provider])
    log = workspace.job / "output_7.txt"
    deadline = time.monotonic() + 60
    while not log.exists() or "Model: " not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    asked = time.monotonic()
    # The remote trap hands on to its group what it gets; to itself the host sends one.
    for each in [process.pid] if provider == "remote trap" else [process.pid, process.pid]:
        os.killpg(each, signal.SIGTERM)
        time.sleep(0.2)
    done = workspace.end(process)
    assert time.monotonic() - asked < 3
    assert done.returncode == 0, done.output + done.errors  # anything else is a crash to the host
    assert "hook ran" in done.output
    assert done.record["status"] == "STOPPED"
    assert done.data["completion_details"].startswith("Stopped ")
    assert "dataset_id" not in done.data
    assert workspace.leftovers() == []
    if provider == "remote trap":
        assert done.data["live_status"] == "Remote command finished"


#: Kills the job when its first picture gets its name.
KILLED = """
import os, signal, sys
def hook(event, arguments):
    if event == "os.rename" and ".wd14-partial" in repr(arguments):
        os.killpg(0, signal.SIGKILL)
sys.addaudithook(hook)
"""


def test_what_a_killed_job_left_is_removed_by_the_next(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    workspace.add_pictures(photos)
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    process = workspace.start(PARAMETERS, PYTHONPATH=str(tmp_path))
    assert process.wait(60) != 0
    assert workspace.leftovers() != []
    process.communicate()
    assert workspace.run(PARAMETERS).record["status"] == "COMPLETE"
    assert workspace.leftovers() == []


#: Sends SIGTERM while the SDK is imported, which takes long.
EARLY_STOP = """
import os, signal, sys
class Early:
    def find_spec(self, name, path=None, target=None):
        if name == "lab":
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Early())
"""


def test_a_stop_while_the_job_starts_is_a_stop(workspace: Workspace, photos: Path, tmp_path: Path) -> None:
    workspace.add_pictures(photos)
    (tmp_path / "sitecustomize.py").write_text(EARLY_STOP)
    done = workspace.run(PARAMETERS, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.output + done.errors
    assert done.record["status"] == "STOPPED"


def test_of_a_group_the_newest_version_is_read_and_the_result_is_named_after_it(
    workspace: Workspace, photos: Path
) -> None:
    first = workspace.add_pictures(photos, "group/v1")
    (first / "coffee.png").unlink()
    workspace.add_pictures(photos, "group/v2")
    (workspace.root / "datasets" / "group" / "index.json").write_text('{"dataset_id": "group", "location": "local"}')
    for name, number in [("group", 5), ("group/v1", 4), (str(photos), 5)]:
        done = workspace.run({**PARAMETERS, "dataset_name": name})
        assert done.data["completion_details"] == f"captioned {number} of {number} pictures"
        if name != str(photos):
            assert "group_captions" in done.data["dataset_id"]


def test_a_workspace_in_a_bucket(workspace_in_a_bucket: Workspace, photos: Path) -> None:
    workspace = workspace_in_a_bucket
    workspace.add_pictures(photos, "group/v1")
    done = workspace.run({**PARAMETERS, "dataset_name": "group"})
    assert done.returncode == 0, done.output + done.errors
    assert done.record["status"] == "COMPLETE"
    assert done.data["completion_details"] == "captioned 5 of 5 pictures"
    assert done.data["dataset_id"] == ("7_group_captions" if CURRENT else "group_captions")
    check_dataset(workspace.folder_of(done.data["dataset_id"]), photos)
    if CURRENT:
        assert (workspace.job / "artifacts" / "contact_sheet.png").is_file()
    else:  # the old SDK looks for the file in the bucket
        assert "The contact sheet could not be saved as an artifact" in done.output
    assert workspace.leftovers() == []


def test_a_bucket_that_refuses_the_pictures_keeps_no_half_dataset(
    workspace_in_a_bucket: Workspace, photos: Path
) -> None:
    workspace = workspace_in_a_bucket
    workspace.add_pictures(photos)
    assert workspace.bucket is not None
    process = workspace.start({**PARAMETERS, "output_dataset_name": "captions"})
    workspace.bucket.refuse("train/rocket.jpg")
    done = workspace.end(process)
    assert done.returncode == 1
    assert "the workspace did not take the dataset" in done.data["completion_details"]
    assert "Forbidden" in done.data["completion_details"]
    assert not any(path for path in workspace.root.rglob("*.png") if "captions" in str(path.parent))
    assert workspace.leftovers() == []

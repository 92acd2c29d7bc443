"""The classic host around a plugin: a workspace, a queue of one, the Executions tab and the list of datasets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug.utils import secure_filename

from tests.support import classic_sdk

ROOT = Path(__file__).parents[2]
#: What a plugin folder holds.
FILES = ("main.py", "index.json", "setup.sh", "info.md")


@dataclass
class Execution:
    """A job, as the Executions tab and View Output show it."""

    status: str
    progress: int
    data: Mapping[str, Any]
    output: str
    returncode: int

    @property
    def shown(self) -> str:
        """The line beside the job."""
        if self.status == "STOPPED":
            return "Stopped"
        if self.data.get("completion_status") == "success":
            return f"Success: {self.data['completion_details']}"
        if self.data.get("completion_status"):
            return f"Failure: {self.data['completion_details']}"
        return "No job completion status. Task may have failed."


def opened_document(workspace: Path, line: str) -> str:
    """What the host answers when the link in a line of View Output is clicked."""
    link = re.search("\x1b]8;;([^\x1b]+)\x1b\\\\.+\x1b]8;;\x1b\\\\", line)
    assert link is not None, line
    parts = urlsplit(link[1])
    assert (parts.scheme, parts.netloc) == ("http", "localhost:8338")
    path = re.fullmatch("/experiment/([^/]+)/documents/open/([^/]+)", parts.path)
    assert path is not None, parts.path
    experiment, name = map(secure_filename, path.groups())
    folder = secure_filename(parse_qs(parts.query)["folder"][0])
    return (workspace / "experiments" / experiment / "documents" / folder / name).read_text("utf-8")


class RunningJob:
    """A job whose process runs."""

    def __init__(self, record: Path, process: subprocess.Popen[bytes], output: Path) -> None:
        self.record = record
        self.process = process
        self.output = output

    def stop(self) -> None:
        """Presses Stop, which sets a flag and nothing else."""
        record = json.loads(self.record.read_text("utf-8"))
        record["job_data"]["stop"] = True
        self.record.write_text(json.dumps(record), "utf-8")

    def wait_for(self, words: str, timeout: float = 60) -> None:
        """Waits until the output has some words."""
        deadline = time.monotonic() + timeout
        while words not in self.output.read_text("utf-8"):
            assert self.process.poll() is None, self.output.read_text("utf-8")
            assert time.monotonic() < deadline, self.output.read_text("utf-8")
            time.sleep(0.05)

    def wait_for_progress(self, timeout: float = 60) -> None:
        """Waits until the bar has moved."""
        deadline = time.monotonic() + timeout
        while not self._progress():
            assert self.process.poll() is None, self.output.read_text("utf-8")
            assert time.monotonic() < deadline, self.output.read_text("utf-8")
            time.sleep(0.05)

    def _progress(self) -> float:
        with contextlib.suppress(ValueError):  # while it is written
            return float(json.loads(self.record.read_text("utf-8"))["progress"])
        return 0

    def wait(self, timeout: float = 120) -> Execution:
        """Waits for the end, and does what the host does then."""
        returncode = self.process.wait(timeout)
        record = json.loads(self.record.read_text("utf-8"))
        if record["job_data"].get("stop"):
            record["status"] = "STOPPED"
        elif record["status"] != "FAILED":
            record["status"] = "COMPLETE"
        return Execution(
            record["status"], record["progress"], record["job_data"], self.output.read_text("utf-8"), returncode
        )


class ClassicHost:
    """A host with our plugin installed in it.

    Args:
        home: an empty folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workspace = home / "workspace"
        self.datasets = self.workspace / "datasets"
        self.plugin = self.workspace / "plugins" / "wd14_captioner"
        self.source_code = home / "src"
        experiment = self.workspace / "experiments" / "alpha"
        for folder in (self.datasets, self.workspace / "temp", experiment, self.plugin, self.source_code):
            folder.mkdir(parents=True)
        for name in FILES:
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, self.plugin)
        shutil.copytree(ROOT / "wd14", self.plugin / "wd14", ignore=shutil.ignore_patterns("__pycache__"))
        self._jobs = 0

    def register(self, folder: Path, **index: Any) -> None:
        """Writes what the host writes beside an upload."""
        entry = {"dataset_id": folder.name, "location": "local", "description": "", "size": -1, "json_data": {}}
        (folder / "index.json").write_text(json.dumps({**entry, **index}), "utf-8")

    def queue(
        self,
        config: Mapping[str, Any],
        env: Mapping[str, str] | None = None,
        stdout: Path | None = None,
        **extra: Any,
    ) -> RunningJob:
        """Starts a job with a task's parameters; `extra` are further words of the command line.

        `stdout` is where its output goes, instead of the file that the page shows.
        """
        self._jobs += 1
        job_id = str(self._jobs)
        record = self.workspace / "jobs" / job_id / "index.json"
        record.parent.mkdir(parents=True)
        job = {"id": job_id, "experiment_id": "alpha", "status": "RUNNING", "type": "GENERATE", "progress": 0}
        record.write_text(json.dumps({**job, "job_data": {"config": dict(config)}}), "utf-8")
        input_file = self.workspace / "temp" / "plugin_input_wd14_captioner.json"
        input_file.write_text(json.dumps({"experiment": {"name": "alpha"}, "config": dict(config)}), "utf-8")
        words = {"plugin_dir": self.plugin, **config, "experiment_name": "alpha", "generation_name": "g"}
        words |= {"input_file": input_file, "model_name": "", "model_adapter": "", "job_id": job_id, **extra}
        command = [sys.executable, str(classic_sdk.__file__)]
        for key, value in words.items():
            command += [f"--{key}", str(value)]
        output = record.parent / f"output_{job_id}.txt"
        output.touch()
        with (stdout or output).open("wb") as file:
            process = subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.DEVNULL,  # the host reads it and throws it away
                cwd=self.source_code,
                env={**os.environ, "TFL_HOME_DIR": str(self.home), **(env or {})},
            )
        return RunningJob(record, process, output)

    def run(self, config: Mapping[str, Any], **more: Any) -> Execution:
        """Runs a job to its end."""
        return self.queue(config, **more).wait()

    def generated(self) -> list[str]:
        """Ids under Generated Datasets."""
        found = []
        for folder in sorted(self.datasets.iterdir()):
            index = json.loads((folder / "index.json").read_text("utf-8")) if folder.is_dir() else {}
            if index.get("json_data", {}).get("generated"):
                found.append(index["dataset_id"])
        return found

    def captions(self, dataset_id: str) -> dict[str, str]:
        """Captions of a dataset by picture, as the host's preview reads them."""
        folder = self.datasets / dataset_id / "train"
        rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
        assert all((folder / row["file_name"]).is_file() for row in rows)
        return {row["file_name"]: row["caption"] for row in rows}

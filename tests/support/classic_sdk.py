"""A stand-in for the classic host's harness and in-process SDK, as far as a plugin sees them.

It does what was observed on the running host and no more: parameters are strings and come through a parser that takes
abbreviations; the job's record is one JSON file that is read, changed and written back with no lock, and an unreadable
one counts as empty; Stop is a flag in it. What the SDK has and a plugin had better not use raises an error.

Run as a program it is the harness: `python classic_sdk.py --plugin_dir P --key value …`, with `TFL_HOME_DIR` set.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


class Params(dict[str, Any]):
    """The parameters, as attributes too; a missing one reads as None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


class Job:
    """A job's record."""

    def __init__(self, workspace: Path, job_id: str) -> None:
        self.path = workspace / "jobs" / job_id / "index.json"
        self.writes = 0

    def get_json_data(self) -> dict[str, Any]:
        try:
            record = json.loads(self.path.read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        assert isinstance(record, dict)
        return record

    def _set_json_data(self, record: dict[str, Any]) -> None:
        self.writes += 1
        self.path.write_text(json.dumps(record), "utf-8")

    def _update(self, key: str, value: Any) -> None:
        self._set_json_data({**self.get_json_data(), key: value})

    def get_job_data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.get_json_data().get("job_data", {})
        return data

    def update_job_data_field(self, key: str, value: Any) -> None:
        record = self.get_json_data()
        record.setdefault("job_data", {})[key] = value
        self._set_json_data(record)

    def set_job_data(self, data: dict[str, Any]) -> None:
        self._update("job_data", data)

    def update_progress(self, progress: int) -> None:
        self._update("progress", progress)

    def update_status(self, status: str) -> None:
        self._update("status", status)

    def set_type(self, kind: str) -> None:
        self._update("type", kind)

    def set_experiment(self, experiment: str) -> None:
        self._update("experiment_id", experiment)


class StandIn:
    """`tlab_gen`."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._parser = argparse.ArgumentParser()
        for name in ("job_id", "dataset_name", "model_name", "model_adapter"):
            self._parser.add_argument(f"--{name}")
        self._parser.add_argument("--run_name", default="generated")
        self._parser.add_argument("--experiment_name", default="default")
        self._parser.add_argument("--generation_model", default="local")
        self._parser.add_argument("--generation_type", default="local")
        self.params = Params()
        self._job: Job | None = None

    @property
    def job(self) -> Job:
        if self._job is None:
            self._parse()
            self._job = Job(self._workspace, self.params["job_id"])
        return self._job

    def _parse(self) -> None:
        known, unknown = self._parser.parse_known_args()  # ends the process where an abbreviation is ambiguous
        self.params.update(vars(known))
        key = None
        for word in unknown:
            if word.startswith("--"):
                key = word.lstrip("-")
                self.params[key] = True
            elif key:
                self.params[key], key = word, None

    def add_job_data(self, key: str, value: Any) -> None:
        self.job.update_job_data_field(key, value)

    def progress_update(self, *_: Any) -> None:
        """Would call a finished job stopped, and raise KeyboardInterrupt when it meets the stop flag."""
        raise AssertionError("the SDK's progress_update ends the job in its own way")

    def load_dataset(self, *_: Any, **__: Any) -> Any:
        """Would give the metadata's columns and no picture."""
        raise AssertionError("the SDK's load_dataset does not know pictures")

    def save_generated_dataset(self, *_: Any, **__: Any) -> Any:
        """Would overwrite a dataset of the same name, and call a failed upload a success."""
        raise AssertionError("the SDK's save_generated_dataset overwrites datasets")


class Workspace:
    """A workspace on the disk with one running job in it."""

    def __init__(self, home: Path) -> None:
        self.path = home / "workspace"
        for name in ("jobs/1", "datasets/pics", "temp"):
            (self.path / name).mkdir(parents=True)
        (self.path / "datasets" / "pics" / "a.png").write_bytes(b"")
        self.record_file = self.path / "jobs" / "1" / "index.json"
        self.first_record = {
            "id": "1",
            "experiment_id": "alpha",
            "status": "RUNNING",
            "type": "GENERATE",
            "progress": 0,
            "job_data": {"config": {"a": 1}},
        }
        self.record_file.write_text(json.dumps(self.first_record))

    @property
    def record(self) -> dict[str, Any]:
        """The job's record."""
        record: dict[str, Any] = json.loads(self.record_file.read_text())
        return record

    @property
    def data(self) -> dict[str, Any]:
        """The job's data."""
        data: dict[str, Any] = self.record["job_data"]
        return data

    def press_stop(self) -> None:
        """Sets the stop flag."""
        record = self.record
        record["job_data"]["stop"] = True
        self.record_file.write_text(json.dumps(record))


def command_line(config: Mapping[str, Any], input_file: Path | None = None) -> list[str]:
    """The arguments that the harness gives a plugin."""
    words = {"plugin_dir": "/p", **config, "experiment_name": "alpha", "job_id": "1"}
    if input_file is not None:
        words["input_file"] = input_file
    return [part for key, value in words.items() for part in (f"--{key}", str(value))]


def workspace_dir() -> str:
    """The workspace, as the SDK finds it; it also says where its home is, on stdout."""
    home = os.environ["TFL_HOME_DIR"]
    sys.stdout.write(f"Home directory is set to: {home}\n")
    return str(Path(home) / "workspace")


MODULES = (
    "transformerlab",
    "transformerlab.sdk",
    "transformerlab.sdk.v1",
    "transformerlab.sdk.v1.generate",
    "lab",
    "lab.dirs",
)


def install(sdk: StandIn | None = None) -> None:
    """Makes the SDK importable under the names that it has in the host."""
    for name in MODULES:
        sys.modules[name] = ModuleType(name)
    generate, dirs = sys.modules["transformerlab.sdk.v1.generate"], sys.modules["lab.dirs"]
    generate.tlab_gen = sdk or StandIn(Path(os.environ["TFL_HOME_DIR"]) / "workspace")  # type: ignore[attr-defined]
    dirs.get_workspace_dir = workspace_dir  # type: ignore[attr-defined]


def harness() -> None:
    """Imports the plugin's `main` with its folder last on the path, then calls `main.main()` if there is one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugin_dir", required=True)
    known, _ = parser.parse_known_args()
    sys.path.append(known.plugin_dir)
    install()
    try:
        plugin = importlib.import_module("main")
    except ImportError as error:
        sys.stdout.write(f"Error executing plugin: {error}\n")
        raise SystemExit(1) from error
    if callable(getattr(plugin, "main", None)):
        plugin.main()


if __name__ == "__main__":
    harness()

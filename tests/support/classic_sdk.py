"""A stand-in for the classic host's harness and in-process SDK, as far as a plugin sees them.

It does what was observed on the running host and no more: parameters are strings and come through a parser that takes
abbreviations; the job's record is one JSON file that is read, changed and written back with no lock, and an unreadable
one counts as empty; Stop is a flag in it that only `progress_update` sees; uploads fail silently.

Run as a program it is the harness: `python classic_sdk.py --plugin_dir P --key value …`, with `TFL_HOME_DIR` set.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
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

    def progress_update(self, progress: int) -> None:
        self.job.get_job_data()
        self.job.update_progress(progress)
        if self.job.get_job_data().get("stop"):
            self.job.update_status("STOPPED")
            raise KeyboardInterrupt("Job stopped by user")

    def load_dataset(self, *_: Any, **__: Any) -> Any:
        """Gives the metadata's columns and no picture: of no use here."""
        raise AssertionError("the SDK's load_dataset does not know pictures")

    def save_generated_dataset(self, *_: Any, **__: Any) -> Any:
        """Would overwrite a dataset of the same name, and call a failed upload a success."""
        raise AssertionError("the SDK's save_generated_dataset overwrites datasets")


def workspace_dir() -> str:
    """The workspace, as the SDK finds it; it also says where its home is, on stdout."""
    home = os.environ["TFL_HOME_DIR"]
    sys.stdout.write(f"Home directory is set to: {home}\n")
    return str(Path(home) / "workspace")


def install(sdk: StandIn | None = None) -> None:
    """Makes the SDK importable under the names that it has in the host."""
    for name in ("transformerlab", "transformerlab.sdk", "transformerlab.sdk.v1", "lab"):
        sys.modules[name] = ModuleType(name)
    generate, dirs = ModuleType("transformerlab.sdk.v1.generate"), ModuleType("lab.dirs")
    generate.tlab_gen = sdk or StandIn(Path(os.environ["TFL_HOME_DIR"]) / "workspace")  # type: ignore[attr-defined]
    dirs.get_workspace_dir = workspace_dir  # type: ignore[attr-defined]
    sys.modules["transformerlab.sdk.v1.generate"], sys.modules["lab.dirs"] = generate, dirs


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

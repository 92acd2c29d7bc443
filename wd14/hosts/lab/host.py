"""The current Transformer Lab: a task whose script speaks to the host through the `lab` SDK."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, JobStoppedError, OutputError, SourceNotFoundError
from wd14.hosts.base import Host
from wd14.hosts.lab.storage import Storage, now
from wd14.hosts.local import LINE_EVERY, progress_line
from wd14.hosts.transformer_lab import (
    DATASET_KEYS,
    NOT_ON_A_HOST,
    output_name,
    reason,
    result_words,
    run_and_report,
    say,
    slug,
    stop_words,
)
from wd14.stop import StopToken, stopped_by_signals
from wd14.types import Destination, Progress, Summary

T = TypeVar("T")

#: Seconds between two reports of progress, on a disk and in a bucket (where each one is several requests).
_REPORT_EVERY = 1.0
_REPORT_EVERY_REMOTE = 4.0

#: How often the end of a job is told, and how long (seconds) between, where the storage does not answer.
_TRIES = 3
_TRY_PAUSE = 2.0

#: Where in the work folder the finished dataset appears.
_DONE = "done"


def serve(run_job: Callable[[Host], Summary]) -> None:
    """Runs the job of the task that this process is.

    A stop ends with success, as far as the process goes: the host takes any other exit for a crash.

    Raises:
        SystemExit: the job failed; the host has its reason.
    """
    from lab import lab  # type: ignore[import-not-found,import-untyped,unused-ignore]

    stop = StopToken()
    with stopped_by_signals(stop), contextlib.ExitStack() as stack:
        host = LabHost(lab, stop)
        stack.callback(host.close)
        run_and_report(host, run_job)


class LabHost:
    """The host as the pipeline sees it.

    Args:
        lab: the SDK's facade `lab.lab`.
        stop: the token that stops the job; None = one of its own.
    """

    def __init__(self, lab: Any, stop: StopToken | None = None) -> None:
        from lab import dirs, storage  # type: ignore[import-not-found,import-untyped,unused-ignore]

        self._lab = lab
        self._dirs = dirs
        self._module = storage
        self._storage = Storage(storage)
        self.stop = stop or StopToken()
        self._values: Mapping[str, Any] = {}
        self._cache = True
        self._last: Progress | None = None
        self._next_report = 0.0
        self._next_line = time.monotonic() + LINE_EVERY
        self._folder: Path | None = None
        self._remote = False
        self._begun = False
        self._complained = False
        #: Whether the host has been told how the job ended.
        self.end_reported = False

    def begin(self) -> None:
        """Takes the host's job, or makes one where no host started us."""
        experiment = os.environ.get("_TFL_EXPERIMENT_ID")
        if experiment:
            self._lab.init(experiment_id=experiment)
        else:
            self._lab.init()
        self._begun = True
        self._remote = "://" in str(now(self._dirs.get_workspace_dir()))
        self._values = self._read_config()

    def settings(self) -> Mapping[str, Any]:
        """The task's parameters."""
        return {key: value for key, value in self._values.items() if key not in NOT_ON_A_HOST}

    def source(self, config: CaptionConfig) -> str | Path:
        """The dataset: of the workspace, a path on this machine, or a hub id. One in a bucket is fetched first.

        Raises:
            SourceNotFoundError: none was given, or there is none of that name.
        """
        self._cache = config.cache
        name = self._dataset()
        place = self._find(name)
        if place is not None:
            return self._local(name, place)
        path = Path(name).expanduser()
        if path.exists():
            return path
        if name.count("/") == 1 and not name.startswith((".", "/", "~")):
            return name
        known = [each for each in self._storage.names(self._datasets()) if not each.startswith(".")]
        there = f"there are: {', '.join(known[:20])}" if known else "there are none"
        raise SourceNotFoundError(
            f"The workspace has no dataset {name!r}; {there}. A folder's path, or a hub id owner/name, works too."
        )

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """A folder on this machine; `finish` brings it into the workspace.

        Raises:
            ConfigError: the name that the user gave is none.
        """
        folder = self._work_folder()
        return Destination(parent=folder / _DONE, name=output_name(config, source_name), staging=folder)

    def log(self, line: str) -> None:
        """Says a line in the job's output. The folder that the job works in is nobody's business: it goes away."""
        if self._folder is not None:
            line = line.replace(f"{self._folder / _DONE}{os.sep}", "")
        self._try(lambda: self._lab.log(line))
        if inspect.iscoroutinefunction(type(self._job).log_info):
            say(line)  # since 0.0.53 the SDK writes a line to its own file only, and the host shows stdout as well

    def progress(self, progress: Progress) -> None:
        """Shows the job's progress with its metrics, and looks whether the job is to stop."""
        self._last = progress
        time_now = time.monotonic()
        if time_now >= self._next_line:
            self._next_line = time_now + LINE_EVERY
            self.log(progress_line(progress))
        if time_now < self._next_report:
            return
        percent = int(99 * (progress.fraction or 0.0))
        self._try(lambda: self._report(percent, progress.done, progress.failed, progress.images_per_second))
        self._next_report = time.monotonic() + (_REPORT_EVERY_REMOTE if self._remote else _REPORT_EVERY)
        data = self._try(lambda: now(self._job.get_job_data()))
        if isinstance(data, Mapping) and data.get("stop"):
            self.stop.request("stopped from the host")

    def finish(self, summary: Summary) -> None:
        """Saves the dataset with its pictures and the report, and says how it went.

        Raises:
            OutputError: the workspace did not take the dataset.
        """
        if summary.output is not None:
            folder = Path(summary.output)
            self._save_report(folder / ".wd14" / "report.json")
            self._save_dataset(folder)
        rate = summary.total / summary.seconds if summary.seconds else 0.0
        self._try(lambda: self._report(99, summary.total, summary.failed, rate))
        score = {
            "images": summary.succeeded,
            "failed": summary.failed,
            "from_scores": summary.from_scores,
            "images_per_second": round(rate, 3),
        }
        self._tell_end(result_words(summary), score)
        self.end_reported = True

    def fail(self, error: BaseException) -> None:
        """Tells the host the reason."""
        self.end_reported = True
        stopped = isinstance(error, JobStoppedError | KeyboardInterrupt)
        words = stop_words(self._last, cache=self._cache) if stopped else reason(error)
        say(words if stopped else f"Failed: {words}")
        if not stopped and not isinstance(error, CaptionerError):
            say("".join(traceback.format_exception(error)))
        if not self._begun:
            return
        try:
            self._lab.error(words)
            if stopped:
                now(self._job.update_status("STOPPED"))
        except Exception as problem:  # noqa: BLE001 - the job's own end must not hide why it failed
            say(f"The host could not be told ({reason(problem)}).")

    def close(self) -> None:
        """Removes what the job had on this machine."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _try(self, action: Callable[[], T]) -> T | None:
        """Does what the job can do without: a storage that does not answer for a moment must not end it."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - the SDK raises whatever its storage does
            if not self._complained:
                self._complained = True
                say(f"The host's storage did not answer ({reason(error)}); the job goes on.")
            return None

    @property
    def _job(self) -> Any:
        # Up to 0.0.45 the facade has no public `job`.
        return getattr(self._lab, "job", None) or self._lab._job

    def _read_config(self) -> Mapping[str, Any]:
        if hasattr(self._lab, "get_config"):
            config = self._lab.get_config()
            if config:
                return dict(config)
        data = now(self._job.get_job_data()) or {}
        values = dict(data)
        for key in ("config", "parameters"):
            if isinstance(data.get(key), Mapping):
                values.update(data[key])
        return values

    def _dataset(self) -> str:
        for key in DATASET_KEYS:
            name = str(self._values.get(key) or "").strip()
            if name not in {"", "None"}:
                return name
        raise SourceNotFoundError("No dataset is named: set the task's parameter dataset_name.")

    def _datasets(self) -> str:
        return str(now(self._dirs.get_datasets_dir()))

    def _find(self, name: str) -> str | None:
        """Where the workspace has a dataset: `name`, or a version of it, `name/v2`; without one the newest."""
        parts = [part for part in name.split("/") if part]
        if not parts or len(parts) > 2 or any(part in {".", ".."} for part in parts) or name.startswith("/"):
            return None
        join = self._module.join
        for way in (parts, ["_".join(parts)], [slug(name)]):
            place = str(join(self._datasets(), *way))
            if way[-1] and self._storage.is_dir(place):
                versions = [int(each[1:]) for each in self._storage.names(place) if _is_version(each)]
                if versions and "index.json" not in self._storage.names(place):
                    return str(join(place, f"v{max(versions)}"))
                return place
        return None

    def _local(self, name: str, place: str) -> str | Path:
        """The dataset as something that this machine can read."""
        try:
            index = json.loads(self._storage.read_text(self._module.join(place, "index.json")))
        except (OSError, ValueError):
            index = {}
        if isinstance(index, dict) and index.get("location") == "huggingface":
            return str(index.get("dataset_id") or name)
        if "://" not in place:
            return Path(place)
        folder = self._work_folder() / "source" / (slug(name) or "dataset")
        if not folder.exists():
            self.log(f"Fetching the dataset from {place}")
            self._storage.download(place, folder, self.stop)
        return folder

    def _work_folder(self) -> Path:
        """A folder of the job's own: on the workspace's disk, or where this machine keeps temporary files."""
        if self._folder is None:
            parent = None if self._remote else str(now(self._dirs.get_temp_dir()))
            self._folder = Path(tempfile.mkdtemp(prefix="wd14-", dir=parent))
        return self._folder

    def _report(self, percent: int, images: int, failed: int, rate: float) -> None:
        metrics = {"images": images, "images_per_second": round(rate, 3), "failed": failed}
        if "metrics" in inspect.signature(self._lab.update_progress).parameters:
            self._lab.update_progress(percent, metrics=metrics)
        else:
            self._lab.update_progress(percent)

    def _tell_end(self, words: str, score: Mapping[str, float]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._lab.finish(words, score=dict(score))
            except Exception as error:
                if left == 0:
                    raise
                say(f"The host could not be told ({reason(error)}); trying again.")
                time.sleep(_TRY_PAUSE)
            else:
                return

    def _save_report(self, report: Path) -> None:
        """The report as an artifact. It is in the dataset as well, so a failure here is only said."""
        try:
            self._lab.save_artifact(str(report), name="wd14_report.json")
        except Exception as error:  # noqa: BLE001 - the SDK raises whatever its storage does
            self.log(f"The report could not be saved as an artifact ({reason(error)}); the dataset has it as well.")

    def _save_dataset(self, folder: Path) -> None:
        """Registers the dataset and brings its files to where the SDK put it: all of them, or nothing is left."""
        import pandas as pd

        with (folder / "metadata.jsonl").open(encoding="utf-8") as file:
            frame = pd.DataFrame([json.loads(line) for line in file])
        place = None
        try:
            place = self._register(frame, folder.name).rsplit("/", 1)[0]
            self._storage.upload(folder, place, self.stop)
        except JobStoppedError:
            self._take_back(place)
            raise
        except Exception as error:
            self._take_back(place)
            raise OutputError(f"the workspace did not take the dataset: {reason(error)}") from error

    def _register(self, frame: Any, name: str) -> str:
        """The SDK's place for the dataset's metadata, under the first free name."""
        number = 1
        while True:
            try:
                wanted = name if number == 1 else f"{name}-{number}"
                return str(self._lab.save_dataset(frame, wanted, is_image=True))
            except FileExistsError:
                number += 1

    def _take_back(self, place: str | None) -> None:
        if place is None:
            return
        try:
            self._storage.remove(place)
        except Exception as error:  # noqa: BLE001 - said; the reason of the failure matters more
            say(f"The unfinished dataset {place} could not be removed ({reason(error)}).")


def _is_version(name: str) -> bool:
    return name[:1] == "v" and name[1:].isdigit()

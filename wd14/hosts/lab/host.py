"""The current Transformer Lab host: a task whose script uses the `lab` SDK."""

from __future__ import annotations

import contextlib
import inspect
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from wd14.config import CaptionConfig
from wd14.errors import HostError
from wd14.hosts.base import Host, PageWriter
from wd14.hosts.lab.artifacts import save_artifacts
from wd14.hosts.lab.datasets import WorkspaceDatasets
from wd14.hosts.lab.storage import Storage, result_of
from wd14.hosts.transformer_lab import (
    TransformerLabHost,
    failure_reason,
    output_name,
    run_and_report,
    say,
    success_message,
)
from wd14.run_folder import RunFolder, clear_leftovers, clear_noted_leftovers
from wd14.stop import stopped_by_signals
from wd14.text import printable
from wd14.types import Destination, Progress, Summary, Written

T = TypeVar("T")

#: Seconds between two reports of progress to a workspace in a bucket, where each one is several requests.
_REPORT_EVERY_REMOTE = 4.0

#: How often the end of a job is reported to a storage that does not answer, and the seconds between.
_TRIES = 3
_PAUSE = 2.0

#: From this version on the SDK saves a folder as a dataset.
_TAKES_FOLDERS = (0, 0, 80)

#: Keys of which a parameter's description in task.yaml has at least one: so does the host's own page know it.
_DESCRIPTION_KEYS = frozenset({"type", "default", "min", "max", "options", "enum"})

#: The column of captions that the trainer of the host's gallery reads, which its form does not let one change.
_TRAINERS_COLUMN = "text"


def serve(run_job: Callable[[Host], Summary], write_page: PageWriter | None = None) -> None:
    """Runs the job of the task that this process is.

    Args:
        run_job: the pipeline.
        write_page: makes the review page; None = none is shown.

    Raises:
        SystemExit: the job failed; the host has its reason.
    """
    host = LabHost(write_page)
    with stopped_by_signals(host.stop), contextlib.closing(host):
        run_and_report(host, run_job)


class LabHost(TransformerLabHost):
    """The host as the pipeline sees it.

    Args:
        write_page: makes the review page; None = none is shown.
    """

    report_every = 1.0
    no_dataset_message = "No dataset is named: set the task's parameter dataset_name."

    def __init__(self, write_page: PageWriter | None = None) -> None:
        super().__init__()
        self._write_page = write_page
        self._lab: Any = None
        self._cleanup = contextlib.ExitStack()
        self._complained = False
        self._source_name: str | None = None
        self._saved: str | None = None

    def begin(self) -> None:
        """Takes the host's job, or makes one where no host started this process.

        The SDK is imported here, which takes seconds: signals are obeyed by now.
        """
        from lab import dirs, lab, storage  # type: ignore[import-not-found,import-untyped,unused-ignore]

        self._lab = lab
        experiment = os.environ.get("_TFL_EXPERIMENT_ID")
        lab.init(**({"experiment_id": experiment} if experiment else {}))
        self._values = self._parameters()
        remote = "://" in str(result_of(dirs.get_workspace_dir()))
        if remote:
            self.report_every = _REPORT_EVERY_REMOTE
        # On the workspace's disk, so that the dataset can be moved into place.
        parent = None if remote else str(result_of(dirs.get_temp_dir()))
        self._folder = self._make_folder(Path(parent or tempfile.gettempdir()))
        self._datasets = WorkspaceDatasets(
            lab,
            Storage(storage),
            str(result_of(dirs.get_datasets_dir())),
            self.stop,
            self.log,
            takes_folders=_sdk_version() >= _TAKES_FOLDERS,
        )

    def _make_folder(self, parent: Path) -> Path:
        """A folder for the job's temporary files; what killed jobs left is removed.

        Raises:
            HostError: it cannot be made.
        """
        try:
            clear_leftovers(parent)
            clear_noted_leftovers()
            folder = RunFolder(parent, "wd14")
        except OSError as error:
            raise HostError(f"cannot write to {parent}: {error.strerror or error}") from error
        self._cleanup.callback(folder.remove)
        return folder.path

    def close(self) -> None:
        """Removes the job's temporary files."""
        self._cleanup.close()

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """A temporary folder, from which `finish` brings the dataset into the workspace.

        Raises:
            ConfigError: the user's name cannot be a dataset's name.
        """
        name = output_name(config, self._source_name or source_name)
        return Destination(self._folder / "done", name, staging=self._folder)

    def log(self, line: str) -> None:
        """Shows a line in the job's output, without the temporary folder's path."""
        line = line.replace(f"{self._folder / 'done'}{os.sep}", "")
        self._try(lambda: self._lab.log(line))
        if inspect.iscoroutinefunction(type(self._lab.job).log_info):
            say(line)  # since 0.0.53 `log` writes to a file only, and the host shows stdout as well

    def finish(self, summary: Summary) -> None:
        """Saves the dataset and what the page shows beside it, and says how the job went.

        Raises:
            JobStoppedError: the job is to stop.
            OutputError: the workspace did not take the dataset.
        """
        if summary.output is not None:
            folder = Path(summary.output)
            save_artifacts(self._lab, folder, summary, self.stop, self.log, self._write_page)
            self._saved = place = self._datasets.save(folder, summary.succeeded)
            for line in _closing_lines(place, summary.caption_column):
                self.log(line)
        rate = round(summary.total / summary.seconds if summary.seconds else 0.0, 3)
        self._try(lambda: self._update_progress(99, summary.total, summary.failed, rate))
        # The page shows the first as `captioned: 498`, the others when one points at it: a number of pictures says
        # what it is, a share of them ("Score: 0.996") would not.
        score = {
            "captioned": summary.succeeded,
            "failed": summary.failed,
            "rejected": summary.rejected,
            "without_tags": summary.without_tags,
            "from_scores": summary.from_scores,
            "pictures_per_second": rate,
        }
        self._report_success(success_message(summary), score)
        self.end_reported = True

    def _complete_dataset(self, written: Written) -> str | None:  # noqa: ARG002 - that one is a temporary folder
        return None if self._saved is None else _name_of(self._saved)

    def _find_source(self, name: str) -> str | Path:
        found = self._datasets.open(name, self._folder / "source")
        self._source_name = found.name
        return found.source

    def _report_progress(self, progress: Progress, *, percent: int) -> bool:
        rate = round(progress.pictures_per_second, 3)
        self._try(lambda: self._update_progress(percent, progress.done, progress.failed, rate))
        data = self._try(lambda: result_of(self._lab.job.get_job_data()))
        return isinstance(data, Mapping) and bool(data.get("stop"))

    def _update_progress(self, percent: int, pictures: int, failed: int, rate: float) -> None:
        if "metrics" in inspect.signature(self._lab.update_progress).parameters:
            metrics = {"pictures": pictures, "pictures_per_second": rate, "failed": failed}
            self._lab.update_progress(percent, metrics=metrics)
        else:
            self._lab.update_progress(percent)

    def _report_success(self, message: str, score: Mapping[str, float]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._lab.finish(message, score=dict(score))
            except Exception as error:
                if left == 0:
                    raise
                say(f"The host's storage did not answer ({failure_reason(error)}); trying again.")
                time.sleep(_PAUSE)
            else:
                return

    def _report_failure(self, message: str, *, stopped: bool) -> None:
        if self._lab is None:
            return
        try:
            if stopped:
                self._report_stop(message)
            else:
                # The list of jobs shows this, and not the message that `error` takes. First: an ended job is cached.
                result_of(self._lab.job.set_error_message(message))
                self._lab.error(message)
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises; stdout has the reason
            say(f"The host's storage did not answer ({failure_reason(error)}): it does not show how the job ended.")

    def _report_stop(self, message: str) -> None:
        """Not with the SDK's `error`, which would make the job FAILED for a moment, and have users notified of it."""
        job, now = self._lab.job, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        for key, value in {"completion_status": "failed", "completion_details": message, "end_time": now}.items():
            result_of(job.update_job_data_field(key, value))
        result_of(job.update_status("STOPPED"))

    def _parameters(self) -> Mapping[str, Any]:
        """The task's parameters; older hosts keep them under `config` or at the top of the job's data.

        A job that is started by a request to the API and not by a form has the descriptions of task.yaml as values.
        """
        data = result_of(self._lab.job.get_job_data()) or {}
        found = (data.get(key) for key in ("config", "parameters"))
        config, parameters = (each if isinstance(each, Mapping) else {} for each in found)
        values = parameters or {**data, **config}
        return {key: _default_of(value) for key, value in values.items()}

    def _try(self, action: Callable[[], T]) -> T | None:
        """Does something that the job can do without: a storage that fails for a moment must not end it."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises
            if not self._complained:
                self._complained = True
                say(f"The host's storage did not answer ({failure_reason(error)}); the job goes on.")
            return None


def _default_of(value: Any) -> Any:
    """A parameter's default, where its value is its description in task.yaml."""
    described = isinstance(value, Mapping) and not _DESCRIPTION_KEYS.isdisjoint(value)
    return value.get("default") if described else value


def _sdk_version() -> tuple[int, ...]:
    return tuple(int(part) for part in version("transformerlab").split(".")[:3] if part.isdigit())


def _name_of(place: str) -> str:
    """A dataset's name as the page has it."""
    return place.rstrip("/").rpartition("/")[2]


def _closing_lines(place: str, caption_column: str) -> list[str]:
    """The dataset as the page calls it, and what to type into the trainer of the host's gallery."""
    advice = f"For the Diffusion LoRA trainer: dataset = {place}"
    if caption_column != _TRAINERS_COLUMN:
        advice += (
            f". It reads captions from a column {_TRAINERS_COLUMN} only, and here they are in {caption_column}: run"
            f" this task again with Caption Column (caption_column) = {_TRAINERS_COLUMN}, or it trains without."
        )
    return [printable(line) for line in (f"Result: the dataset {_name_of(place)}, listed with this job.", advice)]

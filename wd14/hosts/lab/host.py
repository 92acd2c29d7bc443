"""The current Transformer Lab host: a task whose script uses the `lab` SDK."""

from __future__ import annotations

import contextlib
import inspect
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from wd14.config import CaptionConfig
from wd14.hosts.base import Host
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
from wd14.stop import stopped_by_signals
from wd14.types import Destination, Progress, Summary

T = TypeVar("T")

#: Seconds between two reports of progress to a workspace in a bucket, where each one is several requests.
_REPORT_EVERY_REMOTE = 4.0

#: How often the end of a job is reported to a storage that does not answer, and the seconds between.
_TRIES = 3
_PAUSE = 2.0


def serve(run_job: Callable[[Host], Summary]) -> None:
    """Runs the job of the task that this process is.

    Raises:
        SystemExit: the job failed; the host has its reason.
    """
    from lab import lab  # type: ignore[import-not-found,import-untyped,unused-ignore]

    host = LabHost(lab)
    with stopped_by_signals(host.stop), contextlib.closing(host):
        run_and_report(host, run_job)


class LabHost(TransformerLabHost):
    """The host as the pipeline sees it.

    Args:
        lab: the SDK's facade `lab.lab`.
    """

    report_every = 1.0
    no_dataset_message = "No dataset is named: set the task's parameter dataset_name."

    def __init__(self, lab: Any) -> None:
        super().__init__()
        self._lab = lab
        self._cleanup = contextlib.ExitStack()
        self._complained = False

    def begin(self) -> None:
        """Takes the host's job, or makes one where no host started this process."""
        from lab import dirs, storage  # type: ignore[import-not-found,import-untyped,unused-ignore]

        experiment = os.environ.get("_TFL_EXPERIMENT_ID")
        self._lab.init(**({"experiment_id": experiment} if experiment else {}))
        self._values = self._parameters()
        remote = "://" in str(result_of(dirs.get_workspace_dir()))
        if remote:
            self.report_every = _REPORT_EVERY_REMOTE
        # On the workspace's disk, so that the dataset can be moved into place.
        parent = None if remote else str(result_of(dirs.get_temp_dir()))
        temporary = tempfile.TemporaryDirectory(prefix="wd14-", dir=parent, ignore_cleanup_errors=True)
        self._folder = Path(self._cleanup.enter_context(temporary))
        self._datasets = WorkspaceDatasets(
            self._lab, Storage(storage), str(result_of(dirs.get_datasets_dir())), self.stop, self.log
        )

    def close(self) -> None:
        """Removes the job's temporary files."""
        self._cleanup.close()

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """A temporary folder, from which `finish` brings the dataset into the workspace.

        Raises:
            ConfigError: the user's name cannot be a dataset's name.
        """
        return Destination(self._folder / "done", output_name(config, source_name), staging=self._folder)

    def log(self, line: str) -> None:
        """Shows a line in the job's output, without the temporary folder's path."""
        line = line.replace(f"{self._folder / 'done'}{os.sep}", "")
        self._try(lambda: self._lab.log(line))
        if inspect.iscoroutinefunction(type(self._lab.job).log_info):
            say(line)  # since 0.0.53 `log` writes to a file only, and the host shows stdout as well

    def finish(self, summary: Summary) -> None:
        """Saves the dataset and the report, and says how the job went.

        Raises:
            OutputError: the workspace did not take the dataset.
        """
        if summary.output is not None:
            folder = Path(summary.output)
            self._save_report(folder / ".wd14" / "report.json")
            self._datasets.save(folder)
        rate = round(summary.total / summary.seconds if summary.seconds else 0.0, 3)
        self._try(lambda: self._update_progress(99, summary.total, summary.failed, rate))
        score = {
            "images": summary.succeeded,
            "failed": summary.failed,
            "from_scores": summary.from_scores,
            "pictures_per_second": rate,
        }
        self._report_success(success_message(summary), score)
        self.end_reported = True

    def _find_source(self, name: str) -> str | Path:
        return self._datasets.open(name, self._folder / "source")

    def _report_progress(self, progress: Progress, *, percent: int) -> bool:
        rate = round(progress.pictures_per_second, 3)
        self._try(lambda: self._update_progress(percent, progress.done, progress.failed, rate))
        data = self._try(lambda: result_of(self._lab.job.get_job_data()))
        return isinstance(data, Mapping) and bool(data.get("stop"))

    def _update_progress(self, percent: int, images: int, failed: int, rate: float) -> None:
        if "metrics" in inspect.signature(self._lab.update_progress).parameters:
            metrics = {"images": images, "pictures_per_second": rate, "failed": failed}
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
        try:
            self._lab.error(message)
            if stopped:
                result_of(self._lab.job.update_status("STOPPED"))
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises; stdout has the reason
            say(f"The host's storage did not answer ({failure_reason(error)}): it does not show how the job ended.")

    def _save_report(self, report: Path) -> None:
        try:
            self._lab.save_artifact(str(report), name="wd14_report.json")
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises; the dataset has the report
            self.log(f"The report could not be saved as an artifact ({failure_reason(error)}); the dataset has it too.")

    def _parameters(self) -> Mapping[str, Any]:
        """The task's parameters; older hosts keep them under `config` or at the top of the job's data."""
        data = result_of(self._lab.job.get_job_data()) or {}
        found = (data.get(key) for key in ("config", "parameters"))
        config, parameters = (each if isinstance(each, Mapping) else {} for each in found)
        return parameters or {**data, **config}

    def _try(self, action: Callable[[], T]) -> T | None:
        """Does something that the job can do without: a storage that fails for a moment must not end it."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - the SDK raises what its storage raises
            if not self._complained:
                self._complained = True
                say(f"The host's storage did not answer ({failure_reason(error)}); the job goes on.")
            return None

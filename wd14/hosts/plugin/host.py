"""The classic Transformer Lab host: a plugin started by the host's harness.

Seen on the running host: stdout is all that the user sees; Stop is a flag in the job's record; a finished folder with
an `index.json` that appears under `datasets/` is a dataset.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import HostError, JobStoppedError
from wd14.hosts.base import Host, PageWriter
from wd14.hosts.plugin.arguments import job_values, sdk_arguments
from wd14.hosts.plugin.datasets import find_dataset, registration
from wd14.hosts.plugin.documents import save_review_page
from wd14.hosts.plugin.job_record import JobRecord
from wd14.hosts.short_reason import short_reason
from wd14.hosts.transformer_lab import (
    NOT_ON_A_HOST,
    TransformerLabHost,
    failure_reason,
    output_name,
    run_and_report,
    say,
    success_message,
)
from wd14.messages import made_with
from wd14.progress import done_in_words, in_phase
from wd14.stop import stopped_by_signals
from wd14.types import Destination, Progress, Summary

#: How a line begins -> the colour that it has in View Output, which is a terminal.
_COLOURS = {"Failed: ": "\x1b[31m", "Result: ": "\x1b[1;32m"}
_PLAIN = "\x1b[0m"


def serve(run_job: Callable[[Host], Summary], write_page: PageWriter | None = None) -> None:
    """Runs the job that the harness started this process for.

    Args:
        run_job: the pipeline.
        write_page: makes the review page; None = none is shown.

    Raises:
        SystemExit: the job failed; its reason is in the job's record and on stdout.
    """
    argv = sys.argv[1:]
    sys.argv[1:] = sdk_arguments(argv)
    from lab.dirs import get_workspace_dir  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from transformerlab.sdk.v1.generate import tlab_gen  # type: ignore[import-not-found,import-untyped,unused-ignore]

    host = PluginHost(tlab_gen, argv, get_workspace_dir(), write_page)
    with stopped_by_signals(host.stop):
        run_and_report(host, run_job)


class PluginHost(TransformerLabHost):
    """The host as the pipeline sees it.

    Args:
        sdk: the host's `tlab_gen`.
        argv: the process's arguments without the program.
        workspace: the host's workspace folder.
        write_page: makes the review page; None = none is shown.
    """

    report_every = 0.9  # how often a stop is looked for
    left_out: Mapping[str, str] = {
        **NOT_ON_A_HOST,
        "caption_files": "text files beside the pictures break Transformer Lab's preview and its caption editor",
    }
    no_dataset_message = "No dataset is chosen: open the task, choose one in its Dataset tab, and queue it again."

    def __init__(self, sdk: Any, argv: Sequence[str], workspace: str, write_page: PageWriter | None = None) -> None:
        super().__init__()
        self._values = job_values(argv)
        self._record = JobRecord(sdk)
        self._workspace = Path(workspace)
        self._write_page = write_page

    def begin(self) -> None:
        """Notes in the record that the job runs.

        Raises:
            HostError: the workspace is not a folder.
            JobStoppedError: Stop was pressed while the job waited in the queue.
        """
        if not self._workspace.is_dir():
            raise HostError(f"the plugin needs a workspace on a disk; the host's is {self._workspace}")
        named = {key: self._values.get(key) for key in ("template_name", "model_name")}
        self._record.note(start_time=_time(), **named)
        if self._record.stop_pressed():
            raise JobStoppedError("stopped from the host")

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """A folder among the host's datasets, built in the workspace's `temp` until it is complete.

        Raises:
            ConfigError: the user's name cannot be a dataset's name.
        """
        datasets, staging = self._workspace / "datasets", self._workspace / "temp"
        if _device(staging) != _device(datasets):
            # From a `temp` on another disk the dataset would be copied into place, and be seen half done.
            staging = self._workspace
        name = output_name(config, source_name)
        return Destination(parent=datasets, name=name, staging=staging, extra_files=registration)

    def log(self, line: str) -> None:
        """Shows a line in the job's output."""
        self._show(line)

    def finish(self, summary: Summary) -> None:
        """Names the new dataset in the output and in the record, and says how the job went."""
        written: dict[str, str] = {}
        if summary.output is not None:
            written["dataset_id"] = Path(summary.output).name
            self.log(f"Result: the dataset {written['dataset_id']} (Datasets > Generated Datasets)")
            self.log(
                f"To train on it: set Caption Column to {summary.caption_column} in the trainer's task."
                " With another name there, Transformer Lab's trainers train without captions."
            )
            self._show_review_page(Path(summary.output))
        self.end_reported = True
        self._note_end("success", success_message(summary), progress=100, generator=made_with(summary), **written)

    def _show_review_page(self, dataset: Path) -> None:
        if self._write_page is None:
            return
        experiment = str(self._values.get("experiment_name") or "")
        try:
            lines = save_review_page(self._workspace / "experiments", experiment, dataset, self._write_page)
        except Exception as error:  # noqa: BLE001 - whatever it is, the dataset is complete and has its page
            lines = [f"The review page is not among the documents ({failure_reason(error)}): see {dataset}/.wd14"]
        for line in lines:
            self.log(line)

    def _show(self, line: str) -> None:
        colour = next((code for start, code in _COLOURS.items() if line.startswith(start)), "")
        say(f"{colour}{line}{_PLAIN}" if colour else line)

    def _find_source(self, name: str) -> str | Path:
        return find_dataset(self._workspace / "datasets", name)

    def _report_progress(self, progress: Progress, *, percent: int) -> bool:  # noqa: ARG002 - the page shows tenths
        left = progress.remaining_seconds
        return self._record.look(
            round(99 * (progress.fraction or 0.0), 1),
            generator=_live_line(progress),
            # The page would show a 0 as a digit of its own.
            estimated_time_remaining=None if left is None else max(1, round(left)),
        )

    def _report_failure(self, message: str, *, stopped: bool) -> None:
        done = {} if self._last_progress is None else {"generator": done_in_words(self._last_progress)}
        self._note_end("failed", message if stopped else short_reason(message), **done)
        if stopped:
            self._record.set_status("STOPPED")

    def _note_end(self, status: str, details: str, **more: Any) -> None:
        self._record.note(
            completion_status=status,
            completion_details=details,
            end_time=_time(),
            estimated_time_remaining=None,
            **more,
        )


def _live_line(progress: Progress) -> str:
    """`1,500 of 3,000 pictures, 12.3 pictures/s, 2 failed`, for the column Generation."""
    line = done_in_words(progress)
    if progress.pictures_per_second:
        line += f", {progress.pictures_per_second:.1f} pictures/s"
    return in_phase(progress, f"{line}, {progress.failed:,} failed" if progress.failed else line)


def _device(path: Path) -> int:
    """Number of the filesystem that a folder is on, or would be on."""
    while not path.exists():
        path = path.parent
    return path.stat().st_dev


def _time() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")

"""The classic Transformer Lab host: a plugin started by the host's harness.

What it rests on, all seen on the running host: stdout is all that a person sees; the job's record is one JSON file that
server and plugin rewrite without a lock; Stop is a flag in that record; a finished folder that appears under
`datasets/` with an `index.json` in it is a dataset.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, HostError, JobStoppedError, SourceNotFoundError
from wd14.hosts.base import Host
from wd14.hosts.local import LINE_EVERY, progress_line
from wd14.hosts.plugin.arguments import job_values, sdk_arguments
from wd14.hosts.plugin.datasets import find_dataset, registration
from wd14.hosts.plugin.job_record import JobRecord
from wd14.hosts.transformer_lab import (
    DATASET_KEYS,
    NOT_ON_A_HOST,
    output_name,
    reason,
    result_words,
    run_and_report,
    say,
    stop_words,
)
from wd14.stop import StopToken, stopped_by_signals
from wd14.types import Destination, Progress, Summary

#: Seconds between two looks at the job's record. More often and the host's own writes to it get lost.
LOOK_EVERY = 0.9


def serve(run_job: Callable[[Host], Summary], argv: Sequence[str] | None = None) -> None:
    """Runs the job that the harness started this process for.

    Args:
        run_job: the pipeline.
        argv: the process's arguments without the program; None = `sys.argv`.

    Raises:
        SystemExit: the job failed; its reason is in the job's record and on stdout.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.argv[1:] = sdk_arguments(arguments)
    from lab.dirs import get_workspace_dir  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from transformerlab.sdk.v1.generate import tlab_gen  # type: ignore[import-not-found,import-untyped,unused-ignore]

    stop = StopToken()
    with stopped_by_signals(stop):
        host = PluginHost(tlab_gen, arguments, get_workspace_dir(), stop)
        run_and_report(host, run_job)


class PluginHost:
    """The host as the pipeline sees it.

    Args:
        sdk: the host's `tlab_gen`.
        argv: the process's arguments without the program.
        workspace: the host's workspace folder.
        stop: the token that stops the job; None = one of its own.
    """

    def __init__(self, sdk: Any, argv: Sequence[str], workspace: str, stop: StopToken | None = None) -> None:
        self._record = JobRecord(sdk)
        self._sdk = sdk
        self._values = job_values(argv)
        self._workspace = Path(workspace)
        self.stop = stop or StopToken()
        self._cache = True
        self._last: Progress | None = None
        self._next_look = 0.0
        self._next_line = time.monotonic() + LINE_EVERY
        #: Whether the host has been told how the job ended.
        self.end_reported = False

    def begin(self) -> None:
        """Notes in the record that the job runs.

        Raises:
            HostError: the workspace is not a folder.
            JobStoppedError: Stop was pressed while the job waited in the queue.
        """
        if not self._workspace.is_dir():
            raise HostError(f"the plugin needs a workspace on a disk; the host's is {self._workspace}")
        self._record.note("start_time", _now())
        for key in ("template_name", "model_name"):
            self._record.note(key, self._values.get(key))
        if self._record.look(0):
            raise JobStoppedError("stopped from the host")

    def settings(self) -> Mapping[str, Any]:
        """The job's parameters: typed where the host's input file has them, else as strings."""
        return {key: value for key, value in self._values.items() if key not in NOT_ON_A_HOST}

    def source(self, config: CaptionConfig) -> str | Path:
        """The folder of the job's dataset, or its hub id.

        Raises:
            SourceNotFoundError: none was chosen, or it is not in the workspace.
        """
        self._cache = config.cache
        return find_dataset(self._workspace / "datasets", self._dataset())

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """A folder among the host's datasets, built in the workspace's `temp` until it is whole.

        Raises:
            ConfigError: the name that the user gave is none.
        """
        datasets = self._workspace / "datasets"
        staging = self._workspace / "temp"
        if _device(staging) != _device(datasets):
            # A `temp` linked to another disk would make the last step a copy, which is seen half done.
            staging = self._workspace
        return Destination(
            parent=datasets,
            name=output_name(config, source_name),
            staging=staging,
            extra_files=registration,
        )

    def log(self, line: str) -> None:
        """Says a line in the job's output."""
        say(line)

    def progress(self, progress: Progress) -> None:
        """Shows the job's progress, and looks whether Stop was pressed."""
        self._last = progress
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY
            say(progress_line(progress))
        if now >= self._next_look:
            if self._record.look(int(99 * (progress.fraction or 0.0))):
                self.stop.request("stopped from the host")
            self._next_look = time.monotonic() + LOOK_EVERY

    def finish(self, summary: Summary) -> None:
        """Names the new dataset in the record, for the preview, and says how it went."""
        if summary.output is not None:
            self._record.note("dataset_id", Path(summary.output).name)
        self._end(result_words(summary), success=True)
        self._record.done()

    def fail(self, error: BaseException) -> None:
        """Puts the reason where the Executions tab shows it."""
        if isinstance(error, JobStoppedError | KeyboardInterrupt):
            words = stop_words(self._last, cache=self._cache)
            say(words)
            self._end(words, success=False)
            self._record.stopped()
            return
        words = reason(error)
        say(f"Failed: {words}")
        if not isinstance(error, CaptionerError):
            # Nobody expected it: whoever reports it needs to say where, and stderr is thrown away.
            say("".join(traceback.format_exception(error)))
        self._end(words, success=False)

    def _end(self, words: str, *, success: bool) -> None:
        self.end_reported = True
        self._record.note("completion_status", "success" if success else "failed")
        self._record.note("completion_details", words)
        self._record.note("end_time", _now())

    def _dataset(self) -> str:
        for key in DATASET_KEYS:
            name = str(self._values.get(key) or "").strip()
            if name not in {"", "None"}:
                return name
        raise SourceNotFoundError(
            "No dataset is chosen: open the task, choose one in its Dataset tab, and queue it again."
        )


def _device(path: Path) -> int:
    """The filesystem that a folder lies on, or would lie on."""
    while not path.exists():
        path = path.parent
    return path.stat().st_dev


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")

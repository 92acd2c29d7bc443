"""The interface between the pipeline and the host that a job runs on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from wd14.config import CaptionConfig
from wd14.stop import StopToken
from wd14.types import Destination, Progress, Summary, Written


class PageWriter(Protocol):
    """Writes the review page of a finished dataset as a single file."""

    def __call__(self, dataset: Path, target: Path, /) -> int | None:
        """Returns how many pictures have no thumbnail in it; None = the dataset has no page.

        Raises:
            OSError: the page cannot be read or written.
            OutputError: what lies there is no page.
        """


class Host(Protocol):
    """Gives a job its parameters and its source, shows its progress and takes its result.

    Every method is called from the thread that runs the job.
    """

    #: Stops the job; the host requests it when the user asks for a stop.
    stop: StopToken

    def settings(self) -> Mapping[str, Any]:
        """The job's parameters, typed or as strings; keys that are not ours may be among them."""

    def source(self, config: CaptionConfig) -> str | Path:
        """The dataset to read: a folder, a file or a hub id.

        Raises:
            SourceNotFoundError: none is named, or it does not exist.
        """

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """Where the result is to appear, named after `source_name` unless the user chose a name.

        Raises:
            ConfigError: the user's name cannot be a dataset's name.
        """

    def log(self, line: str) -> None:
        """Shows a line to the user."""

    def progress(self, progress: Progress) -> None:
        """Shows how far the job is; called about twice a second, also while no row is ready."""

    def finish(self, summary: Summary) -> None:
        """The job is done and its dataset is written."""

    def fail(self, error: BaseException, written: Written) -> None:
        """The job failed or was stopped: shows the reason, and what is there to stay, where the host shows reasons."""

"""What the pipeline asks of a host. Nothing outside `hosts/` knows which one it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from wd14.config import CaptionConfig
from wd14.stop import StopToken
from wd14.types import Destination, Progress, Summary


class Host(Protocol):
    """Where a job runs: it gives the parameters and the source, watches, and takes the result.

    Every method is called from the thread that runs the job.

    Attributes:
        stop: whoever learns that the job is to stop asks this token for it; the job looks at it all the time.
    """

    @property
    def stop(self) -> StopToken:
        """See the class."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """The job's parameters as the host has them, typed or as strings; keys that are not ours may be among them."""
        ...

    def source(self, config: CaptionConfig) -> str | Path:
        """The dataset to read: a folder, a file, or a hub id.

        Raises:
            SourceNotFoundError: none was given, or it is gone.
        """
        ...

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """Where the result is to appear; `source_name` is the name to derive it from when the user gave none.

        Raises:
            ConfigError: the name that the user gave is none.
            OutputError: the place cannot be written to.
        """
        ...

    def log(self, line: str) -> None:
        """Says a line to the person who watches."""
        ...

    def progress(self, progress: Progress) -> None:
        """Shows where the job stands; called about twice a second, also while nothing is ready."""
        ...

    def finish(self, summary: Summary) -> None:
        """The job is done and its dataset is in place."""
        ...

    def fail(self, error: BaseException) -> None:
        """The job failed or was stopped: show the reason where the host shows reasons."""
        ...

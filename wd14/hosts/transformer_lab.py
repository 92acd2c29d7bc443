"""What the two Transformer Lab hosts share: a job's beginning, progress and end, names of datasets, messages."""

from __future__ import annotations

import errno
import json
import re
import sys
import time
import traceback
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, ConfigError, JobStoppedError, SourceNotFoundError
from wd14.hosts.base import Host
from wd14.images.pillow_warnings import ignore_pillow_warnings
from wd14.progress import LINE_EVERY, done_in_words, progress_line
from wd14.stop import StopToken
from wd14.text import LONGEST_LINE, printable, share
from wd14.types import Progress, Summary, Written

#: Keys under which a host may name the dataset to read.
DATASET_KEYS = ("dataset_name", "dataset", "dataset_id")

#: Parameters that are left at their defaults on every host, and why.
NOT_ON_A_HOST: Mapping[str, str] = {
    "in_place": "a job does not write into the dataset that it reads",
    "trainer": "the host trains from its own datasets, and moves them",
}

#: Characters of the longest slug; with a job's number and `-2` added it is still a valid file name everywhere.
_LONGEST_SLUG = 120


class TransformerLabHost(Host, ABC):
    """What a host does the same way whichever server it reports to and wherever it keeps datasets.

    Attributes:
        end_reported: whether the server knows how the job ended.
        left_out: parameters that are left at their defaults on this host, and why.
    """

    left_out: Mapping[str, str] = NOT_ON_A_HOST

    #: Seconds between two reports of progress to the server.
    report_every: float
    #: Tells a user who chose no dataset what to do.
    no_dataset_message: str

    def __init__(self) -> None:
        self.stop = StopToken()
        self.end_reported = False
        self._values: Mapping[str, Any] = {}
        self._stores_scores = True
        self._last_progress: Progress | None = None
        self._next_line = time.monotonic() + LINE_EVERY
        self._next_report = 0.0

    @abstractmethod
    def begin(self) -> None:
        """Tells the server that the job runs."""

    def settings(self) -> Mapping[str, Any]:
        """The job's parameters that somebody set: the form sends every field, also untouched ones.

        Says so when one that this host leaves out is among them.
        """
        values = {key: value for key, value in self._values.items() if CaptionConfig.differs(key, value)}
        for key in self.left_out.keys() & values.keys():
            self.log(f"{CaptionConfig.model_fields[key].title} is left at its default here: {self.left_out[key]}.")
        return {key: value for key, value in values.items() if key not in self.left_out}

    def source(self, config: CaptionConfig) -> str | Path:
        """The dataset that the user chose.

        Raises:
            SourceNotFoundError: none is chosen, or it does not exist.
        """
        self._stores_scores = config.cache
        for key in DATASET_KEYS:
            name = str(self._values.get(key) or "").strip()
            if name not in {"", "None"}:
                return self._find_source(name)
        raise SourceNotFoundError(self.no_dataset_message)

    def progress(self, progress: Progress) -> None:
        """Shows how far the job is, and stops it when the user pressed Stop."""
        self._last_progress = progress
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY
            self.log(progress_line(progress))
        if now >= self._next_report:
            if self._report_progress(progress, percent=int(99 * (progress.fraction or 0.0))):
                self.stop.request("stopped from the host")
            self._next_report = time.monotonic() + self.report_every  # counted from its end: it may be slow

    def fail(self, error: BaseException, written: Written) -> None:
        """Shows the reason in the job's output and reports it to the server."""
        self.end_reported = True
        stopped = isinstance(error, JobStoppedError | KeyboardInterrupt)
        dataset = self._complete_dataset(written)
        if stopped:
            message = stop_message(self._last_progress, dataset, stores_scores=self._stores_scores)
        else:
            message = failure_reason(error) + (f"; the dataset {dataset} is complete" if dataset else "")
        self._show(message if stopped else f"Failed: {message}")
        if not stopped and not isinstance(error, CaptionerError):
            # A bug report needs it, and the hosts hide stderr.
            for line in "".join(traceback.format_exception(error)).splitlines():
                self._show(printable(line))
        self._report_failure(message, stopped=stopped)

    def _complete_dataset(self, written: Written) -> str | None:
        """Name of the new dataset, when a job that ends early has put it among the others."""
        return None if written.output is None else Path(written.output).name

    def _show(self, line: str) -> None:
        """Writes a line to the job's output; nothing in it can act on a terminal."""
        say(line)

    @abstractmethod
    def _find_source(self, name: str) -> str | Path:
        """The dataset of that name: a folder or a hub id."""

    @abstractmethod
    def _report_progress(self, progress: Progress, *, percent: int) -> bool:
        """Reports progress to the server; returns whether the user pressed Stop."""

    @abstractmethod
    def _report_failure(self, message: str, *, stopped: bool) -> None:
        """Reports to the server why the job failed, or that it was stopped."""


def run_and_report(host: TransformerLabHost, run_job: Callable[[Host], Summary]) -> None:
    """Runs a host's job and makes sure that the server learns how it ended.

    Raises:
        SystemExit: the job failed. A stopped job exits with 0: the hosts take anything else for a crash.
    """
    ignore_pillow_warnings()
    try:
        host.begin()
        run_job(host)
    except (Exception, KeyboardInterrupt) as error:
        if not host.end_reported:
            host.fail(error, Written())
        if not isinstance(error, JobStoppedError | KeyboardInterrupt):
            raise SystemExit(1) from error


def slug(name: str) -> str:
    """A dataset's folder name as the hosts write it: lower-case ASCII letters, digits, `_`, and `-` for spaces.

    Other characters are dropped, so the result may be empty; it never contains `.` or `/`.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"[^\w\s-]", "", plain.lower())
    return re.sub(r"[-\s]+", "-", plain).strip("-_")[:_LONGEST_SLUG].strip("-_")


def output_name(config: CaptionConfig, source_name: str) -> str:
    """Name of the dataset to write: the user's, else the source's with `_captions`.

    Raises:
        ConfigError: the user's name has no letter or digit that a slug keeps.
    """
    wanted = config.output_dataset_name
    if not wanted:
        return f"{slug(source_name) or 'dataset'}_captions"
    if name := slug(wanted):
        return name
    raise ConfigError(
        f"Output Dataset Name (output_dataset_name) is {wanted!r}; allowed: a name with letters a to z or digits"
    )


def unknown_dataset(name: str, known: Iterable[str], advice: str = "") -> SourceNotFoundError:
    """The error for a dataset that the workspace does not have; it lists the ones that it has."""
    listed = sorted(each for each in known if not each.startswith("."))
    there = f"there are: {', '.join(listed[:20])}" if listed else "there are none"
    return SourceNotFoundError(f"The workspace has no dataset {name!r} (deleted or renamed?); {there}.{advice}")


def json_object(read: Callable[[], str]) -> dict[str, Any]:
    """The JSON object in a text; empty when the text cannot be read or holds anything else."""
    try:
        content = json.loads(read())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def success_message(summary: Summary) -> str:
    """How a job went: `captioned 498 of 500 pictures, 2 failed`."""
    words = f"captioned {share(summary.succeeded, summary.total, 'picture')}"
    words += f", {summary.rejected:,} rejected" if summary.rejected else ""
    return f"{words}, {summary.failed:,} failed" if summary.failed else words


def stop_message(progress: Progress | None, dataset: str | None = None, *, stores_scores: bool) -> str:
    """What a stopped job leaves behind, in a line; `dataset` names what is complete, if the stop came too late."""
    if dataset:
        return f"Stopped when the dataset {dataset} was complete."
    kept = " Their scores are kept: the next run goes on from there." if stores_scores else ""
    if progress is not None and progress.done:
        return f"Stopped after {done_in_words(progress)}. No dataset was written.{kept}"
    if progress is not None and progress.span[0]:  # an earlier pass went over all pictures
        return f"Stopped when all pictures were studied. No dataset was written.{kept}"
    return "Stopped before the first picture was done. No dataset was written."


def failure_reason(error: BaseException) -> str:
    """Why a job failed, in a line for the user."""
    if isinstance(error, CaptionerError):
        return _one_line(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk is full: free some space and run the job again."
    if isinstance(error, MemoryError):
        return "Out of memory: lower Batch Size and Max Dataloader Workers, or close other programs."
    if isinstance(error, ImportError):
        return f"A Python package cannot be imported ({_one_line(error)}): install the plugin again."
    return f"{type(error).__name__}: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    lines = (" ".join(line.split()) for line in str(error).splitlines())
    return printable("; ".join(line for line in lines if line))


def say(line: str) -> None:
    """Writes a line to stdout and flushes it: the hosts show stdout, and a killed job loses what is buffered."""
    if len(line) > LONGEST_LINE:
        line = f"{line[:LONGEST_LINE]}…"
    encoding = sys.stdout.encoding or "utf-8"  # a host's locale may lack characters of a file's name
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()

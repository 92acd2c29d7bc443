"""What the two Transformer Lab hosts share: names of datasets, how a job ended in words."""

from __future__ import annotations

import errno
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Protocol

from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, ConfigError, JobStoppedError
from wd14.hosts.base import Host
from wd14.images.pillow_warnings import ignore_pillow_warnings
from wd14.text import printable
from wd14.types import Progress, Summary

#: Keys under which a host may name the dataset to read.
DATASET_KEYS = ("dataset_name", "dataset", "dataset_id")

#: Parameters that make no sense on a host: a job must not write into the user's source dataset, or into a copy of it.
NOT_ON_A_HOST = frozenset({"in_place"})

#: Longest slug; with `-2` and a job's number before it, it still is a file name on every system.
_LONGEST_SLUG = 120


class TransformerLabHost(Host, Protocol):
    """A host that is told how a job begins and ends."""

    #: Whether the host has been told how the job ended.
    end_reported: bool

    def begin(self) -> None:
        """The job begins."""
        ...


def run_and_report(host: TransformerLabHost, run_job: Callable[[Host], Summary]) -> None:
    """Runs a host's job and sees to it that the host is told how it ended.

    Raises:
        SystemExit: the job failed. A stop is no failure of the process: the hosts take any other exit for a crash.
    """
    ignore_pillow_warnings()
    try:
        host.begin()
        run_job(host)
    except (Exception, KeyboardInterrupt) as error:
        if not host.end_reported:
            host.fail(error)
        if not isinstance(error, JobStoppedError | KeyboardInterrupt):
            raise SystemExit(1) from error


def slug(name: str) -> str:
    """`name` as the host writes a dataset's folder: lower case, ASCII, blanks and dashes to `-`, `_` kept, no more.

    Empty when nothing is left. A path cannot come out: there is no `.` and no `/` in a slug.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"[^\w\s-]", "", plain.lower())
    return re.sub(r"[-\s]+", "-", plain).strip("-_")[:_LONGEST_SLUG].strip("-_")


def output_name(config: CaptionConfig, source_name: str) -> str:
    """Name of the dataset to write: what the user asked for, else the source's with `_captions`.

    Raises:
        ConfigError: nothing is left of the user's name.
    """
    wanted = config.output_dataset_name.strip()
    if not wanted:
        return f"{slug(source_name) or 'dataset'}_captions"
    name = slug(wanted)
    if not name:
        raise ConfigError(
            f"Output Dataset Name (output_dataset_name) is {wanted!r}; allowed: a name with letters a to z or digits"
        )
    return name


def result_words(summary: Summary) -> str:
    """How a job went, in a line: `captioned 498 of 500 images, 2 failed`."""
    return f"captioned {summary.succeeded} of {summary.total} images, {summary.failed} failed"


def stop_words(progress: Progress | None, *, cache: bool) -> str:
    """What a stopped job leaves behind, in a line."""
    if progress is None or progress.done == 0:
        return "Stopped before the first image was done. No dataset was written."
    done = f"{progress.done} of {progress.total}" if progress.total else f"{progress.done}"
    kept = " Their scores are kept: the next run goes on from there." if cache else ""
    return f"Stopped after {done} images. No dataset was written.{kept}"


def reason(error: BaseException) -> str:
    """Why a job failed, in a line for a person."""
    if isinstance(error, CaptionerError):
        return _one_line(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk is full: free some space and run the job again."
    if isinstance(error, MemoryError):
        return "Out of memory: lower Batch Size and Max Dataloader Workers, or close other programs."
    if isinstance(error, ImportError):
        return f"A Python package cannot be imported ({error}): install the plugin again."
    return f"{type(error).__name__}: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    lines = (" ".join(line.split()) for line in str(error).splitlines())
    return printable("; ".join(line for line in lines if line))


def say(line: str) -> None:
    """Writes a line to stdout at once: the hosts show stdout, and what is buffered is lost with a killed job."""
    encoding = sys.stdout.encoding or "utf-8"  # a host's locale may be one that a file's name does not fit into
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()

"""What the command line prints: lines on stdout, complaints on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wd14.stop import StopToken, stopped_by_signals
from wd14.text import printable, readable
from wd14.types import Log, Progress

T = TypeVar("T")


def say(line: str) -> None:
    """Prints a line at once. File names in it cannot send commands to the terminal."""
    sys.stdout.write(readable(line) + "\n")
    sys.stdout.flush()


def say_aside(line: str) -> None:
    """Prints a line on stderr, where stdout is for a program."""
    sys.stderr.write(readable(line) + "\n")
    sys.stderr.flush()


def say_json(values: Mapping[str, Any]) -> None:
    """Prints one JSON object, for a program."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def show_while(work: Callable[[Log, Callable[[Progress], None], StopToken], T], *, aside: bool) -> T:
    """Does long work: its lines and its progress are shown, and a signal stops it.

    Args:
        work: gets where to say something, where to tell its progress, and the stop.
        aside: whether lines go to stderr, where stdout is for a program.
    """
    from wd14.progress import ShownProgress

    stop = StopToken()
    shown = ShownProgress(say_aside if aside else say, bar=sys.stderr.isatty())
    try:
        with stopped_by_signals(stop):
            return work(lambda line: shown.log(printable(line)), shown.show, stop)
    finally:
        shown.close()


def is_heard() -> bool:
    """Whether all that was said so far reached somebody."""
    return not getattr(sys.stdout, "is_lost", False)


def complain(line: str) -> None:
    """Prints what went wrong, on one line."""
    sys.stderr.write(f"wd14-captioner: {'; '.join(readable(part) for part in line.splitlines())}\n")
    sys.stderr.flush()


def say_in_any_encoding() -> None:
    """Characters that the terminal's encoding lacks are printed as escapes, so they do not end the job."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")

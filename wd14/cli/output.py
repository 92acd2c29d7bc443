"""What the command line says: lines for the person, and what went wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wd14.text import printable


def say(line: str) -> None:
    """A line for the person, at once. Names of files in it cannot do anything to a terminal."""
    try:
        sys.stdout.write(printable(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        # A full disk under a log is no reason to lose the job; what is buffered would fail again at the end.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def complain(line: str) -> None:
    """A line about what went wrong."""
    sys.stderr.write(f"wd14-captioner: {'; '.join(printable(part) for part in line.splitlines())}\n")
    sys.stderr.flush()


def say_in_any_encoding() -> None:
    """A file name or tag that the terminal's encoding lacks is shown as an escape, and does not end the job."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")

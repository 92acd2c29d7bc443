"""What the command line prints: lines on stdout, complaints on stderr."""

from __future__ import annotations

import sys

from wd14.text import readable


def say(line: str) -> None:
    """Prints a line at once. File names in it cannot send commands to the terminal."""
    sys.stdout.write(readable(line) + "\n")
    sys.stdout.flush()


def say_aside(line: str) -> None:
    """Prints a line on stderr, where stdout is for a program."""
    sys.stderr.write(readable(line) + "\n")
    sys.stderr.flush()


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

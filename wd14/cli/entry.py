"""Where the program starts. Imports next to nothing, so that Ctrl-C is obeyed while the rest is imported."""

from __future__ import annotations

import sys

from wd14 import process


def main() -> None:
    """Runs the program and ends the process.

    Raises:
        SystemExit: with the exit status.
    """
    process.secure_streams()
    with process.ended_by_ctrl_c():
        from wd14.cli.main import main as run
    process.run_to_its_end(lambda: sys.exit(run()))

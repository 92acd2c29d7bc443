"""Where a job runs: the classic Transformer Lab host, the current one, or a shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

HostName = Literal["plugin", "lab", "shell"]


def choose_host(argv: Sequence[str], environ: Mapping[str, str]) -> HostName:
    """Which host started this process.

    Args:
        argv: its arguments without the program.
        environ: its environment.

    Returns:
        "plugin": the classic host, whose harness always passes `--plugin_dir`; "lab": a task of the current host
        (`--task`, or no arguments and the host's job id in the environment); "shell": a user.
    """
    if any(part == "--plugin_dir" or part.startswith("--plugin_dir=") for part in argv):
        return "plugin"
    if list(argv) == ["--task"] or (not argv and environ.get("_TFL_JOB_ID")):
        return "lab"
    return "shell"

"""Starts the job: as a Transformer Lab plugin, as a task of the current Transformer Lab, or from a shell.

The classic host imports this file and calls `main()`; nothing happens before that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Finds out which host this is, and runs the job there.

    Raises:
        SystemExit: with the job's exit status, where the host looks at one.
    """
    _import_own_package()
    try:
        job = _job()
    except ImportError as error:
        _tell_missing(error)
        raise
    job()


def _job() -> Callable[[], None]:
    """What this process is to do."""
    from wd14.hosts import choose_host

    host = choose_host(sys.argv[1:], os.environ)
    if host == "shell":
        from wd14.cli.main import main as shell

        return lambda: sys.exit(shell())
    from wd14.pipeline import run_job

    if host == "plugin":
        from wd14.hosts.plugin import host as plugin

        return lambda: plugin.serve(run_job)
    from wd14.hosts.lab import host as lab

    return lambda: lab.serve(run_job)


def _import_own_package() -> None:
    """Imports `wd14` from beside this file: the harness puts the plugin's folder last on the path."""
    here = str(Path(__file__).resolve().parent)
    sys.path.insert(0, here)
    try:
        import wd14  # noqa: F401
    finally:
        sys.path.remove(here)


def _tell_missing(error: ImportError) -> None:
    """Says what cannot be imported where the classic host shows it; it throws stderr away."""
    words = f"A Python package cannot be imported ({error}): install the plugin again."
    sys.stdout.write(f"Failed: {words}\n")
    sys.stdout.flush()
    if not any(part.startswith("--plugin_dir") for part in sys.argv):
        return
    from transformerlab.sdk.v1.generate import tlab_gen  # type: ignore[import-not-found,import-untyped,unused-ignore]

    tlab_gen.add_job_data("completion_status", "failed")
    tlab_gen.add_job_data("completion_details", words)


if __name__ == "__main__":
    main()

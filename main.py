"""Starts a job: as a Transformer Lab plugin, as a task of the current Transformer Lab, or from a shell.

The classic host imports this file and calls `main()`; the import alone does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wd14.hosts.base import Host
    from wd14.types import Summary


def main() -> None:
    """Finds out which host started this process, and runs its job.

    Raises:
        SystemExit: with the exit status of the job.
        ImportError: a package is missing.
    """
    _import_own_package()
    from wd14 import process

    process.secure_streams()
    try:
        with process.ended_by_ctrl_c():
            run = _entry_point()
    except ImportError as error:
        _report_missing_package(error)
        raise
    process.run_to_its_end(run)


def _entry_point() -> Callable[[], None]:
    from wd14.hosts import choose_host

    host = choose_host(sys.argv[1:], os.environ)
    if host == "shell":
        from wd14.cli.main import main as run_command

        return lambda: sys.exit(run_command())
    if host == "lab":
        from wd14.hosts.lab.host import serve as serve_task

        return lambda: serve_task(_run_job, _write_page)
    from wd14.hosts.plugin.host import serve as serve_plugin
    from wd14.pipeline import run_job

    return lambda: serve_plugin(run_job, _write_page)


def _run_job(host: Host) -> Summary:
    """Imports the pipeline only now, when a signal that stops the job is already obeyed."""
    from wd14.pipeline import run_job

    return run_job(host)


def _write_page(dataset: Path, target: Path, /) -> int | None:
    """Imported late as well: a job that fails needs none."""
    from wd14.review.single_file import write_single_file

    return write_single_file(dataset, target)


def _import_own_package() -> None:
    """Imports `wd14` from beside this file: the classic host puts the plugin's folder last on the path."""
    here = str(Path(__file__).resolve().parent)
    sys.path.insert(0, here)
    try:
        import wd14  # noqa: F401
    finally:
        sys.path.remove(here)


def _report_missing_package(error: ImportError) -> None:
    """Says on stdout what cannot be imported, and in the job's record where the classic host runs the job."""
    message = f"A Python package cannot be imported ({error}): install the plugin again."
    sys.stdout.write(f"Failed: {message}\n")
    sys.stdout.flush()
    if not any(part.startswith("--plugin_dir") for part in sys.argv):
        return
    from transformerlab.sdk.v1.generate import tlab_gen  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from wd14.hosts.short_reason import short_reason

    tlab_gen.add_job_data("completion_status", "failed")
    tlab_gen.add_job_data("completion_details", short_reason(message))


if __name__ == "__main__":
    main()

"""The record of a job in the classic host: one JSON file that the server and the plugin rewrite without a lock."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

from wd14.hosts.transformer_lab import say

#: How long (seconds) and how often a record that cannot be read is tried again: it is being rewritten.
_RECORD_PATIENCE = 2.0
_RECORD_PAUSE = 0.05


class JobRecord:
    """The job's record, through the host's SDK, with care for what else is written to it.

    The SDK reads the whole file, changes a field and writes it back, and takes a file that it cannot read for an
    empty one; so nothing is written while the record is not whole, and it is put back should it stay so.
    """

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._whole: dict[str, Any] = {}
        self._shown: int | None = None
        self._complained = False

    def note(self, key: str, value: Any) -> None:
        """Writes a field of the job's data."""
        self._read_or_restore()
        self._try(lambda: self._sdk.add_job_data(key, value))

    def look(self, percent: int) -> bool:
        """Shows the percentage if it changed; returns whether the stop flag is there."""
        data = self._read_or_restore().get("job_data")
        flagged = bool(isinstance(data, Mapping) and data.get("stop"))
        if not flagged and percent == self._shown:
            return False
        self._shown = percent
        try:
            self._try(lambda: self._sdk.progress_update(percent))
        except KeyboardInterrupt:
            flagged = True
        return flagged

    def done(self) -> None:
        """Shows 100 %. Not through `progress_update`, which would call a finished job stopped."""
        self._try(lambda: self._sdk.job.update_progress(100))

    def stopped(self) -> None:
        """Shows the job as stopped, also where no flag says so (the process was asked to end)."""
        self._try(lambda: self._sdk.job.update_status("STOPPED"))

    def _read_or_restore(self) -> Mapping[str, Any]:
        """The record; one that stays unreadable is lost, and what was last read of it is put back."""
        deadline = time.monotonic() + _RECORD_PATIENCE
        while True:
            found = self._read()
            # Both keys are there from the moment that the host makes the job.
            if "job_data" in found and "status" in found:
                self._whole = copy.deepcopy(found)
                return found
            if time.monotonic() >= deadline:
                break
            time.sleep(_RECORD_PAUSE)
        if self._whole:
            self._complain("it was lost, and what was last read of it is put back")
            self._restore(found.get("job_data"))
        else:
            self._complain("it cannot be read")
        return self._whole

    def _read(self) -> dict[str, Any]:
        try:
            record = self._sdk.job.get_json_data()
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _restore(self, newer: object) -> None:
        """Writes the record as it last was; what has been written since it was lost, such as a stop, stays."""
        job, whole = self._sdk.job, self._whole
        whole["job_data"] = {**whole["job_data"], **(newer if isinstance(newer, Mapping) else {})}
        self._try(lambda: job.set_job_data(whole["job_data"]))
        self._try(lambda: job.update_status(whole["status"]))
        if whole.get("type"):
            self._try(lambda: job.set_type(whole["type"]))
        if whole.get("experiment_id"):
            self._try(lambda: job.set_experiment(whole["experiment_id"]))

    def _try(self, write: Callable[[], object]) -> None:
        """Does one write; the record is a convenience, and must not be what a job dies of."""
        try:
            write()
        except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
            self._complain(f"{type(error).__name__}: {error}")

    def _complain(self, what: str) -> None:
        if not self._complained:
            self._complained = True
            say(f"The job's record could not be used for a moment ({what}); the job goes on.")

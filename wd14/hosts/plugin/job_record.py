"""The record of a job in the classic host: one JSON file that server and plugin rewrite without a lock."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

from wd14.hosts.transformer_lab import say

#: Seconds for which an unreadable record is read again, since it may be being rewritten, and the pause between.
_RECORD_PATIENCE = 2.0
_RECORD_PAUSE = 0.05


class JobRecord:
    """The job's record, read and written through the host's SDK without harm to what the server writes to it.

    The SDK reads the whole file, changes a field and writes the file back, and takes a file that it cannot read for an
    empty one. So nothing is written while the record is incomplete, and a record that stays incomplete is restored.
    """

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._last_complete: dict[str, Any] = {}
        self._shown_percent: int | None = None
        self._complained = False

    def note(self, key: str, value: Any) -> None:
        """Writes a field of the job's data."""
        self._read_or_restore()
        self._try(lambda: self._sdk.add_job_data(key, value))

    def look(self, percent: int) -> bool:
        """Shows the percentage if it changed; returns whether the stop flag is set."""
        data = self._read_or_restore().get("job_data")
        if percent != self._shown_percent:
            self.set_progress(percent)
        return isinstance(data, Mapping) and bool(data.get("stop"))

    def set_progress(self, percent: int) -> None:
        """Shows the percentage. (The SDK's `progress_update` would also call a finished job stopped.)"""
        self._shown_percent = percent
        self._try(lambda: self._sdk.job.update_progress(percent))

    def set_status(self, status: str) -> None:
        """Sets the job's state, such as STOPPED."""
        self._try(lambda: self._sdk.job.update_status(status))

    def _read_or_restore(self) -> Mapping[str, Any]:
        """The record; one that stays incomplete is replaced by what was last read of it."""
        deadline = time.monotonic() + _RECORD_PATIENCE
        while True:
            found = self._read()
            if "job_data" in found and "status" in found:  # the host makes every job with both
                self._last_complete = copy.deepcopy(found)
                return found
            if time.monotonic() >= deadline:
                break
            time.sleep(_RECORD_PAUSE)
        if self._last_complete:
            self._complain("it was lost and is restored as it was last read")
            self._restore(found.get("job_data"))
        else:
            self._complain("it cannot be read")
        return self._last_complete

    def _read(self) -> dict[str, Any]:
        try:
            record = self._sdk.job.get_json_data()
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _restore(self, newer: object) -> None:
        """Writes the last complete record; data written since it was lost, such as the stop flag, is kept."""
        job, record = self._sdk.job, self._last_complete
        record["job_data"] = {**record["job_data"], **(newer if isinstance(newer, Mapping) else {})}
        self._try(lambda: job.set_job_data(record["job_data"]))
        self._try(lambda: job.update_status(record["status"]))
        if record.get("type"):
            self._try(lambda: job.set_type(record["type"]))
        if record.get("experiment_id"):
            self._try(lambda: job.set_experiment(record["experiment_id"]))

    def _try(self, write: Callable[[], object]) -> None:
        """Does one write; a record that cannot be written must not end the job."""
        try:
            write()
        except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
            self._complain(f"{type(error).__name__}: {error}")

    def _complain(self, problem: str) -> None:
        if not self._complained:
            self._complained = True
            say(f"The job's record could not be used for a moment ({problem}); the job goes on.")

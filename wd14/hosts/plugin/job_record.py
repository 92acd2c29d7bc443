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

#: Seconds between two writes of progress. The page reads the record as often, and every write is a risk to it.
_SHOW_EVERY = 1.9


class JobRecord:
    """The job's record, read and written through the host's SDK without harm to what the server writes to it.

    The SDK reads the whole file, changes a field and writes the file back, and takes a file that it cannot read for an
    empty one. So nothing is written while the record is incomplete, and a record that stays incomplete is restored.
    """

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._last_complete: dict[str, Any] = {}
        self._shown: tuple[float, dict[str, Any]] | None = None
        self._next_show = 0.0
        self._complained = False

    def note(self, *, progress: float | None = None, **fields: Any) -> None:
        """Writes the percentage and fields of the job's data, all at once."""
        self._write(self._read_or_restore(), progress, fields)

    def stop_pressed(self) -> bool:
        """Whether the stop flag is set."""
        return _has_stop_flag(self._read_or_restore())

    def look(self, progress: float, **fields: Any) -> bool:
        """Shows the percentage and fields of the job's data, now and then; returns whether the stop flag is set."""
        record = self._read_or_restore()
        stopped = _has_stop_flag(record)
        now = time.monotonic()
        if record and not stopped and now >= self._next_show and (progress, fields) != self._shown:
            self._shown = (progress, fields)
            self._next_show = now + _SHOW_EVERY
            self._write(record, progress, fields)
        return stopped

    def set_status(self, status: str) -> None:
        """Sets the job's state, such as STOPPED."""
        self._try(lambda: self._sdk.job.update_status(status))

    def _write(self, record: Mapping[str, Any], progress: float | None, fields: Mapping[str, Any]) -> None:
        """Writes a record that was read a moment ago. The SDK's own setters would read and write it once a field."""
        new = {**record, "job_data": {**record.get("job_data", {}), **fields}}
        if progress is not None:
            new["progress"] = progress
        self._try(lambda: self._sdk.job._set_json_data(new))

    def _read_or_restore(self) -> Mapping[str, Any]:
        """The record; one that stays incomplete is replaced by what was last read of it."""
        deadline = time.monotonic() + _RECORD_PATIENCE
        while True:
            found = self._read()
            if isinstance(found.get("job_data"), Mapping) and "status" in found:  # the host makes every job with both
                self._last_complete = copy.deepcopy(found)
                return found
            if time.monotonic() >= deadline:
                break
            time.sleep(_RECORD_PAUSE)
        if self._last_complete:
            self._complain("it was lost and is restored as it was last read")
            newer = found.get("job_data")  # written since it was lost, such as the stop flag
            self._write(self._last_complete, found.get("progress"), newer if isinstance(newer, Mapping) else {})
            return self._read() or self._last_complete
        self._complain("it cannot be read")
        return {}

    def _read(self) -> dict[str, Any]:
        try:
            record = self._sdk.job.get_json_data()
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

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


def _has_stop_flag(record: Mapping[str, Any]) -> bool:
    return bool(record.get("job_data", {}).get("stop"))

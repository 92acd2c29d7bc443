"""What became of every row: `report.json`, written row by row so that a million rows need no memory, and the counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wd14.types import RowReport, Status, Summary

#: Failures that a summary names; the report has all of them.
NAMED_FAILURES = 10


class Tally:
    """Counts of a run, and its first failures."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Status, 0)
        self.failures: list[tuple[str, str]] = []

    def add(self, report: RowReport, label: str) -> None:
        """Counts one row; `label` names it for a person."""
        self._counts[report.status] += 1
        if report.status is Status.FAILED and len(self.failures) < NAMED_FAILURES:
            self.failures.append((label, report.reason or "unknown"))

    @property
    def captioned(self) -> int:
        """Rows captioned by the model."""
        return self._counts[Status.CAPTIONED]

    @property
    def from_scores(self) -> int:
        """Rows captioned from stored scores."""
        return self._counts[Status.FROM_SCORES]

    @property
    def failed(self) -> int:
        """Rows that failed."""
        return self._counts[Status.FAILED]

    @property
    def done(self) -> int:
        """All rows so far."""
        return sum(self._counts.values())

    def summary(self, *, seconds: float, output: str | None, device: str | None) -> Summary:
        """The run as a `Summary`."""
        return Summary(
            total=self.done,
            captioned=self.captioned,
            from_scores=self.from_scores,
            failed=self.failed,
            seconds=seconds,
            output=output,
            failures=tuple(self.failures),
            device=device,
        )


class ReportWriter:
    """Writes `{"rows": [one object per row, in input order], "summary": {…}}`, one row per line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write('{"rows": [')
        self._separator = "\n"

    def add(self, report: RowReport) -> None:
        """Writes one row."""
        row: dict[str, Any] = {
            "input": report.input,
            "output": report.name,
            "status": report.status.value,
            "source": report.source,
        }
        if report.reason is not None:
            row["reason"] = report.reason
        if report.notes:
            row["notes"] = report.notes
        # ASCII only: a source's name may hold a surrogate, which UTF-8 cannot.
        self._file.write(self._separator + json.dumps(row))
        self._separator = ",\n"

    def finish(self, tally: Tally) -> None:
        """Writes the summary and closes the file."""
        counts = {
            "rows": tally.done,
            "captioned": tally.captioned,
            "captioned_from_scores": tally.from_scores,
            "failed": tally.failed,
        }
        self._file.write('\n],\n"summary": ' + json.dumps(counts) + "}\n")
        self.close()

    def close(self) -> None:
        """Closes the file as it is."""
        self._file.close()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a small JSON file for people: indented, in UTF-8."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # A lone surrogate (from an argument that is not text), which UTF-8 cannot hold, becomes a question mark.
    path.write_text(text, encoding="utf-8", errors="replace")

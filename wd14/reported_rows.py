"""What the report of a dataset says of its pictures, and of those that it does not have: failed ones, rejected ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wd14.data.report import ReportedRow, read_report
from wd14.errors import SourceError
from wd14.regular_files import mode_of


def originals_of(dataset: Path) -> dict[bytes, bytes]:
    """From the sha256 of pictures that were changed when they were saved to those of their originals.

    A report of 1,000,000 rows takes 5 seconds; 200 bytes for each picture that was changed.

    Args:
        dataset: its folder; without a report there is nothing in here.

    Raises:
        SourceError: the report cannot be read.
    """
    report = dataset / ".wd14" / "report.json"
    return {row.saved: row.digest for row in read_report(report) if row.saved} if mode_of(report) else {}


class ReportedRows:
    """The rows of a dataset of ours, in the order of its source. 400 bytes a row.

    Args:
        dataset: its folder; without a report there is nothing in here.
        remarks: told why a report cannot be read.

    Attributes:
        originals: from the sha256 of pictures that were changed when they were saved to those of their originals.
    """

    def __init__(self, dataset: Path | None, remarks: list[str]) -> None:
        self._by_output: dict[str, tuple[int, ReportedRow]] = {}
        self._missing: list[tuple[int, ReportedRow]] = []  # those without a place in the dataset
        self.originals: dict[bytes, bytes] = {}
        self._next = 0  # of the missing ones
        report = None if dataset is None else dataset / ".wd14" / "report.json"
        if report is not None and mode_of(report):
            try:
                self._read(report)
            except SourceError as error:
                remarks.append(f"which pictures failed: {error}")

    def _read(self, report: Path) -> None:
        for number, row in enumerate(read_report(report)):
            if row.output is None:
                self._missing.append((number, row))
                continue
            self._by_output[row.output] = number, row
            if row.saved:
                self.originals[row.saved] = row.digest

    def original(self, digest: bytes) -> bytes:
        """The sha256 of the picture that one was made from when it was saved; of all others their own."""
        return self.originals.get(digest, digest)

    def of(self, path: str | None, digest: bytes) -> ReportedRow | None:
        """The row of a picture of the dataset.

        Args:
            path: below the dataset's folder.
            digest: sha256 of the picture that lies there now: where it is another one, the report is not about it.
        """
        if path is None or path not in self._by_output:
            return None
        row = self._by_output[path][1]
        known = row.saved or row.digest
        return row if not (known and digest) or known == digest else None

    def missing_before(self, path: str | None) -> Iterator[ReportedRow]:
        """The rows without a place in the dataset that come before a picture's, and were not given yet."""
        place = self._by_output[path][0] if path is not None and path in self._by_output else 0
        while self._next < len(self._missing) and self._missing[self._next][0] < place:
            yield self._missing[self._next][1]
            self._next += 1

    def missing_behind(self) -> Iterator[ReportedRow]:
        """The rest of them."""
        while self._next < len(self._missing):
            yield self._missing[self._next][1]
            self._next += 1

"""What became of every row: `report.json`, written row by row so that a million rows need no memory, and the counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wd14.errors import AllRowsFailedError, EmptySourceError, SourceError
from wd14.regular_files import open_file
from wd14.text import count
from wd14.types import RowReport, Status, Summary, row_label

#: Failures that a summary names; the report has all of them.
NAMED_FAILURES = 10
#: Bytes of a row of a report: names have limits, and so have reasons.
_LONGEST_ROW = 1 << 22
#: Characters of captions in a row; JSON may need 12 bytes for one.
_LONGEST_CAPTIONS = 250_000
#: The most frequent tags that a summary names.
_NAMED_TAGS = 10
_WITH_CAPTION = frozenset({Status.CAPTIONED, Status.FROM_SCORES})


class Tally:
    """Counts of a run, its first failures, and how frequent each tag is."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Status, 0)
        self._tags: Counter[str] = Counter()
        self._without_tags = 0
        self._too_long = 0
        self.failures: list[tuple[str, str]] = []

    def add(
        self,
        report: RowReport,
        label: str,
        tags: Collection[str] = (),
        *,
        too_long: bool = False,
        is_edited: bool = False,
    ) -> None:
        """Counts one row.

        Args:
            report: what became of it.
            label: names it for a person.
            tags: the model's tags in its caption, as written.
            too_long: whether its caption has more tokens than it may.
            is_edited: whether a person edited its caption, and so wanted it without tags where it has none.
        """
        self._counts[report.status] += 1
        self._tags.update(tags)
        if report.status in _WITH_CAPTION:
            self._without_tags += not tags and not is_edited
            self._too_long += too_long
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
    def rejected(self) -> int:
        """Rows that a person rejected."""
        return self._counts[Status.REJECTED]

    @property
    def done(self) -> int:
        """All rows so far."""
        return sum(self._counts.values())

    def check_any(self) -> None:
        """Refuses a pass over a dataset from which no picture is left.

        Raises:
            EmptySourceError: there was none.
            AllRowsFailedError: each failed, or was rejected.
        """
        check_any(self.done, self.failed, self.rejected, self.failures)

    def summary(self, *, seconds: float, output: str | None, **more: Any) -> Summary:
        """The run as a `Summary`; `more` are fields of it that are not counts."""
        return Summary(
            total=self.done,
            captioned=self.captioned,
            from_scores=self.from_scores,
            failed=self.failed,
            rejected=self.rejected,
            seconds=seconds,
            output=output,
            failures=tuple(self.failures),
            without_tags=self._without_tags,
            too_long=self._too_long,
            # Of equally frequent tags the first in the alphabet, so that two runs say the same.
            frequent_tags=tuple(sorted(self._tags.items(), key=lambda item: (-item[1], item[0]))[:_NAMED_TAGS]),
            **more,
        )


def check_any(rows: int, failed: int, rejected: int, failures: Sequence[tuple[str, str]]) -> None:
    """Refuses a dataset from which no picture is left.

    Args:
        rows: how many it has.
        failed: of them.
        rejected: of them, by a person's edits.
        failures: the first (source, reason).

    Raises:
        EmptySourceError: there was none.
        AllRowsFailedError: each failed, or was rejected.
    """
    if rows == 0:
        raise EmptySourceError("the dataset holds no pictures")
    if rejected == rows:
        raise AllRowsFailedError(f"the edits reject all of {count(rows, 'picture')}: take some of their 'reject' out")
    if failed + rejected == rows:
        note = f" ({rejected:,} rejected by the edits)" if rejected else ""
        source, reason = failures[0]  # the others were said when they failed
        raise AllRowsFailedError(
            f"none of {count(rows, 'picture')} could be captioned{note}; the first: {source}: {reason}"
        )


class ReportWriter:
    """Writes `{"rows": [one object per row, in input order], "summary": {…}}`, one row per line.

    Of an ensemble, `disagreement` follows.
    """

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
        if report.sha256:
            row["sha256"] = report.sha256
        if report.saved_sha256:
            row["saved_sha256"] = report.saved_sha256
        captions = {"unedited": report.unedited, "caption": report.caption or ""}
        if report.unedited is not None and sum(map(len, filter(None, captions.values()))) <= _LONGEST_CAPTIONS:
            row |= captions
        if report.reason is not None:
            row["reason"] = report.reason
        if report.notes:
            row["notes"] = report.notes
        # ASCII only: a source's name may hold a surrogate, which UTF-8 cannot.
        self._file.write(self._separator + json.dumps(row))
        self._separator = ",\n"

    def finish(self, summary: Summary) -> None:
        """Writes the summary and closes the file."""
        found = summary.disagreement
        more = "" if found is None else ',\n"disagreement": ' + json.dumps(found.as_json())
        self._file.write('\n],\n"summary": ' + json.dumps(summary.counts()) + more + "}\n")
        self.close()

    def close(self) -> None:
        """Closes the file as it is."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A row as a report has it."""

    input: str
    source: str
    status: Status
    output: str | None  #: path in the dataset
    reason: str | None
    notes: tuple[str, ...]
    digest: bytes  #: sha256 of the picture in the source; empty = not known, as in reports of earlier versions
    saved: bytes  #: sha256 of the picture in the dataset, where that is another; else empty
    unedited: str | None  #: the caption without a person's edits, where it is another than `caption`
    caption: str  #: as the run wrote it; only where there is an unedited one

    @property
    def label(self) -> str:
        """The row for a person, as `InputRow.label`."""
        return row_label(self.input, self.source)


def read_report(path: Path) -> Iterator[ReportedRow]:
    """The rows of a report, in the order of the source; a million rows need no memory.

    Raises:
        SourceError: it cannot be read, or is no report as `ReportWriter` writes it.
    """
    try:
        with open_file(path) as file:
            if file.readline(_LONGEST_ROW).strip() != b'{"rows": [':
                raise SourceError(f"{path} is not as a run writes it: its rows are not on lines of their own")
            while (line := file.readline(_LONGEST_ROW).strip()) != b"],":
                yield _reported(json.loads(line.removesuffix(b",")))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{path} is not as a run writes it: {type(error).__name__}: {str(error)[:200]}") from error


def _reported(row: Mapping[str, Any]) -> ReportedRow:
    output, reason = row["output"], row.get("reason")
    digest, saved = (bytes.fromhex(row.get(key) or "") for key in ("sha256", "saved_sha256"))
    if {len(digest), len(saved)} - {0, 32}:
        raise ValueError("a sha256 has 64 digits")
    return ReportedRow(
        str(row["input"]),
        str(row["source"]),
        Status(row["status"]),
        None if output is None else str(output),
        None if reason is None else str(reason),
        tuple(map(str, row.get("notes", ()))),
        digest,
        saved,
        str(row["unedited"]) if "unedited" in row else None,
        str(row.get("caption", "")),
    )

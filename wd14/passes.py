"""The passes of a job over its dataset: each has its counts and its progress, and a row's failure is said once."""

from __future__ import annotations

from collections.abc import Callable

from wd14.config import CaptionConfig
from wd14.data.report import Tally
from wd14.errors import RowError
from wd14.host_link import HostLink
from wd14.job_edits import JobEdits
from wd14.scored_rows import Ran, ScoredRows
from wd14.types import DecodedRow, RowReport, Status

#: Share of a job that goes into passes before the captions are written, where the last of them has all scores.
_BEFORE_CAPTIONS = 0.9


class ScoredNow:
    """The rows, by position in the source, for which a model ran in this job. A byte for each row."""

    def __init__(self) -> None:
        self._flags = bytearray()

    def note(self, row: DecodedRow) -> None:
        """Takes a row of a pass."""
        if not row.from_scores and row.result.error is None:
            self._flags.extend(bytes(max(0, row.input.index + 1 - len(self._flags))))
            self._flags[row.input.index] = 1

    def __contains__(self, row: int) -> bool:
        return row < len(self._flags) and bool(self._flags[row])


class Passes:
    """Goes over the dataset, one pass after the other, in the job's own thread.

    Args:
        config: the parameters.
        link: hears lines and progress, and ends a pass where a stop was asked for.
        edits: a person's: pictures that they reject do not count.
        total: how many rows there are; None = not known.
        models: how many go over the dataset, each in a pass of its own.
        studies: whether the last of these passes studies the dataset, and one more writes it.

    Attributes:
        tally: the counts of the pass that is under way, or of the last one.
        total: how many rows there are, once a pass has counted them.
        ran: what a model ran on last, in any pass.
        scored_now: the rows for which a model ran in a pass before the last one.
    """

    def __init__(
        self, config: CaptionConfig, link: HostLink, edits: JobEdits, total: int | None, *, models: int, studies: bool
    ) -> None:
        self.tally = Tally()
        self.total = total
        self.ran = Ran()
        self.scored_now = ScoredNow()
        self._config = config
        self._link = link
        self._edits = edits
        self._models = models
        self._studies = studies
        self._begun = 0
        self._said: set[str] = set()
        self._writes = False

    def begin(self, model: str, *, writes: bool = False) -> None:
        """Begins the next pass, with counts of its own.

        Args:
            model: whose scores it makes, or finds; said where there are several.
            writes: whether it is the last one.
        """
        number, models = self._begun, self._models
        self._begun += 1
        self._writes = writes
        self.tally = Tally()
        end = _BEFORE_CAPTIONS if self._studies else 1.0
        phase = f"Model {number + 1} of {models}" if models > 1 else ""
        if phase and number < models:
            self._link.say(f"{phase}: {model}")
        span = (end * number / models, end * (number + 1) / models)
        if self._studies and number + 1 == models:
            phase = "Study"
        elif number == models:
            phase, span = "", (end, 1.0)
        self._link.begin_pass(self.tally, total=self.total, phase=phase, span=span)

    def look_over(self, rows: ScoredRows, add: Callable[[DecodedRow], object]) -> None:
        """A pass that writes nothing.

        Args:
            rows: the dataset.
            add: takes each row; raises `RowError` for one that fails.

        Raises:
            AllRowsFailedError: no picture is left; EmptySourceError: there was none.
            RowError: a row failed, and the job is to stop.
        """
        self._take_all(rows, lambda row: self._looked_over(row, add))
        self._end(rows)

    def write(self, rows: ScoredRows, finish: Callable[[DecodedRow], None]) -> None:
        """The last pass: every row is finished, in order, and counted by whoever finishes it.

        Raises:
            AllRowsFailedError: no picture is left; EmptySourceError: there was none.
            RowError: a row failed, and the job is to stop.
        """
        self._take_all(rows, finish)
        self._end(rows)

    def failed(self, row: DecodedRow, error: RowError) -> str:
        """Says why a row failed, once in all passes, or raises it where the job is to stop; returns the reason."""
        if self._config.on_error == "stop":
            raise type(error)(f"{row.input.label}: {error}") from error
        if (line := f"Failed: {row.input.label}: {error}") not in self._said:
            self._link.say(line)
        if not self._writes:
            self._said.add(line)
        return str(error)

    def _looked_over(self, row: DecodedRow, add: Callable[[DecodedRow], object]) -> None:
        reason = None
        self.scored_now.note(row)
        status = Status.CAPTIONED if row.input.index in self.scored_now else Status.FROM_SCORES
        try:
            if self._edits.of(row).rejected:
                status = Status.REJECTED
            else:
                add(row)
        except RowError as error:
            reason, status = self.failed(row, error), Status.FAILED
        report = RowReport(row.input.index, row.input.source, status, row.input.name, reason=reason)
        self.tally.add(report, row.input.label)

    def _take_all(self, scored: ScoredRows, finish: Callable[[DecodedRow], None]) -> None:
        for rows in self._link.each(scored.take):
            for row in rows:
                finish(row)
                self._link.tick()

    def _end(self, rows: ScoredRows) -> None:
        self.tally.check_any()
        self.total = self.tally.done
        if rows.ran.device is not None:
            self.ran = rows.ran

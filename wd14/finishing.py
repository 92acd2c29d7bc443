"""Finishes scored rows, in order: each gets its caption and its place; listeners hear what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.data.writer import OutputRow, RowSink
from wd14.errors import RowError
from wd14.job_edits import JobEdits
from wd14.types import DecodedRow, Edit, FinishedRow, RowReport, Status


class Finisher:
    """Captions a row and writes it; a row that fails is reported and leaves nothing behind.

    Args:
        captioner: writes the captions.
        sink: takes the rows.
        config: the parameters.
        edits: a person's.
        failed: says why a row failed and returns the reason, or raises it where the job is to stop.
        scored_before: whether a row's stored scores are those of an earlier job, by its position in the source.
        listeners: each is told of every row, in this order.
    """

    def __init__(
        self,
        captioner: Captioner,
        sink: RowSink,
        config: CaptionConfig,
        edits: JobEdits,
        *,
        failed: Callable[[DecodedRow, RowError], str],
        scored_before: Callable[[int], bool],
        listeners: Sequence[Callable[[FinishedRow], None]],
    ) -> None:
        self._captioner = captioner
        self._sink = sink
        self._config = config
        self._edits = edits
        self._failed = failed
        self._scored_before = scored_before
        self._listeners = listeners

    def __call__(self, row: DecodedRow) -> None:
        """Finishes a row; one that a person rejected is out, also where it would have failed.

        Raises:
            RowError: it failed, and the job is to stop.
            OutputError: the output cannot be written.
        """
        edits = self._edits.of(row)
        if edits.rejected:
            unedited = self._unedited(row)
            finished = FinishedRow(row, _report(row, Status.REJECTED, unedited=unedited), unedited=unedited)
        else:
            try:
                finished = self._captioned(row, edits.edits)
            except RowError as error:
                finished = FinishedRow(row, _report(row, Status.FAILED, reason=self._failed(row, error)))
        if finished.report.name is None and row.staged is not None:
            self._sink.discard(row.staged)
        self._sink.report(finished.report)
        for listener in self._listeners:
            listener(finished)

    def _unedited(self, row: DecodedRow) -> str:
        """The caption that a rejected picture would have, for a person who takes it back."""
        try:
            return self._captioner(row.result.require_scores(), row.input.caption).text
        except RowError:
            return ""

    def _captioned(self, row: DecodedRow, edits: Sequence[Edit]) -> FinishedRow:
        config = self._config
        made = self._captioner(row.result.require_scores(), row.input.caption, edits)
        if too_long := made.tokens is not None and made.tokens > config.max_tokens:
            row.notes.append(f"{made.tokens:,} tokens; the limit is {config.max_tokens:,}")
        scores = tuple(made.scores().items()) if config.include_scores else None
        name = self._sink.add(OutputRow(input=row.input, caption=made.text, staged=row.staged, scores=scores))
        is_stored = row.from_scores and self._scored_before(row.input.index)
        status = Status.FROM_SCORES if is_stored else Status.CAPTIONED
        unedited = made.text if made.unedited is None else made.unedited
        report = _report(row, status, name=name, caption=made.text, unedited=unedited)
        return FinishedRow(row, report, tuple(tag for tag, _ in made.tags), unedited, made.applied, too_long)


def _report(
    row: DecodedRow,
    status: Status,
    *,
    name: str | None = None,
    caption: str | None = None,
    unedited: str | None = None,
    reason: str | None = None,
) -> RowReport:
    source = row.input
    return RowReport(
        source.index,
        source.source,
        status,
        source.name,
        name,
        caption,
        None if unedited == caption else unedited,
        reason,
        row.digest.hex(),
        "" if name is None else row.saved_digest.hex(),
        tuple(row.notes),
    )

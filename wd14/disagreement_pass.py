"""Counts what the models of an ensemble disagree on: in a job, and in the stored scores of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.tagging import Tagging
from wd14.types import Curation, DecodedRow, FinishedRow, FloatArray, Labels, Status

if TYPE_CHECKING:
    from wd14.disagreement import Disagreement
    from wd14.ensemble.disagreement import DisagreementTally
    from wd14.ensemble_rows import StoredScores

_WITH_CAPTION = (Status.CAPTIONED, Status.FROM_SCORES)


class DisagreementPass:
    """Hears the scores of each picture, and counts those whose row got a caption; some 0.5 ms a picture.

    Args:
        tagging: the ensemble.
        config: the parameters.
        curation: what the plan of the dataset does to its captions.
    """

    def __init__(self, tagging: Tagging, config: CaptionConfig, curation: Curation | None) -> None:
        self._tally = _tally(tagging)
        self._tally.leave_out(_never_written(tagging.model.labels, config, curation))
        self._heard: dict[int, Sequence[FloatArray]] = {}  # rows that were scored and are not finished yet: one batch
        self._rows = 0

    def hear(self, row: DecodedRow, each: Sequence[FloatArray]) -> None:
        """Takes the scores of each model, before the row is finished; see `ensemble_rows.EachModel`."""
        self._heard[row.input.index] = each

    def add(self, finished: FinishedRow) -> None:
        """Takes what became of a row, the next one of the report."""
        each = self._heard.pop(finished.row.input.index, None)
        if each is not None and finished.report.status in _WITH_CAPTION:
            self._tally.add(self._rows, finished.row.input.label, each)
        self._rows += 1

    def conclude(self) -> Disagreement:
        """What was counted."""
        return self._tally.conclude()


class StoredDisagreement:
    """Counts the disagreements in stored scores; of one model, or without scores, nothing.

    Args:
        tagging: what tags the dataset, as far as it is known.
        scores: of the dataset, as `Tagging.stored` gives them.
    """

    def __init__(self, tagging: Tagging | Labels | None, scores: StoredScores | None) -> None:
        self._tally: DisagreementTally | None = None
        self._scores = scores
        if isinstance(tagging, Tagging) and tagging.combiner is not None:
            self._labels = tagging.model.labels
            self._tally = _tally(tagging)

    def leave_out(self, config: CaptionConfig, curation: Curation | None) -> None:
        """Leaves out the tags that captions made so have never; to be said before the first picture."""
        if self._tally is not None:
            self._tally.leave_out(_never_written(self._labels, config, curation))

    def add(self, row: int, label: str, picture: bytes) -> None:
        """Counts a picture, in 0.5 ms.

        Args:
            row: its position among the rows.
            label: names it for a person.
            picture: its sha256.
        """
        if self._tally is None:
            return
        from wd14.ensemble_rows import EnsembleScores

        if isinstance(self._scores, EnsembleScores):
            for each in self._scores.each_of_many([picture]).values():
                self._tally.add(row, label, each)

    def findings(self) -> list[dict[str, Any]]:
        """As `Disagreement.findings`."""
        return [] if self._tally is None else self._tally.conclude().findings()


def _never_written(labels: Labels, config: CaptionConfig, curation: Curation | None) -> list[int]:
    """Positions of the tags that the options or the plan leave out of every caption; 0.1 s for 10,000 tags."""
    vocabulary = Vocabulary(labels, config, curation or Curation())
    return [tag for tag, texts in enumerate(vocabulary.written) if not texts]


def _tally(tagging: Tagging) -> DisagreementTally:
    from wd14.ensemble.disagreement import DisagreementTally  # few jobs have several models

    if tagging.combiner is None:
        raise ValueError(f"{tagging.name} is one model: there is nothing to disagree on")
    return DisagreementTally(tagging.combiner, [model.id for model in tagging.models])

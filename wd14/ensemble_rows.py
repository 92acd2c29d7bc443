"""The rows and the stored scores of an ensemble: those of each model, combined.

pass of a further model ─▶ its scores, kept; what it could not score, noted
pass of the first model ─▶ rows with its scores, each combined with the kept ones
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from wd14.config import CaptionConfig
from wd14.ensemble.votes import Combiner
from wd14.errors import RowError, ScoringError
from wd14.model.files.find import ModelFiles
from wd14.model.score_store.model_scores import ModelScores
from wd14.scored_rows import ScoredRows, stored_in
from wd14.types import DecodedRow, FloatArray, InputRow, ScoringResult

#: Pictures of which it is kept why a further model could not score them; of others only that it could not.
_REASONS = 10_000

#: Told of a picture with the scores of each model, (T,) float32 each, the first model's first.
EachModel = Callable[[DecodedRow, Sequence[FloatArray]], None]


class StoredScores(Protocol):
    """The stored scores of what a job tags with. Every method may be called from any thread."""

    def is_empty(self) -> bool:
        """Whether there are none at all, as far as can be told at once."""
        ...

    def get(self, picture: bytes) -> FloatArray | None:
        """Scores of a picture, by its sha256, as captions see them; None = not all of them are stored."""
        ...

    def get_many(self, pictures: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """As `get`; pictures without scores are left out."""
        ...


class FurtherPasses:
    """What further models could not score in their passes of one job.

    Args:
        names: of all models, the first one's first.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._unscored: dict[tuple[int, bytes], str] = {}

    def note(self, model: int, row: DecodedRow) -> None:
        """Takes what became of a row in the pass of a further model; its error then names the model."""
        if isinstance(row.result.error, ScoringError):
            reason = f"{self.names[model]}: {row.result.error}"
            if len(self._unscored) < _REASONS:
                self._unscored[model, row.digest] = reason
            row.result = ScoringResult(error=ScoringError(reason))

    def why_unscored(self, model: int, picture: bytes) -> ScoringError:
        """Why there are no scores of a further model for a picture, by its sha256."""
        lost = f"{self.names[model]} has no scores for this picture: it changed, or the store lost them; try again"
        return ScoringError(self._unscored.get((model, picture), lost))


class FurtherRows(ScoredRows):
    """The rows of a further model's pass; what becomes of them is noted.

    Args:
        passes: takes the notes.
        number: of the model, among all.
        rows, more: as `ScoredRows` takes them, with the model and the config among `rows`.
    """

    def __init__(self, passes: FurtherPasses, number: int, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._passes = passes
        self._number = number

    def take(self, timeout: float) -> list[DecodedRow]:
        """See `ScoredRows.take`."""
        rows = super().take(timeout)
        for row in rows:
            self._passes.note(self._number, row)
        return rows


class CombinedRows(ScoredRows):
    """The first model's rows, with the scores of all models, after the passes of the further ones.

    Rows with the same picture share what scoring gave, so a row gets a result of its own.

    Args:
        passes: of the further models.
        combiner: of all models.
        models: the first one's first.
        rows: the dataset.
        config: the parameters.
        each_model: told of each picture that has all scores, in order, by the thread that takes rows.
        more: as `ScoredRows` takes it.
    """

    def __init__(
        self,
        passes: FurtherPasses,
        combiner: Combiner,
        models: Sequence[ModelFiles],
        rows: Iterable[InputRow],
        config: CaptionConfig,
        *,
        each_model: EachModel | None = None,
        **more: Any,
    ) -> None:
        super().__init__(rows, models[0], config, **more)
        self._passes = passes
        self._combiner = combiner
        self._each_model = each_model
        self._others = [
            [ModelScores(store, model, config) for store in (self._store, self._spare)] for model in models[1:]
        ]

    def take(self, timeout: float) -> list[DecodedRow]:
        """See `ScoredRows.take`."""
        rows = super().take(timeout)
        pictures = list(dict.fromkeys(row.digest for row in rows if row.result.error is None))
        others = [stored_in(stores, pictures, self._original) for stores in self._others]
        for row in rows:
            try:
                row.result = ScoringResult(self._combined(row, others))
            except RowError as error:
                row.result = ScoringResult(error=error.without_frames())
        return rows

    def _combined(self, row: DecodedRow, others: Sequence[dict[bytes, FloatArray]]) -> FloatArray:
        try:
            scores = [row.result.require_scores()]
        except ScoringError as error:
            raise ScoringError(f"{self._passes.names[0]}: {error}") from error
        for number, found in enumerate(others, start=1):
            if row.digest not in found:
                raise self._passes.why_unscored(number, row.digest)
            scores.append(found[row.digest])
        if self._each_model is not None:
            self._each_model(row, scores)
        return self._combiner(scores)


class EnsembleScores:
    """The stored scores of several models, combined; see `StoredScores`."""

    def __init__(self, each: Sequence[ModelScores], combiner: Combiner) -> None:
        self._each = each
        self._combiner = combiner

    def is_empty(self) -> bool:
        return any(scores.is_empty() for scores in self._each)

    def get(self, picture: bytes) -> FloatArray | None:
        return self.get_many([picture]).get(picture)

    def get_many(self, pictures: Sequence[bytes]) -> dict[bytes, FloatArray]:
        return {picture: self._combiner(scores) for picture, scores in self.each_of_many(pictures).items()}

    def each_of_many(self, pictures: Sequence[bytes]) -> dict[bytes, list[FloatArray]]:
        """The scores of each model, by the sha256 of each picture that has them all."""
        found = [scores.get_many(pictures) for scores in self._each]
        return {picture: [each[picture] for each in found] for picture in found[0] if all(picture in f for f in found)}

"""What a job tags with: one model, or an ensemble that captions, study and review see as one.

    further model ─▶ a pass over the dataset ─▶ its scores, kept      (one pass for each further model)
    first model ─▶ rows with its scores, each combined with the kept ones ─▶ rows with the scores of all

Only one model is open at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from wd14.caption.styles import styled
from wd14.caption.thresholds import TagSelector
from wd14.config import NO_MODEL, CaptionConfig
from wd14.ensemble.aliases import aliases
from wd14.ensemble.vocabulary import joint_vocabulary
from wd14.ensemble.votes import Combiner
from wd14.errors import ConfigError, RowError, ScoringError
from wd14.model.files.find import ModelFiles, find_here, find_model
from wd14.model.files.hashes import identity_of
from wd14.model.score_store.model_scores import ModelScores
from wd14.model.score_store.store import ScoreStore, usable_for
from wd14.published import Published
from wd14.scored_rows import ScoredRows
from wd14.stop import StopToken
from wd14.types import SCORE_FLOOR, DecodedRow, FloatArray, InputRow, Labels, Log, ScoringResult

#: Between the names of the models of an ensemble, where they stand in for the name of one.
AND = " + "
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


class Tagging:
    """One model, or an ensemble; for one job, whose passes tell it what they could not score.

    Args:
        models: the files of each, the first model's first.
        config: thresholds and votes.

    Attributes:
        models: as given.
        model: what captions, study and review see: the model, or the ensemble as if it were one.
        name: as a person reads it.
        combiner: of an ensemble; None = there is one model.

    Raises:
        ConfigError: the models do not make an ensemble, or their thresholds do not.
    """

    def __init__(self, models: Sequence[ModelFiles], config: CaptionConfig) -> None:
        self.models = tuple(models)
        self.model = self.models[0]
        self.name = AND.join(model.id for model in self.models)
        self.combiner: Combiner | None = None
        if len(self.models) > 1:
            self.combiner, self.model = _ensemble(self.models, config, self.name)
        self._unscored: dict[tuple[int, bytes], str] = {}
        self._scored_now = bytearray()

    @property
    def further(self) -> tuple[ModelFiles, ...]:
        """The models that go over the dataset before the first one does, in this order."""
        return self.models[1:]

    def further_rows(
        self, model: ModelFiles, rows: Iterable[InputRow], config: CaptionConfig, **more: Any
    ) -> ScoredRows:
        """The rows of a further model's own pass; all are to be taken. They have this model's own scores.

        Args:
            model: one of `further`.
            rows: the dataset.
            config: the parameters; scores must be kept: see `JobScores`.
            more: as `ScoredRows` takes it.
        """
        return _FurtherRows(self, self.models.index(model), rows, model, config, **more)

    def rows(
        self, rows: Iterable[InputRow], config: CaptionConfig, *, each_model: EachModel | None = None, **more: Any
    ) -> ScoredRows:
        """The scored rows that captions are made of, after the passes of `further`.

        A row counts as scored before (`DecodedRow.from_scores`) when no model had to run for it in this job.

        Args:
            rows: the dataset.
            config: the parameters; where there are further models, with what keeps scores: see `JobScores`.
            each_model: told of each picture of an ensemble, in order, by the thread that takes rows.
            more: as `ScoredRows` takes it.
        """
        if self.combiner is None:
            return ScoredRows(rows, self.model, config, **more)
        return _CombinedRows(self, self.combiner, each_model, rows, self.models[0], config, **more)

    def stored(self, store: ScoreStore, config: CaptionConfig) -> StoredScores:
        """The scores of all models that are stored, combined. Reading those of a picture takes some 50 µs a model."""
        each = [ModelScores(store, model, config) for model in self.models]
        return each[0] if self.combiner is None else EnsembleScores(each, self.combiner)

    def note(self, model: int, row: DecodedRow) -> None:
        """Takes what became of a row in the pass of a further model; its error then names the model."""
        if isinstance(row.result.error, ScoringError):
            reason = f"{self.models[model].id}: {row.result.error}"
            if len(self._unscored) < _REASONS:
                self._unscored[model, row.digest] = reason
            row.result = ScoringResult(error=ScoringError(reason))
        elif row.result.error is None and not row.from_scores:
            missing = row.input.index + 1 - len(self._scored_now)
            self._scored_now.extend(bytes(max(0, missing)))
            self._scored_now[row.input.index] = 1

    def scored_now(self, row: int) -> bool:
        """Whether a further model ran for a row in this job, by its position in the source."""
        return row < len(self._scored_now) and bool(self._scored_now[row])

    def why_unscored(self, model: int, picture: bytes) -> ScoringError:
        """Why there are no scores of a further model for a picture, by its sha256."""
        reason = self._unscored.get((model, picture))
        return ScoringError(reason or f"{self.models[model].id} has no scores for this picture")


def find_tagging(config: CaptionConfig, *, log: Log | None = None, stop: StopToken | None = None) -> Tagging:
    """What a job tags with: every model found or downloaded, and checked. Opens no session.

    Raises:
        ConfigError: the models do not make an ensemble.
        ModelError: as `find_model`.
        JobStoppedError: a stop was asked for.
    """
    return Tagging([find_model(name, log=log, stop=stop) for name in models_of(config)], config)


def find_tagging_here(config: CaptionConfig, *, stop: StopToken | None = None) -> Tagging | Labels | None:
    """What of it is on this machine: all, the labels of all, or less (None). Asks nobody.

    Raises:
        ConfigError: the models do not make an ensemble.
        ModelError: as `find_here`.
        JobStoppedError: a stop was asked for.
    """
    models: list[ModelFiles] = []
    labels: list[Labels] = []
    for name in models_of(config):
        found = find_here(name, stop=stop)
        if found is None:
            return None
        labels.append(found.labels if isinstance(found, ModelFiles) else found)
        models += [found] if isinstance(found, ModelFiles) else []
    if len(models) == len(labels):
        return Tagging(models, config)
    return joint_vocabulary(labels, aliases()).labels if len(labels) > 1 else labels[0]


def models_of(config: CaptionConfig) -> tuple[str, ...]:
    """The models of a job as a person named them, the first model first."""
    return config.model, *config.ensemble


def own_thresholds(model: ModelFiles, config: CaptionConfig) -> FloatArray:
    """The threshold of each of a model's tags when it tags by itself, (T,) float32; infinite where it keeps none.

    Raises:
        ConfigError: the model has no thresholds of its own, and the config asks for them; it names the model.
    """
    try:
        selector = TagSelector(model.labels, styled(config), model.thresholds)
    except ConfigError as error:
        raise ConfigError(f"{model.id}: {error}") from error
    return selector.thresholds(np.zeros(len(model.labels), np.float32))


def _ensemble(models: Sequence[ModelFiles], config: CaptionConfig, name: str) -> tuple[Combiner, ModelFiles]:
    """What combines the scores of models, and the model that they are together."""
    _check_models(models)
    vocabulary = joint_vocabulary([model.labels for model in models], aliases())
    for number, model in enumerate(models):
        if not vocabulary.shared_with(number):
            others = " and ".join(other.id for other in models if other is not model)
            raise ConfigError(
                f"Ensemble (ensemble): {model.id} shares no tag with {others}, so they cannot vote. Leave it out, or"
                " name models of one vocabulary"
            )
    thresholds = [own_thresholds(model, config) for model in models]
    for model, own in zip(models, thresholds, strict=True):
        if not usable_for(float(own.min(initial=np.inf))):
            raise ConfigError(
                f"Ensemble (ensemble): a threshold of {model.id} is {float(own.min()):g}; an ensemble needs thresholds"
                f" of at least {SCORE_FLOOR:g}, since lower scores are not stored. Raise it, or leave the ensemble out"
            )
    combiner = Combiner(vocabulary, thresholds, config.ensemble_votes)
    by_tag = dict(enumerate(map(float, combiner.thresholds)))
    together = replace(
        models[0],
        id=name,
        labels=vocabulary.labels,
        thresholds=Published(by_tag=by_tag, is_final=True),
        identity=identity_of("ensemble", *(model.identity for model in models)),
    )
    return combiner, together


def _check_models(models: Sequence[ModelFiles]) -> None:
    seen: dict[str, str] = {}
    for model in models:
        if not len(model.labels):
            raise ConfigError(f"Ensemble (ensemble): {model.id} adds no tag and has no vote: leave {NO_MODEL} out")
        if model.identity in seen:
            first = seen[model.identity]
            names = f"{model.id} twice" if first == model.id else f"{first} and {model.id}, which are one model"
            raise ConfigError(f"Ensemble (ensemble) names {names}: a model has one vote, so name each model once")
        seen[model.identity] = model.id


class _FurtherRows(ScoredRows):
    """Tells the tagging what became of the rows of a further model's pass."""

    def __init__(self, tagging: Tagging, number: int, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._tagging = tagging
        self._number = number

    def take(self, timeout: float) -> list[DecodedRow]:
        """See `ScoredRows.take`."""
        rows = super().take(timeout)
        for row in rows:
            self._tagging.note(self._number, row)
        return rows


class _CombinedRows(ScoredRows):
    """The first model's rows, with the scores of all models.

    Rows with the same picture share what scoring gave, so a row gets a result of its own.
    """

    def __init__(
        self, tagging: Tagging, combiner: Combiner, each_model: EachModel | None, *words: Any, **more: Any
    ) -> None:
        super().__init__(*words, **more)
        self._tagging = tagging
        self._combiner = combiner
        self._each_model = each_model
        config = words[2]
        self._others = [
            [ModelScores(store, model, config) for store in (self._store, self._spare)] for model in tagging.further
        ]

    def take(self, timeout: float) -> list[DecodedRow]:
        """See `ScoredRows.take`."""
        rows = super().take(timeout)
        pictures = list(dict.fromkeys(row.digest for row in rows if row.result.error is None))
        others = [_found(stores, pictures) for stores in self._others]
        for row in rows:
            row.from_scores = row.from_scores and not self._tagging.scored_now(row.input.index)
            try:
                row.result = ScoringResult(self._combined(row, others))
            except RowError as error:
                row.result = ScoringResult(error=error.without_frames())
        return rows

    def _combined(self, row: DecodedRow, others: Sequence[dict[bytes, FloatArray]]) -> FloatArray:
        try:
            scores = [row.result.require_scores()]
        except ScoringError as error:
            raise ScoringError(f"{self._tagging.models[0].id}: {error}") from error
        for number, found in enumerate(others, start=1):
            if row.digest not in found:
                raise self._tagging.why_unscored(number, row.digest)
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


def _found(stores: Iterable[ModelScores], pictures: Sequence[bytes]) -> dict[bytes, FloatArray]:
    found: dict[bytes, FloatArray] = {}
    for scores in stores:
        found |= scores.get_many([picture for picture in pictures if picture not in found])
    return found

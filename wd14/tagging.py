"""What a job tags with: one model, or an ensemble that captions, study and review see as one.

    further model ─▶ a pass over the dataset ─▶ its scores, kept      (one pass for each further model)
    first model ─▶ rows with its scores, each combined with the kept ones ─▶ rows with the scores of all

Only one model is open at a time. What combines scores is imported where there are several models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wd14.caption.styles import styled
from wd14.caption.tag_thresholds import given_tag_thresholds
from wd14.caption.thresholds import TagSelector
from wd14.config import NO_MODEL, CaptionConfig
from wd14.data.provenance import model_of_run
from wd14.errors import ConfigError
from wd14.messages import AND, ensemble_lines, opening_lines, thresholds_in_words
from wd14.model.files.find import ModelFiles, find_here, find_model
from wd14.model.files.hashes import identity_of
from wd14.model.score_store.model_scores import ModelScores
from wd14.model.score_store.store import ScoreStore, usable_for
from wd14.published import Published
from wd14.regular_files import whole_path
from wd14.stop import StopToken
from wd14.types import SCORE_FLOOR, FloatArray, InputRow, Labels, Log

if TYPE_CHECKING:
    from wd14.ensemble.vocabulary import JointVocabulary
    from wd14.ensemble.votes import Combiner
    from wd14.ensemble_rows import EachModel, FurtherPasses, StoredScores
    from wd14.scored_rows import ScoredRows


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
        self._passes: FurtherPasses
        if len(self.models) > 1:
            from wd14.ensemble_rows import FurtherPasses

            self.combiner, self.model = _ensemble(self.models, config, self.name)
            self._passes = FurtherPasses([model.id for model in self.models])

    @property
    def further(self) -> tuple[ModelFiles, ...]:
        """The models that go over the dataset before the first one does, in this order."""
        return self.models[1:]

    def opening_lines(self, config: CaptionConfig) -> Iterator[str]:
        """The models, their thresholds, and every parameter that is not at its default."""
        if self.combiner is None:
            return opening_lines(config, self.model.labels, self.model.thresholds, self.name)
        models = [(model.id, model.labels, model.thresholds) for model in self.models]
        return ensemble_lines(config, len(self.model.labels), models)

    def thresholds_in_words(self, config: CaptionConfig) -> str:
        """`general 0.35, character 0.85`; of models that differ those of each."""
        each = [thresholds_in_words(config, model.labels, model.thresholds) for model in self.models]
        return "; ".join(dict.fromkeys(each))

    def provenance(self, config: CaptionConfig) -> dict[str, Any]:
        """What identifies the models, for `provenance`."""
        first, *further = (
            model_of_run(name, model.identity, model.thresholds)
            for name, model in zip(models_of(config), self.models, strict=True)
        )
        return first | {"ensemble": further, "votes": config.ensemble_votes} if further else first

    def further_rows(
        self, model: ModelFiles, rows: Iterable[InputRow], config: CaptionConfig, **more: Any
    ) -> ScoredRows:
        """The rows of a further model's own pass; all are to be taken. They have this model's own scores.

        Args:
            model: one of `further`.
            rows: the dataset.
            config: the parameters.
            more: as `ScoredRows` takes it; the scores have to be kept for the last pass: see `JobScores.spare`.
        """
        from wd14.ensemble_rows import FurtherRows

        return FurtherRows(self._passes, self.models.index(model), rows, model, config, **more)

    def rows(
        self, rows: Iterable[InputRow], config: CaptionConfig, *, each_model: EachModel | None = None, **more: Any
    ) -> ScoredRows:
        """The scored rows that captions are made of, after the passes of `further`.

        Args:
            rows: the dataset.
            config: the parameters.
            each_model: told of each picture of an ensemble, in order, by the thread that takes rows.
            more: as `ScoredRows` takes it.
        """
        if self.combiner is None:
            from wd14.scored_rows import ScoredRows

            return ScoredRows(rows, self.model, config, **more)
        from wd14.ensemble_rows import CombinedRows

        return CombinedRows(self._passes, self.combiner, self.models, rows, config, each_model=each_model, **more)

    def stored(self, store: ScoreStore, config: CaptionConfig) -> StoredScores:
        """The scores of all models that are stored, combined. Reading those of a picture takes some 50 µs a model."""
        each = [ModelScores(store, model, config) for model in self.models]
        if self.combiner is None:
            return each[0]
        from wd14.ensemble_rows import EnsembleScores

        return EnsembleScores(each, self.combiner)


def find_tagging(config: CaptionConfig, *, log: Log | None = None, stop: StopToken | None = None) -> Tagging:
    """What a job tags with: every model found or downloaded, and checked. Opens no session.

    Raises:
        ConfigError: the models do not make an ensemble.
        ModelError: as `find_model`.
        JobStoppedError: a stop was asked for.
    """
    return with_further_models(find_model(config.model, log=log, stop=stop), config, log=log, stop=stop)


def with_further_models(
    first: ModelFiles, config: CaptionConfig, *, log: Log | None = None, stop: StopToken | None = None
) -> Tagging:
    """As `find_tagging`, of a first model that was found already."""
    tagging = Tagging([first, *(find_model(name, log=log, stop=stop) for name in config.ensemble)], config)
    if tagging.further:
        from wd14.model.runtimes.memory_limit import make_room

        make_room(tagging.models)
    return tagging


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
    return labels[0] if len(labels) == 1 else _joint(labels).labels


def with_whole_paths(config: CaptionConfig) -> CaptionConfig:
    """The parameters with models that lie here named by their whole path: the same ones from any folder."""
    whole = {
        "generation_model": whole_path(config.generation_model),
        "custom_model": whole_path(config.custom_model),
        "ensemble": tuple(map(whole_path, config.ensemble)),
    }
    return config.model_copy(update={key: value for key, value in whole.items() if value != getattr(config, key)})


def models_of(config: CaptionConfig) -> tuple[str, ...]:
    """The models of a job as a person named them, the first model first."""
    return config.model, *config.ensemble


def _ensemble(models: Sequence[ModelFiles], config: CaptionConfig, name: str) -> tuple[Combiner, ModelFiles]:
    """What combines the scores of models, and the model that they are together."""
    _check_models(models)
    from wd14.ensemble.votes import Combiner

    given_tag_thresholds(config.tag_thresholds)  # a file that cannot be read is not the fault of a model
    vocabulary = _joint([model.labels for model in models])
    for number, model in reversed([*enumerate(models)]):
        if not vocabulary.shared_with(number):
            others = " and ".join(other.id for other in models if other is not model)
            raise ConfigError(
                f"Ensemble (ensemble): {model.id} shares no tag with {others}, so they cannot vote. Leave it out, or"
                " name models of one vocabulary"
            )
    thresholds = [
        _thresholds_alone(model, vocabulary.renamed(number, model.labels), config)
        for number, model in enumerate(models)
    ]
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


def _joint(labels: Sequence[Labels]) -> JointVocabulary:
    from wd14.ensemble.aliases import aliases
    from wd14.ensemble.vocabulary import joint_vocabulary

    return joint_vocabulary(labels, aliases())


def _thresholds_alone(model: ModelFiles, labels: Labels, config: CaptionConfig) -> FloatArray:
    """The threshold of each of a model's tags when it tags by itself, (T,) float32; infinite where it keeps none.

    Args:
        model: its files.
        labels: its tags, named as the ensemble names them, so that thresholds by name hold for all models.
        config: the parameters.
    """
    try:
        selector = TagSelector(labels, styled(config), model.thresholds)
    except ConfigError as error:
        raise ConfigError(f"{model.id}: {error}") from error
    return selector.thresholds(np.zeros(len(labels), np.float32))


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

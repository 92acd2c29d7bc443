"""What a check knows of a dataset before it reads a row: from the caller, and from the run that made the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wd14.caption.styles import styled
from wd14.caption.thresholds import TagThresholds
from wd14.config import NO_MODEL, CaptionConfig
from wd14.curation.checks.expected import USUAL_TOKENS, Expected
from wd14.curation.plan import Plan, read_plan
from wd14.data.provenance import MADE_BY
from wd14.data.sources.values import read_json_object
from wd14.errors import ConfigError, SourceError
from wd14.published import SAY_THRESHOLDS, Published
from wd14.regular_files import mode_of
from wd14.types import FloatArray, Labels

#: Parameters of the run that made the dataset which say what its captions are like, or under what its scores are kept.
_OF_THE_RUN = frozenset(
    {
        *("generation_model", "custom_model", "cache_folder"),
        *("profile", "image_size", "exif_orientation", "precision"),
        *("caption_column", "caption_extension", "caption_separator", "caption_style", "rating", "tag_replacement"),
        *("trainer", "trigger_words", "purpose", "fold_tags", "keep_tags", "undesired_tags", "always_first_tags"),
        *("max_tags", "max_tokens", "implications"),
        # Those of an ensemble decide on its scores, too.
        *("ensemble", "ensemble_votes", "tag_thresholds", *SAY_THRESHOLDS),
    }
)
#: How a dataset is read for a check.
_READING: Mapping[str, Any] = {"append_tags": True, "in_place": False, "keep_columns": False}


@dataclass(frozen=True)
class CheckSettings:
    """What is known of a dataset.

    Attributes:
        config: the caller's parameters, else those of the run that made the dataset, else the defaults.
        is_ours: whether a run of this program made the dataset.
        given: keys of the parameters that the caller gave.
        planned: tags that the dataset's plan left out.
        remarks: lines about what could not be read.
        made: what provenance.json says of a dataset that is ours.
        plan: of the run, if it made one.
    """

    config: CaptionConfig
    is_ours: bool = False
    given: frozenset[str] = frozenset()
    planned: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan | None = None

    @property
    def run(self) -> CaptionConfig | None:
        """All parameters of the run that made the dataset; None where they are not known.

        Raises:
            ConfigError: provenance.json has parameters that this program does not allow.
        """
        parameters = _parameters(self.made)
        return None if parameters is None else CaptionConfig.from_values(parameters)

    def expected(self, labels: Labels | None, published: Published | None = None) -> Expected:
        """What the rules are to expect; it takes as long as a `Captioner`.

        Args:
            labels: the model's tags, where they are known.
            published: the model's own thresholds, the same.
        """
        config, given = self.config, self.given
        thresholds = None if labels is None else _thresholds(labels, config, published or Published())
        asked = config.max_tokens if "max_tokens" in given or config.max_tokens else None
        return Expected(
            separator=config.caption_separator,
            trigger_words=config.trigger_words,
            purpose=config.purpose if self.is_ours or "purpose" in given else None,
            has_ratings=self._has_ratings(),
            left_out=(*config.undesired_tags, *config.fold_tags, *self.planned),
            kept=config.keep_tags,
            has_repeats=self.is_ours and config.trainer != "none",
            words=self._own_words(),
            labels=labels,
            max_tokens=USUAL_TOKENS if asked is None else asked,
            asked_tokens=asked is not None,
            lists_all=thresholds is not None and not (config.max_tags or config.max_tokens or config.implications),
            thresholds=thresholds,
        )

    def _has_ratings(self) -> bool | None:
        """Kohya's captions have a rating where one was asked for; those of other styles have one of their own."""
        if not self.is_ours and not self.given & {"caption_style", "rating"}:
            return None
        return self.config.caption_style != "kohya" or self.config.rating != "none"

    def _own_words(self) -> tuple[str, ...]:
        config = self.config
        targets = [target for _, target in config.tag_replacement]
        separator = config.caption_separator
        return (*config.always_first_tags, *(word for text in targets for word in text.split(separator or None)))


def _thresholds(labels: Labels, config: CaptionConfig, published: Published) -> FloatArray | None:
    """From which score on captions have each tag, (T,) float32; None where that is not known, or is no one score."""
    try:
        table = TagThresholds(labels, styled(config), published)
    except ConfigError:  # the file of thresholds has gone, or the model is here without its own
        return None
    return None if table.cut else table.in_use.astype(np.float32)


def settings_for(dataset: str | Path, parameters: Mapping[str, Any]) -> CheckSettings:
    """What is known of a dataset.

    Args:
        dataset: its folder, or whatever else a source is; only a folder can be one of ours.
        parameters: the caller's, as `CaptionConfig` takes them; they win.

    Raises:
        ConfigError: a parameter cannot have this value.
    """
    given = frozenset(parameters)
    values = {"split": "all", **parameters, **_READING}
    config = CaptionConfig.from_values(values)
    remarks: list[str] = []
    made = _provenance(Path(dataset), remarks)
    if not str(made.get("made_by", "")).startswith(MADE_BY):
        return CheckSettings(config, given=given, remarks=tuple(remarks))
    run = _parameters(made) or {}
    of_the_run = {key: run[key] for key in _OF_THE_RUN & run.keys()}
    try:
        config = CaptionConfig.from_values(of_the_run | _without_the_runs_model(given, of_the_run) | values)
    except ConfigError as error:
        remarks.append(f"whether captions follow the parameters in provenance.json: {error}")
    plan = _plan(Path(dataset), remarks)
    planned = () if plan is None else plan.left_out
    return CheckSettings(config, True, given, planned, tuple(remarks), made, plan)


def _parameters(made: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters that were given to a run. A caption style decides on the others: they are no defaults."""
    run, given = made.get("parameters"), made.get("given")
    if not isinstance(run, dict):
        return None
    return {key: run[key] for key in run if key in given} if isinstance(given, list) else run


def _without_the_runs_model(given: frozenset[str], run: Mapping[str, Any]) -> dict[str, Any]:
    """A model that the caller names counts, also where the run had one of its own; the model without tags has none."""
    models = {"generation_model", "custom_model", "ensemble"} & run.keys()
    if any(str(run[key]).strip().lower() == NO_MODEL for key in models):
        return dict.fromkeys(models, "")
    if not given & {"generation_model", "custom_model"}:
        return {}
    return dict.fromkeys(models - {"generation_model"}, "")


def _beside(dataset: Path, name: str) -> Path:
    """Where a file about a dataset lies: what `scale` writes has it among its own."""
    return dataset / name if mode_of(dataset / "manifest.json") else dataset / ".wd14" / name


def _provenance(dataset: Path, remarks: list[str]) -> dict[str, Any]:
    """How the dataset was made; empty where that is not said."""
    path = _beside(dataset, "provenance.json")
    try:
        return read_json_object(path) if mode_of(path) else {}
    except SourceError as error:
        remarks.append(f"what provenance.json says: {error}")
        return {}


def _plan(dataset: Path, remarks: list[str]) -> Plan | None:
    """The dataset's plan, which took tags out of all captions."""
    path = _beside(dataset, "plan.json")
    try:
        return read_plan(path) if mode_of(path) else None
    except ConfigError as error:
        remarks.append(f"what plan.json says: {error}")
        return None

"""The thresholds that come with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wd14.config import CaptionConfig

#: Parameters that say which thresholds a person wants; where one was set, a model's own are not used by themselves.
SAY_THRESHOLDS = frozenset(
    {"thresh", "general_threshold", "character_threshold", "category_thresholds", "threshold_mode"}
)


@dataclass(frozen=True, slots=True)
class Published:
    """Thresholds that a model's author published, 0..1; empty where none are known.

    Attributes:
        by_category: category -> threshold, or "all" -> threshold of every category that is not named.
        by_tag: position of a tag -> its threshold, which counts before its category's.
        is_preferred: whether they are used where a person sets none: the model works far from the usual 0.35.
        is_final: whether `by_tag` already holds every tag's threshold in use, a person's included: those of an
            ensemble, which follow from the thresholds of its models.
    """

    by_category: Mapping[str, float] = field(default_factory=dict)
    by_tag: Mapping[int, float] = field(default_factory=dict)
    is_preferred: bool = False
    is_final: bool = False

    def __bool__(self) -> bool:
        return bool(self.by_category or self.by_tag)


def mode_in_use(config: CaptionConfig, published: Published) -> Literal["fixed", "model", "mcut"]:
    """Where the thresholds come from: "model" also where a person set none and the model prefers its own."""
    return "model" if uses_own_unasked(config, published) else config.threshold_mode


def uses_own_unasked(config: CaptionConfig, published: Published) -> bool:
    """Whether the model's own thresholds are used because it works far from the usual ones, and none was set."""
    return published.is_preferred and bool(published) and not SAY_THRESHOLDS & config.model_fields_set

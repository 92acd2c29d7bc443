"""Which tags are kept: scores and thresholds -> positions in the model's list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.types import SCORE_FLOOR, UNUSED, FloatArray, Labels

IndexArray = NDArray[np.intp]

#: One tag of each of these describes the picture as a whole; the best is taken and no threshold counts.
SINGLE_CATEGORIES = ("rating", "quality")

#: MCut: the WD14 author's Space keeps no character below this. Ours keeps no tag at all below it, or a picture
#: in which the model sees nothing (best score 0.015) would be captioned with noise.
MCUT_FLOOR = 0.15

#: For models with a tag_mapping.json, kohya takes no rating or quality tag below the lowest of these thresholds.
_KOHYA_CATEGORIES = ("general", "character", "copyright", "meta", "model", "artist")


def mcut(scores: FloatArray, *, one_may_dominate: bool) -> float:
    """The lowest score that Maximum Cut keeps: the one above the widest gap between neighbouring scores.

    Largeron, Moulin & Gery, "MCut: A Thresholding Strategy for Multi-label Classification", IDA 2012.

    Args:
        scores: a category's scores, in any order, 0..1.
        one_may_dominate: whether a single kept tag is an answer. It is for characters; one general tag far above
            the rest (0.99 before 0.45, 0.44, …) would drop them all, so there the widest gap below it counts.
    """
    ranked = np.sort(scores[scores >= np.float32(SCORE_FLOOR)])[::-1]
    if ranked.size == 0:
        return MCUT_FLOOR
    gaps = ranked - np.append(ranked[1:], np.float32(0))
    last_kept = int(gaps.argmax())
    if last_kept == 0 and not one_may_dominate and ranked.size > 1:
        last_kept = 1 + int(gaps[1:].argmax())
    return max(MCUT_FLOOR, float(ranked[last_kept]))


def fixed_thresholds(labels: Labels, config: CaptionConfig, published: Mapping[str, float]) -> dict[str, float | None]:
    """The threshold of each category of a model, 0..1 or above for "off"; None = Maximum Cut finds it per picture.

    A threshold that a person wrote for a category holds in every mode. Categories of which a picture has one tag
    (`SINGLE_CATEGORIES`) are not among them.
    """
    sizes = Counter(labels.categories)
    thresholds: dict[str, float | None] = {}
    for category in sizes:
        if category in SINGLE_CATEGORIES or category == UNUSED:
            continue
        by_mcut = config.threshold_mode == "mcut" and category not in config.category_thresholds
        # One score has no gap to a neighbour.
        thresholds[category] = None if by_mcut and sizes[category] > 1 else _threshold(category, config, published)
    return thresholds


def lowest_threshold(labels: Labels, config: CaptionConfig, published: Mapping[str, float]) -> float:
    """The lowest score that can count for a caption: below `SCORE_FLOOR`, stored scores will not do."""
    fixed = fixed_thresholds(labels, config, published).values()
    return min((threshold for threshold in fixed if threshold is not None), default=1.0)


class Selector:
    """Compares scores with thresholds, in float32 and with `>=`, as kohya does under NumPy 2.

    Args:
        labels: the model's tags.
        config: thresholds and their mode.
        published: thresholds that the model's author published, by category or for "all".
        unwanted: positions of tags that are never kept.

    Raises:
        ConfigError: the mode is "model" and the author published none.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        *,
        published: Mapping[str, float],
        unwanted: Iterable[int] = (),
    ) -> None:
        if config.threshold_mode == "model" and not published:
            raise ConfigError(
                "Threshold Mode (threshold_mode) is 'model', but this model comes with no published"
                " threshold; choose fixed or mcut"
            )
        categories = np.array(labels.categories)
        self._thresholds = np.full(len(labels), np.inf, np.float32)
        self._mcut: list[tuple[slice | IndexArray, bool]] = []
        for category, threshold in fixed_thresholds(labels, config, published).items():
            where = np.flatnonzero(categories == category)
            if threshold is not None:
                self._thresholds[where] = threshold
                continue
            block = slice(int(where[0]), int(where[-1]) + 1)
            is_one_block = where.size == where[-1] + 1 - where[0]
            self._mcut.append((block if is_one_block else where, category != "general"))
        self.remarks = tuple(
            f"Thresholds by Category: this model has no category {category!r}"
            for category in config.category_thresholds
            if category not in labels.categories
        )
        self._unwanted = np.array(sorted(set(unwanted)), np.intp)
        self._thresholds[self._unwanted] = np.inf
        self._singles = {
            category: _Single(np.flatnonzero(categories == category), labels, config, category, self._unwanted)
            for category in SINGLE_CATEGORIES
        }

    def tags(self, scores: FloatArray) -> IndexArray:
        """Positions of the tags that are kept, ascending; ratings and quality tags are not among them."""
        if not self._mcut:
            return np.flatnonzero(scores >= self._thresholds)
        thresholds = self._thresholds.copy()
        for where, one_may_dominate in self._mcut:
            thresholds[where] = mcut(scores[where], one_may_dominate=one_may_dominate)
        thresholds[self._unwanted] = np.inf
        return np.flatnonzero(scores >= thresholds)

    def single(self, category: str, scores: FloatArray) -> int | None:
        """Position of the best tag of "rating" or "quality"; None when there is none, or it is not wanted."""
        return self._singles[category].best(scores)


class _Single:
    """The best tag of a category of which a picture has one."""

    def __init__(
        self, where: IndexArray, labels: Labels, config: CaptionConfig, category: str, unwanted: IndexArray
    ) -> None:
        self._unwanted = set(unwanted.tolist())
        least = config.category_thresholds.get(category)
        if labels.order == "score":
            # kohya looks for the best among the wanted ones here, and for a CSV's models at the best alone.
            where = np.array([i for i in where.tolist() if i not in self._unwanted], np.intp)
            if least is None:
                least = min([config.thresh, *(config.threshold_for(c) for c in _KOHYA_CATEGORIES)])
        self._where = where
        self._least = np.float32(0 if least is None else least)

    def best(self, scores: FloatArray) -> int | None:
        if not self._where.size:
            return None
        best = int(self._where[scores[self._where].argmax()])
        return None if best in self._unwanted or scores[best] < self._least else best


def _threshold(category: str, config: CaptionConfig, published: Mapping[str, float]) -> float:
    if config.threshold_mode == "model" and category not in config.category_thresholds:
        own = published.get(category, published.get("all"))
        if own is not None:
            return own
    return config.threshold_for(category)

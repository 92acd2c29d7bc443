"""Which tags are kept: thresholds, the same for every picture or cut for each, and the best rating."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from wd14.caption.styles import SINGLE_CATEGORIES, styled
from wd14.caption.tag_thresholds import OwnThresholds, own_thresholds
from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.published import Published, mode_in_use
from wd14.types import SCORE_FLOOR, UNUSED, FloatArray, IndexArray, Labels

#: Maximum Cut keeps no score below this. The WD14 author's Space applies it to characters only; general tags need it
#: too, or a picture in which the model recognises nothing (best score 0.015) is captioned with noise.
MCUT_FLOOR = 0.15

#: For models with a tag_mapping.json, kohya takes no rating or quality tag below the lowest of these thresholds.
KOHYA_CATEGORIES = ("general", "character", "copyright", "meta", "model", "artist")

#: Categories whose tags have no threshold each: of the first a picture has the best one.
_WITHOUT = (*SINGLE_CATEGORIES, UNUSED)


def mcut(scores: FloatArray, *, one_may_dominate: bool) -> float:
    """The lowest score that Maximum Cut keeps: the one above the widest gap between neighbouring scores.

    Largeron, Moulin & Gery, "MCut: A Thresholding Strategy for Multi-label Classification", IDA 2012.

    Args:
        scores: a category's scores, in any order, 0..1.
        one_may_dominate: whether a single tag may be all that is kept. Right for characters; a general tag far above
            the others (0.99 before 0.45, 0.44, …) would drop them all, so for those the widest gap below it counts.
    """
    ranked = np.sort(scores[scores >= np.float32(SCORE_FLOOR)])[::-1]
    if ranked.size == 0:
        return MCUT_FLOOR
    gaps = ranked - np.append(ranked[1:], np.float32(0))
    first = 0 if one_may_dominate or ranked.size == 1 else 1
    last_kept = first + int(gaps[first:].argmax())
    return max(MCUT_FLOOR, float(ranked[last_kept]))


def lowest_threshold(labels: Labels, config: CaptionConfig, published: Published) -> float:
    """The lowest threshold in use, 0..1 or above: below `SCORE_FLOOR`, stored scores cannot answer for fresh ones.

    Raises:
        ConfigError: as `TagSelector`.
    """
    return TagSelector(labels, styled(config), published).lowest_threshold


class TagThresholds:
    """The threshold of every tag, as it is before a picture is cut: a person's own, the model's, or a category's.

    Args:
        labels: the model's tags.
        config: thresholds and their mode.
        published: the model's own thresholds.

    Attributes:
        places: category -> positions of its tags, ascending.
        usual: (T,) float64, what a tag has without one of a person's own for it; above 1 = never kept; infinite for
            ratings and quality tags. Where a picture is cut, the lowest that a cut can give.
        in_use: (T,) float64, with a person's own.
        own: the person's own.
        by_category: category -> threshold of its tags that have none of their own.
        cut: categories that are cut for each picture by itself.
        remarks: lines for the log.

    Raises:
        ConfigError: the mode is "model" and the author published no threshold, or a file of thresholds cannot be read.
    """

    def __init__(self, labels: Labels, config: CaptionConfig, published: Published) -> None:
        mode = mode_in_use(config, published)
        if mode == "model" and not published:
            raise ConfigError(
                "Threshold Mode (threshold_mode) is 'model', but this model comes with no published"
                " threshold; choose fixed or mcut"
            )
        categories = np.array(labels.categories)
        self.places = {each: np.flatnonzero(categories == each) for each in dict.fromkeys(labels.categories)}
        self.usual = np.full(len(labels), np.inf)
        self.by_category: dict[str, float] = {}
        self.cut: dict[str, IndexArray] = {}
        for category, where in self.places.items():
            if category in _WITHOUT:
                continue
            # A category that the user gave a threshold has it in every mode, and one score has no gap to be cut at.
            if mode == "mcut" and category not in config.category_thresholds and where.size > 1:
                self.cut[category] = where
                self.by_category[category] = MCUT_FLOOR
            else:
                self.by_category[category] = _of_category(category, config, published)
            self.usual[where] = self.by_category[category]
        if published.by_tag and (mode == "model" or published.is_final):
            self._take(published, config)
        given = own_thresholds(labels, config.tag_thresholds, without=_WITHOUT)
        self.own = OwnThresholds(remarks=given.remarks) if published.is_final else given
        self.in_use = self.usual.copy()
        for tag, threshold in self.own.absolute.items():
            self.in_use[tag] = threshold
        for tag, difference in self.own.relative.items():
            self.in_use[tag] = moved(float(self.usual[tag]), difference)
        self.remarks = [
            *(
                f"Thresholds by Category: this model has no category {category!r}"
                for category in config.category_thresholds
                if category not in labels.categories
            ),
            *self.own.remarks,
        ]

    def _take(self, published: Published, config: CaptionConfig) -> None:
        """Takes the thresholds of single tags that came with the model."""
        tags = np.fromiter(published.by_tag.keys(), np.intp, len(published.by_tag))
        thresholds = np.fromiter(published.by_tag.values(), np.float64, len(published.by_tag))
        without = set(_WITHOUT)
        if published.is_final:
            self.usual[:] = np.inf
        else:
            without |= config.category_thresholds.keys()
        has_one = np.ones(self.usual.size, np.bool_)
        for category in without & self.places.keys():
            has_one[self.places[category]] = False
        self.usual[tags[has_one[tags]]] = thresholds[has_one[tags]]


class TagSelector:
    """Compares scores with thresholds, in float32 and with `>=`, as kohya does under NumPy 2.

    Args:
        labels: the model's tags.
        config: thresholds and their mode.
        published: thresholds that the model's author published.
        unwanted: positions of tags that are never kept.

    Attributes:
        lowest_threshold: the lowest that is in use; infinite when nothing can be kept. The rating's does not count,
            because ratings are stored however low they are.
        remarks: lines for the log.

    Raises:
        ConfigError: the mode is "model" and the author published no threshold, or a file of thresholds cannot be read.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        published: Published,
        unwanted: Collection[int] = (),
    ) -> None:
        table = TagThresholds(labels, config, published)
        self.remarks = table.remarks
        self._unwanted = np.array(list(unwanted), np.intp)
        self._thresholds = table.in_use.astype(np.float32)
        self._thresholds[self._unwanted] = np.inf
        self._cut: list[tuple[slice | IndexArray, bool]] = []
        for category, where in table.cut.items():
            block = slice(int(where[0]), int(where[-1]) + 1)
            is_block = where.size == block.stop - block.start  # a slice is read several times as fast
            self._cut.append((block if is_block else where, category != "general"))
        self._absolute = _as_arrays(table.own.absolute, table.cut)
        self._relative = _as_arrays(table.own.relative, table.cut)
        self.lowest_threshold = float(self._thresholds.min(initial=np.inf))

        self._singles: dict[str, tuple[IndexArray, FloatArray]] = {}
        for category in SINGLE_CATEGORIES:
            where = table.places.get(category, np.array([], np.intp))
            wanted = ~np.isin(where, self._unwanted)
            if labels.order == "score":
                # Here kohya looks for the best wanted one; in a CSV model the best one is written, or none.
                where, wanted = where[wanted], wanted[wanted]
            thresholds = np.where(wanted, single_threshold(category, labels, config), np.inf).astype(np.float32)
            self._singles[category] = where, thresholds
        if config.quality != "none":
            self.lowest_threshold = min(self.lowest_threshold, float(self._singles["quality"][1].min(initial=np.inf)))

    def tags(self, scores: FloatArray) -> IndexArray:
        """Positions of the tags that are kept, ascending; ratings and quality tags are not among them."""
        return np.flatnonzero(scores >= self.thresholds(scores))

    def thresholds(self, scores: FloatArray) -> FloatArray:
        """The threshold of every tag for a picture with these scores, (T,) float32; infinite where there is none."""
        thresholds = self._thresholds
        if self._cut:
            thresholds = thresholds.copy()
            for where, one_may_dominate in self._cut:
                thresholds[where] = mcut(scores[where], one_may_dominate=one_may_dominate)
            tags, differences = self._relative
            thresholds[tags] += differences
            tags, values = self._absolute
            thresholds[tags] = values
            thresholds[self._unwanted] = np.inf
        return thresholds

    def best(self, categories: Iterable[str], scores: FloatArray) -> list[int]:
        """Positions of the best tag of each category, "rating" or "quality"; none that is unwanted or too low."""
        found: list[int] = []
        for category in categories:
            where, thresholds = self._singles[category]
            if where.size:
                best = int(scores[where].argmax())
                if scores[where[best]] >= thresholds[best]:
                    found.append(int(where[best]))
        return found


def _as_arrays(own: Mapping[int, float], cut: Mapping[str, IndexArray]) -> tuple[IndexArray, FloatArray]:
    """Positions among those of the categories that are cut, and what a person set for them."""
    among = set(np.concatenate([*cut.values()]).tolist()) if own and cut else set[int]()
    chosen = {tag: value for tag, value in own.items() if tag in among}
    return np.array(list(chosen), np.intp), np.array(list(chosen.values()), np.float32)


def moved(threshold: float, difference: float) -> float:
    """A threshold with what a person adds to it; "off" stays off, and above 1 nothing is kept."""
    return threshold if threshold > 1 else max(0.0, threshold + difference)


def _of_category(category: str, config: CaptionConfig, published: Published) -> float:
    """A category's threshold that is not cut, 0..1 or above for "off"."""
    if mode_in_use(config, published) == "model" and category not in config.category_thresholds:
        return published.by_category.get(category, published.by_category.get("all", config.threshold_for(category)))
    return config.threshold_for(category)


def single_threshold(category: str, labels: Labels, config: CaptionConfig) -> float:
    """The threshold of "rating" or "quality"."""
    if category in config.category_thresholds:
        return config.category_thresholds[category]
    if labels.order == "score":
        return min(config.thresh, *map(config.threshold_for, KOHYA_CATEGORIES))
    return 0 if category == "rating" else SCORE_FLOOR  # lower quality scores are not stored

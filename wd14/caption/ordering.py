"""The order in which a picture's tags are written, and how many of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wd14.caption.implications import Implications
from wd14.caption.thresholds import SINGLE_CATEGORIES, IndexArray
from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.types import FloatArray, Labels


class TagOrder:
    """Kept tags -> ids of texts in the order in which they are written, with their scores."""

    def __init__(self, labels: Labels, config: CaptionConfig, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._order = config.tag_order
        if config.tag_order == "model" and labels.order == "score":
            self._order = "score"
        self._characters_first = config.character_tags_first
        self._max_tags = config.max_tags
        self._position = _model_order(labels)
        self._sorted = bool((np.diff(self._position) >= 0).all()) or labels.order == "score"
        self._is_character = [category == "character" for category in labels.categories]
        self._implications = None
        if config.remove_implied_tags or config.implications:
            self._implications = Implications(labels, by_words=config.remove_implied_tags, table=config.implications)
        self._any_first = bool(config.always_first_tags)
        self._places = {"rating": config.rating, "quality": config.quality}

    def __call__(self, kept: IndexArray, scores: FloatArray, singles: dict[str, int | None]) -> list[tuple[int, float]]:
        """`kept` ascending; `singles` the rating and the quality tag, where the config gives them a place."""
        tags = self._ordered(self._without_implied(kept), scores)
        written = self._written(tags, scores)
        if self._order == "alphabetical":
            written = self._alphabetical(written, tags)
        if self._max_tags and len(written) > self._max_tags:
            ranked = sorted(range(len(written)), key=lambda i: -written[i][1])
            best = set(ranked[: self._max_tags])
            written = [entry for i, entry in enumerate(written) if i in best]
        return self._with_first(self._with_singles(written, scores, singles))

    def _without_implied(self, kept: IndexArray) -> IndexArray:
        return kept if self._implications is None else self._implications.without_implied(kept)

    def _ordered(self, kept: IndexArray, scores: FloatArray) -> list[int]:
        if not self._sorted:
            kept = kept[np.argsort(self._position[kept], kind="stable")]
        if self._order == "score":
            kept = kept[np.argsort(-scores[kept], kind="stable")]
        tags: list[int] = kept.tolist()
        if not self._characters_first:
            return tags
        characters = [tag for tag in tags if self._is_character[tag]]
        if self._order == "model":
            characters.reverse()  # kohya puts each in front of the one before
        return characters + [tag for tag in tags if not self._is_character[tag]]

    def _written(self, tags: Iterable[int], scores: FloatArray) -> list[tuple[int, float]]:
        """Each text once, where it comes first, with the best of its tags' scores."""
        best: dict[int, float] = {}
        for tag in tags:
            score = float(scores[tag])
            for text in self._vocabulary.written[tag]:
                best[text] = max(score, best.get(text, score))
        return list(best.items())

    def _alphabetical(self, written: list[tuple[int, float]], tags: list[int]) -> list[tuple[int, float]]:
        texts = self._vocabulary.texts
        written = sorted(written, key=lambda entry: texts[entry[0]])
        if not self._characters_first:
            return written
        characters = [tag for tag in tags if self._is_character[tag]]
        first = {text for tag in characters for text in self._vocabulary.written[tag]}
        return sorted(written, key=lambda entry: entry[0] not in first)

    def _with_singles(
        self, written: list[tuple[int, float]], scores: FloatArray, singles: dict[str, int | None]
    ) -> list[tuple[int, float]]:
        first: list[int] = []
        last: list[int] = []
        for category in SINGLE_CATEGORIES:
            tag = singles.get(category)
            if tag is not None:
                # Rating before quality at the front, after it at the end: kohya's order.
                if self._places[category] == "first":
                    first.append(tag)
                else:
                    last.insert(0, tag)
        if not first and not last:
            return written
        around = dict(self._written(first, scores))
        for text, score in [*written, *self._written(last, scores)]:
            around.setdefault(text, score)
        return list(around.items())

    def _with_first(self, written: list[tuple[int, float]]) -> list[tuple[int, float]]:
        if not self._any_first:
            return written
        ranks = self._vocabulary.ranks
        return sorted(written, key=lambda entry: ranks[entry[0]])


def _model_order(labels: Labels) -> IndexArray:
    """Each tag's place in kohya's order: general, then characters, then the rest, each as in the model."""
    group = {"general": 0, "character": 1}
    return np.array([group.get(category, 2) for category in labels.categories], np.intp)

"""The order in which a picture's tags are written, and how many of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wd14.caption.implications import Implications
from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.types import FloatArray, IndexArray, Labels


class TagOrder:
    """From kept tags to texts in the order in which they are written.

    Attributes:
        order: "model", "score" or "alphabetical".
        groups: for each tag the group that it is written in, the lowest first.
        implications: which tags leave because others imply them; None = none do.

    Raises:
        ConfigError: the implication table cannot be read.
    """

    def __init__(self, labels: Labels, config: CaptionConfig, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.order = labels.order if config.tag_order == "model" else config.tag_order
        self._characters_first = config.character_tags_first
        self._max_tags = config.max_tags
        # kohya's order: general tags, characters, the rest. Models with a tag_mapping.json have their own.
        groups = {"general": 0, "character": 1} if labels.order == "model" else {}
        self.groups = np.array([groups.get(category, 2) for category in labels.categories])
        self._is_character = [category == "character" for category in labels.categories]
        self.implications = None
        if config.remove_implied_tags or config.implications:
            self.implications = Implications(labels, by_words=config.remove_implied_tags, table=config.implications)

    def __call__(self, kept: IndexArray, scores: FloatArray, first: list[int], last: list[int]) -> dict[int, float]:
        """Ids of texts and their scores, in the order in which they are written.

        Args:
            kept: positions of the kept tags, ascending.
            scores: all scores of the picture, shape (T,).
            first: positions of the rating and quality tags to write before the others.
            last: those to write after the others.
        """
        if self.implications is not None:
            kept = self.implications.without_implied(kept)
        kept = kept[self.groups[kept].argsort(kind="stable")]
        if self.order == "score":
            kept = kept[(-scores[kept]).argsort(kind="stable")]
        groups: list[list[int]] = [kept.tolist()]
        if self._characters_first:
            characters = [tag for tag in groups[0] if self._is_character[tag]]
            # kohya puts each character in front of the one before.
            groups.insert(0, characters[::-1] if self.order == "model" else characters)
        pairs: list[tuple[int, float]] = []
        for group in groups:
            texts = self._texts(group, scores)
            pairs += sorted(texts, key=self._alphabet) if self.order == "alphabetical" else texts
        written = _best_scores(pairs)
        if 0 < self._max_tags < len(written):
            best = set(sorted(written, key=written.__getitem__, reverse=True)[: self._max_tags])
            written = {text: score for text, score in written.items() if text in best}
        if first or last:
            written = _best_scores([*self._texts(first, scores), *written.items(), *self._texts(last, scores)])
        if ranks := self._vocabulary.ranks:
            written = {text: written[text] for text in sorted(written, key=ranks.__getitem__)}
        return written

    def _texts(self, tags: list[int], scores: FloatArray) -> list[tuple[int, float]]:
        """Ids of the texts of tags, with the tags' scores."""
        written = self._vocabulary.written
        return [(text, score) for tag in tags for score in (float(scores[tag]),) for text in written[tag]]

    def _alphabet(self, pair: tuple[int, float]) -> str:
        return self._vocabulary.texts[pair[0]]


def _best_scores(pairs: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Each text once, where it comes first, with the best of its scores."""
    best: dict[int, float] = {}
    for text, score in pairs:
        if score > best.get(text, -1.0):  # faster than max()
            best[text] = score
    return best

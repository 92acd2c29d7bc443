"""From scores to a caption: thresholds keep tags, the vocabulary spells them, an order is put to them, text is made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wd14.caption.ordering import TagOrder
from wd14.caption.render import Caption, append, split_caption
from wd14.caption.thresholds import SINGLE_CATEGORIES, IndexArray, Selector
from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.errors import ModelContractError, ScoringError
from wd14.types import FloatArray, Labels

__all__ = ["Caption", "Captioner", "split_caption"]


class Captioner:
    """Writes captions for one model under one config. Calls change nothing in it, so threads may share it.

    Args:
        labels: the model's tags.
        config: the options.
        published: thresholds that the model's author published, by category or for "all".

    Attributes:
        remarks: lines for the log on entries of the options that no tag of the model matches: spelling mistakes,
            mostly.

    Raises:
        ConfigError: the options cannot be had with this model, or the implication table cannot be read.
    """

    def __init__(self, labels: Labels, config: CaptionConfig, *, published: Mapping[str, float] | None = None) -> None:
        self._size = len(labels)
        self._vocabulary = Vocabulary(labels, config)
        self._selector = Selector(labels, config, published=published or {}, unwanted=self._vocabulary.unwanted)
        self._order = TagOrder(labels, config, self._vocabulary)
        places = {"rating": config.rating, "quality": config.quality}
        self._singles = [category for category in SINGLE_CATEGORIES if places[category] != "none"]
        self._separator = config.caption_separator
        self._append = config.append_tags
        self.remarks = (*self._vocabulary.remarks, *self._selector.remarks)

    def kept(self, scores: FloatArray) -> IndexArray:
        """Positions of the tags at or above their threshold, ascending, (T,) scores; ratings are not among them."""
        return self._selector.tags(scores)

    def __call__(self, scores: FloatArray, existing: str | None = None) -> Caption:
        """The caption of one picture.

        Args:
            scores: probabilities, float32, shape (T,), in the order of the labels.
            existing: the caption that the picture has; counts only when the config says to append.

        Raises:
            ModelContractError: as many scores as labels were expected.
            ScoringError: a score is not a number.
        """
        scores = np.asarray(scores, np.float32)
        if scores.shape != (self._size,):
            raise ModelContractError(f"expected {self._size} scores, one for each tag, got shape {scores.shape}")
        if np.isnan(scores).any():
            raise ScoringError("the model's scores are not numbers")
        kept = self._selector.tags(scores)
        singles = {category: self._selector.single(category, scores) for category in self._singles}
        written = self._order(kept, scores, singles)
        vocabulary = self._vocabulary
        tags = [vocabulary.texts[i] for i, _ in written if i not in vocabulary.trigger_ids]
        if self._append and existing is not None and existing.strip():
            text = append(existing, tags, vocabulary.triggers, self._separator)
        else:
            text = self._separator.join([*vocabulary.triggers, *tags])
        return Caption(text, tuple((vocabulary.texts[i], score) for i, score in written))

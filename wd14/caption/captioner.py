"""From a picture's scores to its caption: which tags are kept, how they are written, in which order, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from wd14.caption.editing import Editor
from wd14.caption.merging import Merger
from wd14.caption.ordering import TagOrder
from wd14.caption.render import Caption, append, missing
from wd14.caption.styles import SINGLE_CATEGORIES, styled
from wd14.caption.thresholds import TagSelector
from wd14.caption.token_budget import TokenBudget, droppable_texts
from wd14.caption.tokens import EstimatedTokens
from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.errors import ModelContractError, ScoringError
from wd14.published import Published
from wd14.spelling import folded, split_caption
from wd14.types import Curation, Edit, FloatArray, IndexArray, Labels, TokenCounter

__all__ = ["Caption", "Captioner", "split_caption"]


class Captioner:
    """Writes captions for one model under one config. Calls change nothing in it, so threads may share it.

    Args:
        labels: the model's tags.
        config: the options.
        published: thresholds that the model's author published.
        curation: what the plan of the dataset does to the captions. Trigger words and an existing caption stay.
        tokens: counts tokens where the config limits them; None = they are estimated.
        editor: makes a person's edits; None = there are none.

    Attributes:
        remarks: lines for the log on entries of the options that no tag of the model matches: mostly misspellings.

    Raises:
        ConfigError: an option does not suit this model, or the implication table cannot be read.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        *,
        published: Published | None = None,
        curation: Curation | None = None,
        tokens: TokenCounter | None = None,
        editor: Editor | None = None,
    ) -> None:
        self._editor = editor
        self._vocabulary = Vocabulary(labels, config, curation or Curation())
        self._refine = None if curation is None else curation.refine
        config = styled(config)
        self._selector = TagSelector(labels, config, published or Published(), self._vocabulary.unwanted)
        self._order = TagOrder(labels, config, self._vocabulary)
        places = {"rating": config.rating, "quality": config.quality}
        # kohya writes the rating before the quality in front of the others, and after it behind them.
        self._first = [category for category in SINGLE_CATEGORIES if places[category] == "first"]
        self._last = [category for category in reversed(SINGLE_CATEGORIES) if places[category] == "last"]
        self._size = len(labels)
        self._separator = config.caption_separator
        self._append = config.append_tags
        self._merge = Merger(self._vocabulary, config.caption_separator) if self._vocabulary.has_slots else None
        self._budget: TokenBudget | None = None
        if config.max_tokens:
            self._budget = TokenBudget(config.max_tokens, tokens or EstimatedTokens())
            self._droppable = droppable_texts(labels, self._vocabulary)
        self.remarks = (*self._vocabulary.remarks, *self._selector.remarks)

    def kept(self, scores: FloatArray) -> IndexArray:
        """Positions of the tags at or above their threshold, ascending; ratings are not among them.

        Args:
            scores: probabilities, float32, shape (T,).
        """
        return self._selector.tags(scores)

    def thresholds(self, scores: FloatArray) -> FloatArray:
        """The threshold of every tag for a picture with these scores; infinite for ratings and unwanted tags.

        Args:
            scores: probabilities, float32, shape (T,).
        """
        return self._selector.thresholds(scores)

    def __call__(
        self,
        scores: FloatArray,
        existing: str | None = None,
        edits: Sequence[Edit] = (),
        kept: IndexArray | None = None,
    ) -> Caption:
        """The caption of one picture.

        Args:
            scores: probabilities, float32, shape (T,), in the order of the labels.
            existing: the caption that the picture has; only counts when the config says to append.
            edits: what a person did to the caption of this picture, in order.
            kept: what `kept` says of these scores, where that is known.

        Raises:
            ModelContractError: there are not as many scores as labels.
            ScoringError: a score is not a number.
        """
        scores = np.asarray(scores, np.float32)
        if scores.shape != (self._size,):
            raise ModelContractError(f"expected {self._size} scores, one for each tag, got shape {scores.shape}")
        if np.isnan(scores).any():
            raise ScoringError("the model's scores are not numbers")
        first, last = (self._selector.best(categories, scores) for categories in (self._first, self._last))
        kept = self._selector.tags(scores) if kept is None else kept
        if self._refine is not None:
            kept = self._refine(kept)
        written = self._order(kept, scores, first, last)
        caption = self._fitted(written, existing)
        if self._editor is None or not edits:
            return caption
        return self._edited(self._editor, caption.text, written, existing, edits, scores)

    def _fitted(self, written: dict[int, float], existing: str | None) -> Caption:
        """The caption that a run without edits writes."""
        tokens = None
        if self._budget is not None:
            written, tokens = self._budget.fit(
                written, self._droppable_beside(existing, written), lambda kept: self._text(kept, existing)
            )
        texts = self._vocabulary.texts
        return Caption(self._text(written, existing), tuple((texts[i], score) for i, score in written.items()), tokens)

    def _edited(
        self,
        editor: Editor,
        unedited: str,
        written: dict[int, float],
        existing: str | None,
        edits: Sequence[Edit],
        scores: FloatArray,
    ) -> Caption:
        """The caption after its edits; what has to leave to fit is nothing that they are about."""
        texts, tokens = self._vocabulary.texts, None
        whole = self._text(written, existing)
        if self._budget is not None:
            named = editor.typed.named_by(edits)
            droppable = {i for i in self._droppable_beside(existing, written) if folded(texts[i]) not in named}
            written, tokens = self._budget.fit(
                written, droppable, lambda kept: editor(self._text(kept, existing), edits).text
            )
        text, applied = editor(self._text(written, existing), edits)
        own = {texts[i]: score for i, score in written.items()}
        return Caption(text, editor.tags(text, own, scores, before=whole), tokens, unedited, applied)

    def _text(self, written: Iterable[int], existing: str | None) -> str:
        """The caption's text, from the ids of its texts."""
        texts, triggers = self._vocabulary.texts, self._vocabulary.triggers
        tags = [texts[i] for i in written if i not in self._vocabulary.trigger_ids]
        if not self._append or existing is None:
            return self._separator.join([*triggers, *tags])
        if self._merge is not None:
            return self._merge(existing, tags)
        return append(existing, tags, triggers, self._separator)

    def _droppable_beside(self, existing: str | None, written: Iterable[int]) -> frozenset[int]:
        """What may be left out of a caption; what the existing one has stays in the text, and so among the tags."""
        if not self._append or existing is None:
            return self._droppable
        texts = self._vocabulary.texts
        general = {texts[i]: i for i in written if i in self._droppable}
        return frozenset(general[text] for text in missing(existing.strip(), list(general), self._separator))

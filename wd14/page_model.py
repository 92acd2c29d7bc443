"""What a page knows of the model: how its tags are written, which scores are candidates, how captions follow from them."""

from __future__ import annotations

from collections.abc import Mapping

from wd14.caption.editing import whole_vocabulary
from wd14.caption.page_rules import Rules, page_rules, page_texts
from wd14.caption.thresholds import lowest_threshold
from wd14.caption.tokens import EstimatedTokens
from wd14.config import CaptionConfig
from wd14.review.candidates import Candidates, floor_for
from wd14.review.page_data import Words
from wd14.review.page_rows import PageRows
from wd14.types import Curation, Labels, TokenCounter


class PageModel:
    """One model under one config.

    Args:
        labels: the model's tags.
        config: the run's parameters.
        published: thresholds that the model's author published.
        curation: what the run's plan does.
        tokens: counts tokens; None = they are estimated.

    Attributes:
        triggers: words that open every caption, each once.
        texts: of all tags, by id.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        published: Mapping[str, float],
        curation: Curation | None,
        tokens: TokenCounter | None,
    ) -> None:
        self._labels = labels
        self._config = config
        self._published = published
        self._curation = curation
        self._tokens = tokens or EstimatedTokens()
        self._vocabulary = whole_vocabulary(labels, config)
        self.triggers = self._vocabulary.triggers
        self.texts = page_texts(labels, config, curation, self._vocabulary)

    def candidates(self) -> Candidates:
        """What takes the rows' scores."""
        return Candidates(self._labels, floor=floor_for(lowest_threshold(self._labels, self._config, self._published)))

    def words(self) -> Words:
        """How the model's tags are written."""
        vocabulary = self._vocabulary
        places = {text: number for number, text in enumerate(self.texts)}
        return Words(
            self._labels,
            [[places[vocabulary.texts[text]] for text in own] for own in vocabulary.written],
            self.texts,
            vocabulary.ranks,
            vocabulary.general_place() if vocabulary.has_slots else None,
        )

    def rules(self, rows: PageRows) -> Rules:
        """How captions follow from scores."""
        return page_rules(
            self._labels,
            self._config,
            rows.texts(),
            published=self._published,
            curation=self._curation,
            counter=self._tokens,
            before=rows.rows_with_captions_before(),
        )

"""What a review page says of a model under a config: how its tags are written, and how captions follow from scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from wd14.caption.editing import whole_vocabulary
from wd14.caption.page_rules import Rules, page_rules, page_texts
from wd14.caption.thresholds import lowest_threshold
from wd14.caption.tokens import EstimatedTokens
from wd14.config import CaptionConfig
from wd14.messages import AND, set_in_words
from wd14.published import Published
from wd14.review.candidates import Candidates, floor_for
from wd14.review.page_data import Words
from wd14.review.page_rows import PageRows
from wd14.tagging import models_of
from wd14.types import Curation, Labels, TokenCounter


def about_dataset(name: str, made: Mapping[str, Any], config: CaptionConfig, *, folder: str) -> dict[str, Any]:
    """What the page says of a dataset that a run of ours made.

    Args:
        name: of the dataset.
        made: its provenance.
        config: the parameters of the run.
        folder: the way from the page to the pictures; "" = there is none.
    """
    known = {key: str(made.get(key) or "") for key in ("made_by", "made_at", "source", "command")}
    return {
        **known,
        "name": name,
        "model": AND.join(models_of(config)),
        "caption_column": config.caption_column,
        "folder": folder,
        "options": "; ".join(set_in_words(config)),
        "max_tokens": config.max_tokens,
        "append_tags": config.append_tags,
    }


class PageModel:
    """What the page needs to know of the captions beside the pictures; a tenth of a second for 10,000 tags.

    Args:
        labels: the model's tags.
        config: the parameters.
        published: thresholds that the model's author published.
        curation: what the plan does to the captions.
        counter: counts tokens; None = they are estimated.

    Attributes:
        texts: what tags are written as.
        triggers: the words that open every caption.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        published: Published,
        curation: Curation | None = None,
        counter: TokenCounter | None = None,
    ) -> None:
        self._labels = labels
        self._config = config
        self._published = published
        self._curation = curation
        self._counter = counter or EstimatedTokens()
        self._vocabulary = whole_vocabulary(labels, config)
        self.texts = page_texts(labels, config, curation, self._vocabulary)
        self.triggers = self._vocabulary.triggers

    @cached_property
    def words(self) -> Words:
        """How each tag is written, also those that the options and the plan leave out."""
        vocabulary = self._vocabulary
        ids = {text: number for number, text in enumerate(self.texts)}
        return Words(
            self._labels,
            [[ids[vocabulary.texts[text]] for text in own] for own in vocabulary.written],
            vocabulary.ranks,
            vocabulary.general_place() if vocabulary.has_slots else None,
        )

    def candidates(self) -> Candidates:
        """What takes the scores, down to the lowest threshold in use."""
        lowest = lowest_threshold(self._labels, self._config, self._published)
        return Candidates(self._labels, floor=floor_for(lowest))

    def rules(self, rows: PageRows) -> Rules:
        """How captions follow from scores.

        Args:
            rows: all rows of the page.
        """
        return page_rules(
            self._labels,
            self._config,
            rows.texts(),
            published=self._published,
            curation=self._curation,
            counter=self._counter,
            before=rows.captions_before(),
        )

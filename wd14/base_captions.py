"""The captions of a dataset that lies there, without a person's edits: those that the review page begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from wd14.caption.captioner import Captioner
from wd14.caption.editing import Editor, whole_vocabulary
from wd14.config import NO_MODEL, CaptionConfig
from wd14.errors import RowError
from wd14.review.edits import Edits
from wd14.types import Curation, Edit, FloatArray, Labels, TokenCounter

#: Parameters that say how a dataset is read.
_READING = (
    *("image_field", "split", "caption_column", "caption_extension", "caption_separator"),
    *("follow_symlinks", "max_megapixels"),
)
_NO_SCORES: FloatArray = np.empty(0, np.float32)


class BaseCaptions(Protocol):
    """Gives each picture the caption that edits are made in."""

    def __call__(self, caption: str | None, scores: FloatArray | None, digest: bytes, /) -> str:
        """The caption before any edit.

        Args:
            caption: the one that the dataset has; None = there is none.
            scores: the stored ones of the picture, (T,) float32; None = there are none.
            digest: sha256 of the picture, by which edits name it.
        """

    def unedited(self, scores: FloatArray | None, /) -> str:
        """The caption of a picture that the dataset does not have; "" where that is not known."""


def without_model(config: CaptionConfig, given: Collection[str]) -> dict[str, Any]:
    """The parameters of a job in which the pictures of a dataset keep their captions, read as `config` reads them.

    Args:
        config: how the dataset was read.
        given: keys of parameters: those among them that say how it is read are handed on.
    """
    reading = {key: getattr(config, key) for key in _READING if key in given}
    return {**reading, "append_tags": True, "custom_model": NO_MODEL}


class KeptCaptions:
    """Captions that no run of ours made: what a job with the model that adds no tag makes of them.

    Args:
        parameters: of that job.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._captioner = Captioner(Labels((), ()), CaptionConfig.from_values(parameters))

    def __call__(self, caption: str | None, *_: object) -> str:
        """See `BaseCaptions`."""
        return self._captioner(_NO_SCORES, caption).text

    def unedited(self, _: object) -> str:
        """See `BaseCaptions`."""
        return ""


class StoredCaptions:
    """Captions of a run of ours, made again from stored scores.

    Where that gives another caption than the dataset has (it was changed by hand, or there are no scores), the
    dataset's is the one.

    Args:
        labels: the tags of the run's model.
        config: the run's parameters.
        published: thresholds that the model's author published.
        curation: what its plan does.
        tokens: counts tokens as the run did.
        edits: those that lie with the dataset: the run was given them, or some of them.

    Raises:
        ConfigError: the parameters do not suit the model.
    """

    def __init__(
        self,
        labels: Labels,
        config: CaptionConfig,
        *,
        published: Mapping[str, float],
        curation: Curation | None,
        tokens: TokenCounter | None,
        edits: Edits,
    ) -> None:
        self._edits = edits
        self._editor = Editor(whole_vocabulary(labels, config), config.caption_separator) if edits else None
        self._captioner = Captioner(
            labels,
            config,
            published=published,
            curation=curation,
            tokens=tokens,
            editor=self._editor,
        )

    def __call__(self, caption: str | None, scores: FloatArray | None, digest: bytes) -> str:
        """See `BaseCaptions`."""
        there = (caption or "").strip()
        if scores is None:
            return there
        edits = self._edits.of(digest).edits
        try:
            made = self._captioner(scores, None, edits)
        except RowError:
            return there
        unedited = made.text if made.unedited is None else made.unedited
        is_made = made.text.strip() == there or self._has_some(there, unedited, edits)
        return unedited if is_made else there

    def _has_some(self, caption: str, unedited: str, edits: Sequence[Edit]) -> bool:
        """Whether a caption has the first of its edits: others were saved since the run."""
        text = unedited
        for edit in edits:
            if text.strip() == caption:
                return True
            text = text if self._editor is None else self._editor(text, (edit,)).text
        return False

    def unedited(self, scores: FloatArray | None) -> str:
        """See `BaseCaptions`."""
        return "" if scores is None else self._captioner(scores).text

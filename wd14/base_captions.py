"""The captions of a dataset that lies there, without a person's edits: those that the review page begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from wd14.caption.captioner import Captioner
from wd14.config import NO_MODEL, CaptionConfig
from wd14.data.report import ReportedRow
from wd14.types import FloatArray, Labels

#: Parameters that say how a dataset is read.
_READING = (
    *("image_field", "split", "caption_column", "caption_extension", "caption_separator"),
    *("follow_symlinks", "max_megapixels"),
)
_NO_SCORES: FloatArray = np.empty(0, np.float32)


class BaseCaptions(Protocol):
    """Gives each picture the caption that edits are made in."""

    def __call__(self, caption: str | None, reported: ReportedRow | None, /) -> str:
        """The caption before any edit.

        Args:
            caption: the one that the dataset has; None = there is none.
            reported: what the run says of the picture.
        """

    def unedited(self, reported: ReportedRow, /) -> str:
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


class ReportedCaptions:
    """Captions of a run of ours, without the edits that it was given. Those that were changed since are as they are."""

    def __call__(self, caption: str | None, reported: ReportedRow | None) -> str:
        """See `BaseCaptions`."""
        there = caption or ""
        if reported is None or reported.unedited is None or reported.caption.strip() != there.strip():
            return there
        return reported.unedited

    def unedited(self, reported: ReportedRow) -> str:
        """See `BaseCaptions`."""
        return reported.unedited or ""

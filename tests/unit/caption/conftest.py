"""A picture of a small model, written as {tag: score}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pytest

from wd14.caption.captioner import Caption, Captioner
from wd14.config import CaptionConfig
from wd14.published import Published
from wd14.types import Labels

CaptionOf = Callable[..., Caption]


@pytest.fixture
def caption_of() -> CaptionOf:
    """`caption_of({"general": {"1girl": 0.9}}, option=value, …)`: the caption that the options give."""

    def caption(
        picture: Mapping[str, Mapping[str, float]],
        *,
        existing: str | None = None,
        published: Mapping[str, float] | None = None,
        order: Literal["model", "score"] = "model",
        **options: Any,
    ) -> Caption:
        tags = [(name, category) for category, scores in picture.items() for name in scores]
        labels = Labels(tuple(name for name, _ in tags), tuple(category for _, category in tags), order)
        scores = np.array([score for own in picture.values() for score in own.values()], np.float32)
        config = CaptionConfig.from_values(options)
        return Captioner(labels, config, published=Published(published or {}))(scores, existing)

    return caption

"""The tagger without tags: pictures go through a job, and their captions get nothing from a model."""

from __future__ import annotations

import numpy as np

from wd14.model.runtimes.session import Precision
from wd14.types import FloatArray, Labels, PixelArray


class NoTagger:
    """Stands where a `Tagger` does, and opens no session."""

    device = None  #: it runs on nothing
    precision: Precision | None = None
    preferred_batch = 64
    labels = Labels((), ())

    def run(self, batch: PixelArray | FloatArray, *_: object) -> FloatArray:
        """Scores of no tag, (n, 0) float32.

        Args:
            batch: n pictures.
        """
        return np.empty((len(batch), 0), np.float32)

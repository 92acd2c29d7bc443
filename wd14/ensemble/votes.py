"""From the scores of several models to one score for each tag, which behaves as a single model's would.

A model's score is calibrated: at the model's own threshold it becomes the tag's common threshold, and from there it
runs in straight lines to 0 and to 1. The v-th largest calibrated score is at least the common threshold exactly where v
models keep the tag. Ratings and quality words are compared with one another and not with a threshold: they get the
mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wd14.ensemble.vocabulary import JointVocabulary
from wd14.types import FloatArray, IndexArray


class Scale:
    """Calibrates the scores of one model: `s >= own` exactly where `calibrated >= common`, in float32.

    Args:
        own: the model's threshold of each of its T tags, (T,) float32, above 0; above 1 = it never keeps the tag.
        common: the threshold that the tag has for all models, (T,) float32; above 1 = nothing keeps the tag.
    """

    def __init__(self, own: FloatArray, common: FloatArray) -> None:
        own, common = (np.minimum(each, np.float32(2)) for each in (own, common))  # no score is above 1
        self._own, self._common = own, common
        self._is_same = (own == common) | (common > 1)
        ends = np.minimum(own, np.float32(1))
        room = np.float32(1) - ends
        with np.errstate(divide="ignore", invalid="ignore"):
            self._below = np.where(ends > 0, common / ends, np.float32(0))
            self._above = np.where(room > 0, (np.float32(1) - common) / room, np.float32(0))
        self._highest_below = np.nextafter(common, np.float32(0))

    def __call__(self, scores: FloatArray, where: IndexArray) -> FloatArray:
        """The calibrated scores of some tags, (n,) float32.

        Args:
            scores: of these tags, (n,) float32, 0..1.
            where: the positions of these tags among the model's, (n,).
        """
        own, common = self._own[where], self._common[where]
        below = np.minimum(scores * self._below[where], self._highest_below[where])
        above = np.clip(common + (scores - own) * self._above[where], common, np.float32(1))
        return np.where(self._is_same[where], scores, np.where(scores < own, below, above))


class Combiner:
    """Combines the scores of M models over their joint vocabulary of U tags. Calls change nothing in it.

    Args:
        vocabulary: of the models.
        thresholds: of each model, in the same order: the threshold of each of its tags, (T,) float32; above 1 where it
            keeps the tag never, which is also what ratings and quality words have.
        votes: how many models must keep a tag; where fewer know it, all that do.

    Attributes:
        vocabulary: as given.
        votes: as given.
        own: the thresholds of each model, as given.
        thresholds: the common threshold of each tag, (U,) float32: that of the first model that knows it.
        needed: how many models must keep each tag, (U,).
    """

    def __init__(self, vocabulary: JointVocabulary, thresholds: Sequence[FloatArray], votes: int) -> None:
        self.vocabulary = vocabulary
        self.votes = votes
        self.own = tuple(thresholds)
        size = len(vocabulary.labels)
        knowing = vocabulary.known.sum(axis=0)
        self.needed = np.minimum(knowing, votes)
        # A place beyond the last one, which nobody reads, takes what unused outputs say.
        common = np.full(size + 1, np.inf, np.float32)
        for own, places in zip(reversed(thresholds), reversed(vocabulary.places), strict=True):
            common[places[::-1]] = own[::-1]  # of outputs that share a place the first one counts
        self.thresholds: FloatArray = common[:size]
        self._scales = [Scale(own, common[places]) for own, places in zip(thresholds, vocabulary.places, strict=True)]
        self._rank = len(thresholds) - self.needed
        self._judged = np.flatnonzero(vocabulary.judged)
        self._judging = knowing[self._judged].astype(np.float32)

    def __call__(self, scores: Sequence[FloatArray]) -> FloatArray:
        """The combined scores of a picture, (U,) float32, 0..1; some 100 µs for three models of 10,000 tags.

        Args:
            scores: of each model, (T,) float32 each, as the score store gives them: mostly zeros.
        """
        each = self.calibrated(scores)
        combined = np.zeros(each.shape[1], np.float32)
        some = np.flatnonzero(each.any(axis=0))
        # A model that does not know a tag has 0 there, which stands below or beside all that count.
        combined[some] = np.sort(each[:, some], axis=0)[self._rank[some], np.arange(some.size)]
        combined[self._judged] = each[:, self._judged].sum(axis=0, dtype=np.float32) / self._judging
        return combined

    def calibrated(self, scores: Sequence[FloatArray]) -> FloatArray:
        """The calibrated scores of each model, (M, U) float32; 0 where it does not know the tag.

        Of ratings and quality words they are the model's own.

        Args:
            scores: as for a call.
        """
        each = np.zeros((len(scores), len(self.needed) + 1), np.float32)
        for row, own, scale, places in zip(each, scores, self._scales, self.vocabulary.places, strict=True):
            where = np.flatnonzero(own > 0)  # of booleans: several times as quick
            np.maximum.at(row, places[where], scale(own[where], where))
        return each[:, :-1]

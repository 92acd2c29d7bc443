"""From the scores of several models to one score for each tag, which behaves as a single model's would.

A model's score is calibrated: at the model's own threshold it becomes the tag's common threshold, and from there it
runs in straight lines to 0 and to 1. The v-th largest calibrated score is at least the common threshold exactly where v
models keep the tag. Ratings and quality words are compared with one another and not with a threshold: they get the
mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
        is_same = self._is_same[where]
        if is_same.all():  # as for models that are used at one threshold
            return scores
        own, common = self._own[where], self._common[where]
        below = np.minimum(scores * self._below[where], self._highest_below[where])
        above = np.clip(common + (scores - own) * self._above[where], common, np.float32(1))
        return np.where(is_same, scores, np.where(scores < own, below, above))


class Calibrated(NamedTuple):
    """The calibrated scores of a picture: of n of U tags those of M models; of all other tags every score is 0."""

    tags: IndexArray  #: their positions, (n,), ascending
    each: FloatArray  #: (M, n); 0 where a model does not know the tag


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
        self._is_judged = vocabulary.judged
        self._knowing = knowing.astype(np.float32)

    def __call__(self, scores: Sequence[FloatArray]) -> FloatArray:
        """The combined scores of a picture, (U,) float32, 0..1; some 60 µs for three models of 10,000 tags.

        Args:
            scores: of each model, (T,) float32 each, as the score store gives them: mostly zeros.
        """
        tags, each = self.calibrated(scores)
        combined = np.zeros(len(self.needed), np.float32)
        # A model that does not know a tag has 0 there, which stands below or beside all that count.
        voted = np.sort(each, axis=0)[self._rank[tags], np.arange(tags.size)]
        mean = each.sum(axis=0, dtype=np.float32) / self._knowing[tags]
        combined[tags] = np.where(self._is_judged[tags], mean, voted)
        return combined

    def calibrated(self, scores: Sequence[FloatArray]) -> Calibrated:
        """The calibrated scores of each model; those of ratings and quality words are the model's own.

        Args:
            scores: as for a call.
        """
        size = len(self.needed)
        wheres = [np.flatnonzero(own > 0) for own in scores]  # of booleans: several times as quick
        found = [places[where] for places, where in zip(self.vocabulary.places, wheres, strict=True)]
        is_scored = np.zeros(size + 1, np.bool_)
        for places in found:
            is_scored[places] = True
        is_scored[size] = False
        tags = np.flatnonzero(is_scored)
        columns = np.full(size + 1, tags.size)  # what unused outputs say goes beyond the last one
        columns[tags] = np.arange(tags.size)
        each = np.zeros((len(scores), tags.size + 1), np.float32)
        for row, own, scale, places, where in zip(each, scores, self._scales, found, wheres, strict=True):
            np.maximum.at(row, columns[places], scale(own[where], where))
        return Calibrated(tags, each[:, :-1])

"""What the models of an ensemble disagree on: the tags of a picture, and over a dataset, the worst first.

A tag is disputed in a picture when some of the models that know it keep it and others do not. How far they are apart is
the difference between the surest of those that keep it and the least sure of those that do not, in calibrated scores.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wd14.disagreement import Disagreement, DisputedPicture, DisputedTag
from wd14.ensemble.votes import Combiner
from wd14.types import FloatArray, IndexArray

#: The worst pictures that are remembered of each tag, and of the dataset.
WORST_PICTURES = 100
#: The worst tags that a dataset's disagreement names, and those of a picture.
_WORST_TAGS = 500
_TAGS_OF_A_PICTURE = 20


class Disputed(NamedTuple):
    """The disputed tags of a picture, n of U, ascending, and what M models do with them."""

    tags: IndexArray  #: their positions, (n,)
    keepers: NDArray[np.bool_]  #: which model keeps which, (n, M)
    apart: FloatArray  #: how far the models are apart, (n,), 0..1


class DisagreementTally:
    """Counts over a dataset. Memory: 100 bytes for each tag, 1.2 kB for each that is disputed, whatever the pictures.

    Args:
        combiner: of the models.
        models: their names.
    """

    def __init__(self, combiner: Combiner, models: Sequence[str]) -> None:
        vocabulary, thresholds = combiner.vocabulary, combiner.thresholds
        self._combiner = combiner
        self._labels = vocabulary.labels
        self._known = vocabulary.known
        self._thresholds = thresholds
        self._can_be = (vocabulary.known.sum(axis=0) > 1) & ~vocabulary.judged & (thresholds <= 1)
        self._models = tuple(models)
        size = len(self._labels)
        self._pictures = self._disputed = 0
        self._times = np.zeros(size, np.int64)
        self._kept = np.zeros(size, np.int64)
        self._apart = np.zeros(size)
        self._keepers = np.zeros((size, len(models)), np.int64)
        self._lines = np.full(size, -1, np.intp)  # of each disputed tag: its line in the two tables below
        self._used = 0
        self._rows = np.zeros((0, WORST_PICTURES), np.int64)
        self._row_apart = np.zeros((0, WORST_PICTURES), np.float32)
        self._worst: list[tuple[float, int, str, IndexArray]] = []  # a heap, the least apart first; rows in negative

    def leave_out(self, tags: Collection[int]) -> None:
        """Tags that no caption has are not worth a dispute.

        Args:
            tags: their positions; to be said before the first picture.
        """
        self._can_be[list(tags)] = False

    def disputed(self, parts: Sequence[FloatArray]) -> Disputed:
        """The disputed tags of a picture.

        Args:
            parts: the scores of each of the M models, (T,) float32 each.
        """
        tags, each = self._combiner.calibrated(parts)
        some = np.flatnonzero((each >= self._thresholds[tags]).any(axis=0) & self._can_be[tags])
        kept, scores = tags[some], each[:, some]
        known = self._known[:, kept]
        keepers = (scores >= self._thresholds[kept]) & known
        others = known & ~keepers
        some = np.flatnonzero(others.any(axis=0) & keepers.any(axis=0))
        highest = np.where(keepers, scores, np.float32(0))[:, some].max(axis=0, initial=0)
        lowest = np.where(others, scores, np.float32(1))[:, some].min(axis=0, initial=1)
        return Disputed(kept[some], keepers[:, some].T, highest - lowest)

    def add(self, row: int, label: str, parts: Sequence[FloatArray]) -> None:
        """Counts a picture; some 0.3 ms for three models of 10,000 tags.

        Args:
            row: its position among the rows, after that of the one before.
            label: names it for a person.
            parts: the scores of each model, as for `disputed`.
        """
        self._pictures += 1
        tags, keepers, apart = self.disputed(parts)
        if not tags.size:
            return
        self._disputed += 1
        self._times[tags] += 1
        self._kept[tags] += keepers.sum(axis=1) >= self._combiner.needed[tags]
        self._apart[tags] += apart
        self._keepers[tags] += keepers
        self._remember(row, tags, apart)
        total = float(apart.sum())
        if len(self._worst) < WORST_PICTURES or total > self._worst[0][0]:
            entry = (total, -row, label, tags[np.argsort(-apart, kind="stable")][:_TAGS_OF_A_PICTURE])
            push = heapq.heappush if len(self._worst) < WORST_PICTURES else heapq.heapreplace
            push(self._worst, entry)

    def _remember(self, row: int, tags: IndexArray, apart: FloatArray) -> None:
        """Puts the picture among the worst of each of its tags, where it is one of them."""
        new = tags[self._lines[tags] < 0]
        self._lines[new] = np.arange(self._used, self._used + new.size)
        self._used += new.size
        if self._used > len(self._rows):
            more = ((0, max(self._used, 2 * len(self._rows)) - len(self._rows)), (0, 0))
            self._rows = np.pad(self._rows, more)
            self._row_apart = np.pad(self._row_apart, more, constant_values=-1)
        lines = self._lines[tags]
        places = self._row_apart[lines].argmin(axis=1)
        worse = apart > self._row_apart[lines, places]
        self._rows[lines[worse], places[worse]] = row
        self._row_apart[lines[worse], places[worse]] = apart[worse]

    def conclude(self) -> Disagreement:
        """What was counted, worst first; of equals the tag that stands first in the vocabulary, the earlier row."""
        order = np.argsort(-self._apart, kind="stable")[:_WORST_TAGS]
        worst = sorted(self._worst, key=lambda entry: entry[:2], reverse=True)
        return Disagreement(
            self._models,
            self._combiner.votes,
            self._pictures,
            self._disputed,
            tuple(self._tag(int(tag)) for tag in order if self._times[tag]),
            tuple(
                DisputedPicture(-row, label, apart, tuple(self._labels.names[tag] for tag in tags))
                for apart, row, label, tags in worst
            ),
        )

    def _tag(self, tag: int) -> DisputedTag:
        line = self._lines[tag]
        rows, apart = self._rows[line], self._row_apart[line]
        worst = [index for index in np.lexsort((rows, -apart)) if apart[index] >= 0]
        times = int(self._times[tag])
        counted = zip(self._keepers[tag], self._known[:, tag], strict=True)
        return DisputedTag(
            self._labels.names[tag],
            self._labels.categories[tag],
            times,
            int(self._kept[tag]),
            float(self._apart[tag]) / times,
            tuple(int(number) if is_known else None for number, is_known in counted),
            tuple(int(rows[index]) for index in worst),
        )

"""`tags.csv`: how many pictures have each tag at or above its threshold, counted over all of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from wd14.curation.study import usual_frequency
from wd14.types import Labels

#: How many of the most frequent tags a summary names.
_FREQUENT = 10


class TagTable:
    """Adds up the counts of shards.

    Args:
        labels: the model's T tags.

    Attributes:
        pictures: that have scores.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._counts = np.zeros(len(labels), np.int64)
        self.pictures = 0

    def add(self, counts: NDArray[np.int64], pictures: int) -> None:
        """Takes a shard: pictures with each tag, (T,), and how many there are."""
        self._counts += counts
        self.pictures += pictures

    def frequent(self, without: Collection[str] = ()) -> tuple[tuple[str, int], ...]:
        """The most frequent tags, as the model names them, without those that captions do not have."""
        names = self._labels.names
        # Of equally frequent tags the first in the alphabet.
        order = sorted(np.flatnonzero(self._counts).tolist(), key=lambda tag: (-int(self._counts[tag]), names[tag]))
        return tuple((names[tag], int(self._counts[tag])) for tag in order if names[tag] not in without)[:_FREQUENT]

    def to_csv(self) -> bytes:
        """The table: the most frequent tag first, of equally frequent ones in the model's order."""
        labels = self._labels
        usual = usual_frequency(labels)
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("tag", "category", "pictures", "share", "times_as_usual"))
        for tag in np.argsort(-self._counts, kind="stable").tolist():
            if not (pictures := int(self._counts[tag])):
                break
            share = pictures / self.pictures
            times = f"{share / usual[tag]:.4g}" if usual[tag] > 0 else ""
            writer.writerow((labels.names[tag], labels.categories[tag], pictures, f"{share:.6g}", times))
        return text.getvalue().encode("utf-8", "replace")

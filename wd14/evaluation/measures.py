"""Precision, recall and F1, of one tag and of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.evaluation.histograms import Counts, Flags, Tallied

#: Tags by how many pictures of the dataset have them: (from, what they are called), the last one without an end.
FREQUENCIES = ((1, "1 to 4 pictures"), (5, "5 to 19"), (20, "20 to 99"), (100, "100 and more"))


@dataclass(frozen=True, slots=True)
class Measures:
    """How well the tags that are kept agree with the truth. What is divided by nothing is 0.

    Attributes:
        tags: that at least one caption has.
        support: tags in all captions together.
        kept: tags that are kept, in all pictures together.
        right: of them those that the captions have.
        macro_f1: the mean of the F1 of each tag that at least one caption has.
    """

    tags: int
    support: int
    kept: int
    right: int
    macro_f1: float

    @property
    def precision(self) -> float:
        """Share of what is kept that is right."""
        return self.right / self.kept if self.kept else 0.0

    @property
    def recall(self) -> float:
        """Share of what the captions have that is kept."""
        return self.right / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        """Of all tags together (micro)."""
        both = self.kept + self.support
        return 2 * self.right / both if both else 0.0

    def as_json(self) -> dict[str, Any]:
        """The measures, as JSON can hold them."""
        numbers = {key: getattr(self, key) for key in ("tags", "support", "kept", "right")}
        return numbers | {key: getattr(self, key) for key in ("precision", "recall", "f1", "macro_f1")}


def f1_of(tallied: Tallied) -> NDArray[np.float64]:
    """F1 for each tag, or for each tag and edge; 0 where nothing is kept and nothing is there."""
    return divided(2 * tallied.right, tallied.kept + tallied.support)


def divided(above: Counts, below: Counts) -> NDArray[np.float64]:
    """A quotient; 0 where the divisor is."""
    return np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)


def measures(tallied: Tallied, counted: Flags) -> Measures:
    """The measures of some tags together.

    Args:
        tallied: (T,) each.
        counted: which tags, (T,).
    """
    there = counted & (tallied.support > 0)
    return Measures(
        tags=int(there.sum()),
        support=int(tallied.support[counted].sum()),
        kept=int(tallied.kept[counted].sum()),
        right=int(tallied.right[counted].sum()),
        macro_f1=float(f1_of(tallied)[there].mean()) if there.any() else 0.0,
    )


def by_frequency(support: Counts, counted: Flags) -> Mapping[str, Flags]:
    """Which of the tags that count are on how many pictures; those of which there are none are left out."""
    begins = [begin for begin, _ in FREQUENCIES]
    groups = {"on no picture": counted & (support == 0)}
    for (begin, name), end in zip(FREQUENCIES, [*begins[1:], None], strict=True):
        group = counted & (support >= begin)
        groups[name] = group if end is None else group & (support < end)
    return {name: group for name, group in groups.items() if group.any()}

"""The best threshold of each tag: where F1 is highest, drawn towards its category's where few pictures speak for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.evaluation.histograms import EDGES, FIRST_EDGE, STEPS, Flags, ScoreHistograms, Tallied
from wd14.evaluation.measures import f1_of
from wd14.types import FloatArray, IndexArray

#: With so many pictures that have it, and as many that do not, a tag has as much to say as its category has.
PRIOR = 10

Edges = NDArray[np.intp]
"""Positions among `EDGES`; `NO_EDGE` where there is none."""
NO_EDGE = -1


@dataclass(frozen=True, slots=True)
class FoundThresholds:
    """Thresholds that a dataset speaks for, as edges.

    Attributes:
        best: of each tag, (T,): the middle of where its F1 is highest; none without a picture that has the tag, or
            where the model never finds it.
        chosen: of each tag, (T,): the best one drawn towards the category's. A tag that no caption has, and that is
            kept, gets the category's where that is higher than its own. None for all others, which stay as they are.
        categories: of each category the middle of where the F1 of its tags together is highest; those without any
            picture are left out.
    """

    best: Edges
    chosen: Edges
    categories: dict[str, int]


def find_thresholds(
    histograms: ScoreHistograms,
    categories: Sequence[str],
    counted: Flags,
    thresholds: FloatArray,
    half: int | None = None,
) -> FoundThresholds:
    """The thresholds that suit a dataset. Takes a second for 10,000 tags.

    Args:
        histograms: of its scores.
        categories: of each tag.
        counted: which tags count, (T,).
        thresholds: in use, (T,): infinite where a tag has none, NaN where pictures have different ones.
        half: the pictures that count; None = all.
    """
    in_use = histograms.in_use(half)
    seen = counted & ((in_use.support > 0) | (in_use.kept > 0))
    best, chosen = (np.full(histograms.tags, NO_EDGE, np.intp) for _ in range(2))
    named = np.array(categories)
    of_categories: dict[str, int] = {}
    for category in dict.fromkeys(named[seen].tolist()):
        where = np.flatnonzero((named == category) & counted)
        of_category, of_tags = _of_category(histograms, where, half)
        if of_category == NO_EDGE:
            continue
        of_categories[category] = of_category
        best[where] = of_tags
        support = in_use.support[where]
        # Of a tag on all pictures any low threshold is right: what says where it ends are the pictures without it.
        evidence = np.minimum(support, histograms.pictures_of(half) - support)
        weight = evidence / (evidence + PRIOR)
        drawn = np.rint(np.where(of_tags == NO_EDGE, of_category, weight * of_tags + (1 - weight) * of_category))
        changes = seen[where] & ((in_use.support[where] > 0) | (thresholds[where] < EDGES[of_category]))
        chosen[where] = np.where(changes, drawn, NO_EDGE).astype(np.intp)
    return FoundThresholds(best, chosen, of_categories)


def _of_category(histograms: ScoreHistograms, where: IndexArray, half: int | None) -> tuple[int, Edges]:
    """The edge of a category, and those of its tags."""
    pooled = [np.zeros((1, STEPS + 1), np.int64) for _ in range(2)]
    support = np.zeros((1, 1), np.int64)
    found: list[int] = []
    for begin in range(0, where.size, 1024):  # 10 MB at a time
        at = histograms.at_edges(where[begin : begin + 1024], half)
        pooled[0] += at.kept.sum(0)
        pooled[1] += at.right.sum(0)
        support += at.support.sum(0)
        found += map(_middle, f1_of(at))
    return _middle(f1_of(Tallied(support, *pooled))[0]), np.array(found, np.intp)


def _middle(f1: NDArray[np.float64]) -> int:
    """The middle of the widest stretch of edges with the highest F1, the lower one of two; none where that is 0."""
    f1 = f1[FIRST_EDGE:]
    highest = f1.max()
    if highest <= 0:
        return NO_EDGE
    turns = np.flatnonzero(np.diff(np.concatenate([[False], f1 == highest, [False]]).astype(np.int8)))
    begins, ends = turns[::2], turns[1::2] - 1
    widest = int((ends - begins).argmax())
    return FIRST_EDGE + int(begins[widest] + ends[widest]) // 2


def tallied_with(histograms: ScoreHistograms, chosen: Edges, half: int | None = None) -> Tallied:
    """What captions with these thresholds have, (T,) each; tags without one keep those in use."""
    in_use = histograms.in_use(half)
    kept, right = in_use.kept.copy(), in_use.right.copy()
    changed = np.flatnonzero(chosen != NO_EDGE)
    for begin in range(0, changed.size, 1024):
        where = changed[begin : begin + 1024]
        at = histograms.at_edges(where, half)
        rows = np.arange(where.size)
        kept[where], right[where] = at.kept[rows, chosen[where]], at.right[rows, chosen[where]]
    return Tallied(in_use.support, kept, right)

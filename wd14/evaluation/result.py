"""What an evaluation found: measures of all tags, by category and by frequency, and of each tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wd14.evaluation.histograms import EDGES, HALVES, STEPS, Flags, ScoreHistograms, Tallied
from wd14.evaluation.measures import Measures, by_frequency, divided, f1_of, measures
from wd14.evaluation.thresholds import NO_EDGE, find_thresholds, tallied_with
from wd14.types import FloatArray, IndexArray, Labels

#: Of every so many edges a curve has a point.
_CURVE_STEP = 4


@dataclass(frozen=True, slots=True)
class TagResult:
    """One tag."""

    tag: str
    category: str
    support: int  #: captions that have it
    kept: int  #: pictures for which it is kept at the threshold in use
    precision: float
    recall: float
    f1: float
    threshold: float | None  #: in use; None = another for each picture, or none
    best: float | None  #: where its F1 is highest
    chosen: float | None  #: that one drawn towards the category's; None = the one in use stays
    f1_chosen: float  #: with the chosen one

    def as_json(self) -> dict[str, Any]:
        """The tag, as JSON can hold it."""
        return {key: getattr(self, key) for key in self.__slots__}


@dataclass(frozen=True, slots=True)
class GroupResult:
    """Some tags together: with the thresholds in use, and with the chosen ones."""

    name: str
    in_use: Measures
    chosen: Measures

    def as_json(self) -> dict[str, Any]:
        """The group, as JSON can hold it."""
        return {"name": self.name, "in_use": self.in_use.as_json(), "chosen": self.chosen.as_json()}


class Result:
    """Everything that follows from the histograms of a dataset.

    Args:
        labels: the model's tags.
        histograms: of its scores.
        counted: which tags count, (T,).
        thresholds: in use, (T,): infinite where a tag has none, NaN where pictures have different ones.

    Attributes:
        all: all tags together.
        categories: each category, in the order of the model's tags.
        frequencies: tags by how many captions have them.
        unseen: on each half of the pictures, with the thresholds that suit the other half: what the chosen thresholds
            are worth on pictures that they were not chosen from. None where a half has no tag.
        thresholds: what was found.
    """

    def __init__(self, labels: Labels, histograms: ScoreHistograms, counted: Flags, thresholds: FloatArray) -> None:
        self.labels = labels
        self.histograms = histograms
        self.counted = counted
        self._in_use_thresholds = thresholds
        self.thresholds = find_thresholds(histograms, labels.categories, counted, thresholds)
        self._in_use = histograms.in_use()
        self._chosen = tallied_with(histograms, self.thresholds.chosen)
        categories = np.array(labels.categories)
        self.all = self._group("all", counted)
        self.categories = tuple(
            self._group(category, counted & (categories == category))
            for category in dict.fromkeys(categories[counted].tolist())
        )
        groups = by_frequency(self._in_use.support, counted)
        frequencies = (self._group(name, group) for name, group in groups.items())
        self.frequencies = tuple(group for group in frequencies if group.in_use.support or group.in_use.kept)
        self.unseen = self._on_unseen()

    def _group(self, name: str, tags: Flags) -> GroupResult:
        return GroupResult(name, measures(self._in_use, tags), measures(self._chosen, tags))

    def _on_unseen(self) -> Measures | None:
        total: Tallied | None = None
        for half in range(HALVES):
            other = find_thresholds(
                self.histograms, self.labels.categories, self.counted, self._in_use_thresholds, 1 - half
            )
            tried = tallied_with(self.histograms, other.chosen, half)
            if not tried.support[self.counted].any():
                return None
            total = tried if total is None else total + tried
        return None if total is None else measures(total, self.counted)

    @property
    def seen(self) -> IndexArray:
        """Positions of the tags that a caption has or that are kept, the most frequent first."""
        where = np.flatnonzero(self.counted & ((self._in_use.support > 0) | (self._in_use.kept > 0)))
        return where[np.lexsort((-self._in_use.kept[where], -self._in_use.support[where]))]

    def tags(self) -> Iterator[TagResult]:
        """What was found about each tag of `seen`, in that order."""
        in_use, found = self._in_use, self.thresholds
        precision, recall = divided(in_use.right, in_use.kept), divided(in_use.right, in_use.support)
        f1, f1_chosen = f1_of(in_use), f1_of(self._chosen)
        for tag in self.seen.tolist():
            threshold = float(self._in_use_thresholds[tag])
            yield TagResult(
                tag=self.labels.names[tag],
                category=self.labels.categories[tag],
                support=int(in_use.support[tag]),
                kept=int(in_use.kept[tag]),
                precision=float(precision[tag]),
                recall=float(recall[tag]),
                f1=float(f1[tag]),
                threshold=round(threshold, 4) if np.isfinite(threshold) else None,
                best=_edge(found.best[tag]),
                chosen=_edge(found.chosen[tag]),
                f1_chosen=float(f1_chosen[tag]),
            )

    def category_thresholds(self) -> Mapping[str, float]:
        """The best threshold of each category that the dataset has."""
        return {category: edge / STEPS for category, edge in self.thresholds.categories.items()}


def _edge(edge: int) -> float | None:
    return None if edge == NO_EDGE else int(edge) / STEPS


def curves(result: Result, most: int) -> dict[str, Any]:
    """What each edge keeps, and what of it is right: of the categories, and of the most frequent tags.

    Args:
        result: an evaluation's.
        most: tags of which there are curves, at most.

    Returns:
        `{"edges": [0.02, …], "categories": {name: [support, [kept, …], [right, …]]}, "tags": {…}}`
    """
    edges = np.arange(_CURVE_STEP, STEPS + 1, _CURVE_STEP)
    histograms, labels = result.histograms, result.labels
    categories = np.array(labels.categories)
    of_categories: dict[str, Any] = {}
    for category in result.thresholds.categories:
        where = np.flatnonzero((categories == category) & result.counted)
        at = histograms.at_edges(where)
        pooled = Tallied(at.support.sum(0)[None], at.kept.sum(0)[None], at.right.sum(0)[None])
        of_categories[category] = _curve(pooled, 0, edges)
    tags = result.seen[:most]
    tags = tags[histograms.in_use().support[tags] > 0]
    at = histograms.at_edges(tags)
    of_tags = {labels.names[tag]: _curve(at, row, edges) for row, tag in enumerate(tags.tolist())}
    return {
        "edges": [round(float(EDGES[edge]), 3) for edge in edges],
        "categories": of_categories,
        "tags": of_tags,
    }


def _curve(at: Tallied, row: int, edges: IndexArray) -> list[Any]:
    return [int(at.support[row, 0]), at.kept[row, edges].tolist(), at.right[row, edges].tolist()]

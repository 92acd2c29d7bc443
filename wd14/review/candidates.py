"""The tags that a picture may have, with their scores, as the page reads them: in little memory, and never too many."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wd14.review.base64_arrays import base64_of
from wd14.types import FloatArray, Labels

#: Scores below are no candidates, unless a threshold in use is lower.
CANDIDATE_FLOOR = 0.05
#: Candidates of all pictures together; 3 million are 12 MB of the page.
MOST_CANDIDATES = 3_000_000
#: Steps of a score: 4 digits.
STEPS = 10_000

_STEP_SCORES = (np.arange(STEPS + 1) / STEPS).astype(np.float32)
#: Set in a score's number where the score is exactly that of the candidate before it.
_SAME = np.uint16(1 << 15)
_SCORE = np.uint16(_SAME - 1)
#: Categories of which a picture has the best tag, however low its score.
_SINGLES = ("rating", "quality")


def steps_of(scores: FloatArray) -> NDArray[np.uint16]:
    """For each score the largest k of 0..10000 with float32(k / 10000) <= score.

    So for a threshold t of 4 digits, `score >= float32(t)` and `k >= t * 10000` are the same question.
    """
    return np.maximum(np.searchsorted(_STEP_SCORES, scores, side="right") - 1, 0).astype(np.uint16)


class Candidates:
    """The candidates of pictures, best first; of equal scores the first in the order in which captions have them.

    A picture takes 6 bytes a candidate. Where there are too many, the floor is raised and the lowest are forgotten.

    Args:
        labels: the model's tags.
        floor: the lowest score, of 4 digits.
        most: how many there may be in all.
    """

    def __init__(self, labels: Labels, *, floor: float = CANDIDATE_FLOOR, most: int = MOST_CANDIDATES) -> None:
        self._floor = round(floor * STEPS)
        self._most = most
        self._wide = len(labels) > 1 << 16
        # Captions have general tags first, then characters (`caption.ordering`).
        groups = {"general": 0, "character": 1} if labels.order == "model" else {}
        self._groups = np.array([groups.get(category, 2) for category in labels.categories], np.int8)
        self._is_single = np.array([category in _SINGLES for category in labels.categories], np.bool_)
        self._tags = bytearray()
        self._steps = bytearray()
        self._ends = array("I")

    def add(self, scores: FloatArray | None) -> None:
        """Adds a picture; None = it has no scores."""
        if scores is not None:
            chosen = np.flatnonzero((scores >= _STEP_SCORES[self._floor]) | self._is_single)
            chosen = chosen[self._groups[chosen].argsort(kind="stable")]
            chosen = chosen[(-scores[chosen]).argsort(kind="stable")]
            found = steps_of(scores[chosen])
            found[1:] |= np.where(scores[chosen[1:]] == scores[chosen[:-1]], _SAME, np.uint16(0))
            self._tags += chosen.astype(np.uint32).tobytes()
            self._steps += found.tobytes()
        self._ends.append(len(self._steps) // 2)
        if len(self._steps) // 2 > 2 * self._most:
            self._raise_floor()

    def encode(self) -> dict[str, Any]:
        """The field `candidates` of the page's data."""
        if len(self._steps) // 2 > self._most:
            self._raise_floor()
        steps = np.frombuffer(self._steps, np.uint16)
        tags = np.frombuffer(self._tags, np.uint32)
        return {
            "tags": base64_of(tags, "<u4" if self._wide else "<u2"),
            "scores": base64_of(steps & _SCORE, "<u2"),
            "ends": base64_of(np.array(self._ends), "<u4"),
            "ties": self._ties(steps),
            "floor": self._floor / STEPS,
            **({"wide": True} if self._wide else {}),
        }

    def _ties(self, steps: NDArray[np.uint16]) -> list[list[int]]:
        """(row, place among its candidates) of each whose score is exactly that of the one before."""
        found = np.flatnonzero(steps & _SAME)
        ends = np.array(self._ends, np.intp)
        rows = np.searchsorted(ends, found, side="right")
        starts = np.concatenate(([0], ends))[rows]
        pairs: list[list[int]] = np.column_stack((rows, found - starts)).tolist()
        return pairs

    def _raise_floor(self) -> None:
        """Forgets the lowest, so that no more than may be are left; ratings and quality tags stay."""
        steps = np.frombuffer(bytes(self._steps), np.uint16)
        tags = np.frombuffer(bytes(self._tags), np.uint32)
        stays = self._is_single[tags]
        numbers = np.bincount((steps & _SCORE)[~stays], minlength=STEPS + 1)
        at_least = np.cumsum(numbers[::-1])[::-1] + np.count_nonzero(stays)  # how many there are from each step on
        fitting = np.flatnonzero(at_least <= self._most)
        self._floor = max(self._floor, int(fitting[0]) if fitting.size else STEPS)
        kept = stays | ((steps & _SCORE) >= self._floor)
        before = np.concatenate(([0], np.cumsum(kept)))
        same = (steps & _SAME != 0) & np.concatenate(([False], kept[:-1]))
        steps = np.where(same, steps, steps & _SCORE)
        self._ends = array("I", before[np.array(self._ends, np.intp)].astype(np.uint32).tobytes())
        self._tags = bytearray(tags[kept].tobytes())
        self._steps = bytearray(steps[kept].tobytes())


def floor_for(lowest_threshold: float) -> float:
    """The candidates' floor where a threshold in use may be lower."""
    return max(0, math.floor(min(CANDIDATE_FLOOR, lowest_threshold) * STEPS)) / STEPS

"""Whether a picture shows one person: only there do two hair colours contradict each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wd14.curation.families import is_count
from wd14.spelling import folded
from wd14.types import IndexArray, Labels

_SINGLE = frozenset({"1girl", "1boy", "1other"})
#: Added up over a picture's tags: they tell what was among them.
_ONE, _SOLO, _SEVERAL = 1, 100, 10_000


def shows_one_person(tags: Iterable[str]) -> bool:
    """Whether a picture with these tags, in `folded` spelling, shows one person.

    It has `solo`, or exactly one of `1girl`, `1boy`, `1other`, and no tag that counts several. `solo` beside both
    `1girl` and `1boy` is one person whom the model is unsure about.
    """
    return _is_one(sum(map(_weight, tags)))


def _weight(tag: str) -> int:
    if tag == "solo":
        return _SOLO
    if is_count(tag):
        return _ONE if tag in _SINGLE else _SEVERAL
    return 0


def _is_one(total: int) -> bool:
    return total == _ONE or _SOLO <= total < _SEVERAL


class OnePerson:
    """`shows_one_person` for a model's tags, about 3 microseconds a picture.

    Attributes:
        weights: of each tag, shape (T,).
    """

    def __init__(self, labels: Labels) -> None:
        self.weights = np.array([_weight(folded(name)) for name in labels.names], np.int64)

    def __call__(self, kept: IndexArray) -> bool:
        """Whether a picture with these tags, positions in the labels, shows one person."""
        return _is_one(int(self.weights[kept].sum()))

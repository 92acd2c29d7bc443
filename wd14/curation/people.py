"""Whether a picture shows one person: only there do two hair colours contradict each other."""

from __future__ import annotations

import numpy as np

from wd14.curation.families import is_count
from wd14.spelling import folded
from wd14.types import IndexArray, Labels

_SINGLE = frozenset({"1girl", "1boy", "1other"})
#: Added up over a picture's tags: they tell what was among them.
_ONE, _SOLO, _SEVERAL = 1, 100, 10_000


class OnePerson:
    """Tells pictures of one person, about 3 microseconds a picture.

    They have `solo`, or exactly one of `1girl`, `1boy`, `1other`, and no tag that counts several. `solo` beside both
    `1girl` and `1boy` is one person whom the model is unsure about.
    """

    def __init__(self, labels: Labels) -> None:
        self._weights = np.zeros(len(labels), np.int64)
        for position, name in enumerate(labels.names):
            tag = folded(name)
            if tag == "solo":
                self._weights[position] = _SOLO
            elif is_count(tag):
                self._weights[position] = _ONE if tag in _SINGLE else _SEVERAL

    def __call__(self, kept: IndexArray) -> bool:
        """Whether a picture with these tags, positions in the labels, shows one person."""
        total = int(self._weights[kept].sum())
        return total == _ONE or _SOLO <= total < _SEVERAL

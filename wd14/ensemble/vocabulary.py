"""One vocabulary of several models: the first one's tags in its order, then what each further model adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from wd14.spelling import folded
from wd14.types import UNUSED, IndexArray, Labels

#: A picture has one tag of each of these, and scores for all. They match among themselves only: `sensitive` may be a
#: rating of one model and a general tag of another.
JUDGED = ("rating", "quality")

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class JointVocabulary:
    """The tags that at least one of M models knows, U of them.

    Attributes:
        labels: the tags, each as the first model that knows it names it and files it.
        places: of each model: where in `labels` each of its T outputs stands, (T,); U for unused outputs.
        known: which model knows which tag, (M, U).
    """

    labels: Labels
    places: tuple[IndexArray, ...]
    known: NDArray[np.bool_]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which tags are ratings or quality words, (U,)."""
        return np.array([category in JUDGED for category in self.labels.categories], np.bool_)

    def renamed(self, model: int, labels: Labels) -> Labels:
        """A model's labels with the names that the tags have here."""
        joint = self.labels.names
        own = zip(labels.names, self.places[model], strict=True)
        return replace(labels, names=tuple(joint[at] if at < len(joint) else name for name, at in own))

    def shared_with(self, model: int) -> int:
        """How many tags, ratings and quality words aside, a model shares with at least one other."""
        others = np.delete(self.known, model, axis=0).any(axis=0)
        return int((self.known[model] & others & ~self.judged).sum())


def joint_vocabulary(models: Sequence[Labels], aliases: Mapping[str, str] = _NO_ALIASES) -> JointVocabulary:
    """Matches the tags of several models by name, in any spelling; some 20 ms for each 10,000 tags.

    Outputs of one model that turn out to be one tag share its place.

    Args:
        models: their labels, the first model's first.
        aliases: folded name -> the folded name that it is matched as.
    """
    places: dict[tuple[str, str], int] = {}
    names: list[str] = []
    categories: list[str] = []
    counts: list[int] = []
    found: list[IndexArray] = []
    for labels in models:
        own = np.full(len(labels), -1, np.intp)
        for index, (name, category) in enumerate(zip(labels.names, labels.categories, strict=True)):
            if category == UNUSED:
                continue
            key = (category if category in JUDGED else "", aliases.get(text := folded(name), text))
            place = own[index] = places.setdefault(key, len(names))
            if place == len(names):
                names.append(name)
                categories.append(category)
                counts.append(labels.counts[index] if labels.counts else 0)
        found.append(own)
    known = np.zeros((len(models), len(names)), np.bool_)
    for model, own in enumerate(found):
        known[model, own[own >= 0]] = True
        own[own < 0] = len(names)
    joint = Labels(tuple(names), tuple(categories), models[0].order, tuple(counts) if any(counts) else ())
    return JointVocabulary(joint, tuple(found), known)
